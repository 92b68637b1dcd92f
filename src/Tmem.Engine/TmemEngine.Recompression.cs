using Tmem.Engine.Native;
using Tmem.Engine.Recompress;

namespace Tmem.Engine;

/// <summary>Recompression: on request, and its figures.</summary>
public sealed unsafe partial class TmemEngine
{
    private readonly Lock _recompressing = new();
    private readonly Func<Recompressor> _makeRecompressor;
    private long _recompressionTime;
    private bool _rests;

    /// <summary>
    /// Stores all pages of a pool anew that nobody has used lately, as <see cref="EngineOptions.RecompressInBackground"/> does in
    /// time, whether or not that is set: now, and with a whole processor. Other operations continue meanwhile.
    /// </summary>
    /// <exception cref="OperationCanceledException">Cancelled; what was done stays. It stops as well when the engine is disposed
    /// of.</exception>
    public RecompressionResult Recompress(PoolId pool, CancellationToken cancellation = default)
    {
        using var call = Gate.Enter();
        lock (_recompressing)
        {
            if (PoolTable.Find(pool) is not { } found) return new(TmemStatus.NoSuchPool, 0, 0, TimeSpan.Zero);
            Recompressor ??= _makeRecompressor();
            var (pages, bytes) = (found.Counters.Sum(Count.PagesRecompressed), found.Counters.Sum(Count.RecompressionBytes));
            var began = SystemCalls.ThreadTime();
            Recompressor.Run(found, () => cancellation.IsCancellationRequested || Gate.IsClosed || Volatile.Read(ref _rests));
            var spent = SystemCalls.ThreadTime() - began;
            Interlocked.Add(ref _recompressionTime, spent);
            cancellation.ThrowIfCancellationRequested();
            return new(TmemStatus.Ok, found.Counters.Sum(Count.PagesRecompressed) - pages,
                found.Counters.Sum(Count.RecompressionBytes) - bytes, TimeSpan.FromMicroseconds(spent / 1000));
        }
    }

    /// <summary>Ends what recompresses, for good.</summary>
    private void RestFromRecompression()
    {
        Volatile.Write(ref _rests, true);
        _recompression?.Dispose();
        // One that was asked for stops at its next step.
        lock (_recompressing) { }
    }

    private RecompressionStatistics RecompressionFigures() => new()
    {
        InBackground = _recompression is not null,
        ProcessorTime = (_recompression?.Spent ?? TimeSpan.Zero)
            + TimeSpan.FromMicroseconds(Volatile.Read(ref _recompressionTime) / 1000),
        Dictionaries =
            [.. Enumerable.Range(0, Pam.Dictionaries.Most).Select(Dictionaries.Describe).OfType<DictionaryStatistics>()],
    };
}
