using System.Diagnostics;
using System.Runtime.InteropServices;
using Mono.Unix.Native;
using Tmem.System.Tests.Support;
using Xunit;

namespace Tmem.System.Tests.Crash;

/// <summary>
/// A client that writes one page of a file and reads it back, bypassing the page cache, as fast as it can, and notes how long
/// each round took: the longest one around a kill is the cost of the kill to a client.
/// </summary>
internal sealed unsafe class Prober : IDisposable
{
    private const int PageSize = 4096;

    private readonly Thread _thread;
    private readonly byte* _page = (byte*)NativeMemory.AlignedAlloc(PageSize, PageSize);
    private readonly int _descriptor;
    private long _round;
    private long _roundStarted = Stopwatch.GetTimestamp();
    private long _longest;
    private volatile bool _stop;
    private string? _problem;

    public Prober(string file)
    {
        _descriptor = Bounded.Run(() => Files.Open(file, OpenFlags.O_CREAT | OpenFlags.O_RDWR | OpenFlags.O_DIRECT, out _));
        Assert.True(_descriptor >= 0, $"{file} cannot be opened");
        _thread = new Thread(Run) { IsBackground = true };
        _thread.Start();
    }

    /// <summary>What went wrong; null if nothing did.</summary>
    public string? Problem => _problem;

    /// <summary>Waits for a round that began after this call to end: the mount is served again.</summary>
    public void AwaitRound(int seconds = 60)
    {
        var until = Volatile.Read(ref _round) + 2;
        for (var watch = Stopwatch.StartNew(); Volatile.Read(ref _round) < until; Thread.Sleep(1))
        {
            Assert.Null(_problem);
            Assert.True(watch.Elapsed.TotalSeconds < seconds, $"a client waits for {seconds} s: a request is stuck");
        }
    }

    /// <summary>The longest round since the last call, in milliseconds; one in progress counts with its time so far.</summary>
    public double TakeLongest()
    {
        var running = Stopwatch.GetTimestamp() - Volatile.Read(ref _roundStarted);
        var longest = Math.Max(Interlocked.Exchange(ref _longest, 0), running);
        return longest * 1e3 / Stopwatch.Frequency;
    }

    public void Dispose()
    {
        if (_stop) return;
        _stop = true;
        // A stuck thread is freed when the connection is aborted, and must find its page then.
        if (!_thread.Join(TimeSpan.FromSeconds(10))) return;
        Files.Close(_descriptor);
        NativeMemory.AlignedFree(_page);
    }

    private void Run()
    {
        var words = new Span<long>(_page, PageSize / sizeof(long));
        while (!_stop && _problem is null)
        {
            Volatile.Write(ref _roundStarted, Stopwatch.GetTimestamp());
            words.Fill(_round);
            words[1] = ~_round;
            var offset = _round % 64 * PageSize;
            if (Syscall.pwrite(_descriptor, _page, PageSize, offset) != PageSize) _problem = $"write: {Stdlib.GetLastError()}";
            words.Clear();
            if (Syscall.pread(_descriptor, _page, PageSize, offset) != PageSize) _problem ??= $"read: {Stdlib.GetLastError()}";
            if (_problem is null && (words[1] != ~_round || words[2..].ContainsAnyExcept(_round)))
                _problem = $"page {offset / PageSize} read back wrong in round {_round}";
            var took = Stopwatch.GetTimestamp() - _roundStarted;
            if (took > Volatile.Read(ref _longest)) Volatile.Write(ref _longest, took);
            Volatile.Write(ref _round, _round + 1);
        }
    }
}
