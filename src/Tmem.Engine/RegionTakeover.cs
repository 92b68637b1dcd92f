using Tmem.Engine.Region;

namespace Tmem.Engine;

/// <summary>
/// What a process does ahead that is to open a region in memory (<see cref="EngineOptions.RegionDescriptor"/>) after the one that
/// serves it: the region is checked, mapped and made present, which is half of the time that <see cref="TmemEngine.Open"/> takes
/// for a large one. Nothing in it is changed or relied upon before <see cref="Open"/>, which only one process may call, once
/// nobody serves any more.
/// </summary>
/// <remarks>
/// Where the one that serves gives memory back at the very moment it is made present here, the region keeps a few pages that
/// nobody counts; an attach gives them back.
/// </remarks>
internal sealed class RegionTakeover : IDisposable
{
    private readonly EngineOptions _options;
    private RegionMemory? _memory;

    private RegionTakeover(EngineOptions options, RegionMemory? memory)
    {
        _options = options;
        _memory = memory;
    }

    internal RegionMemory? Memory => _memory;

    /// <summary>Prepares; memory that holds no region yet is left as it is.</summary>
    /// <exception cref="RegionException"><see cref="Open"/> could not attach: another version, a capacity the region was not made
    /// for, or no region.</exception>
    public static RegionTakeover Prepare(EngineOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        return new RegionTakeover(options, RegionOpener.Prepare(options));
    }

    /// <summary>
    /// Makes present what the region has come to hold since; for whoever waits for long. Does nothing until it has grown by an
    /// eighth.
    /// </summary>
    public void Refresh()
    {
        if (_memory is { } memory) RegionPresence.Where(memory, memory.Length)?.Dispose();
    }

    /// <summary>
    /// <see cref="TmemEngine.Open"/> with what was prepared. The mapping and the descriptor are the engine's from here on, also
    /// if it fails.
    /// </summary>
    /// <exception cref="RegionException">As there.</exception>
    public TmemEngine Open() => TmemEngine.OpenPrepared(_options, Interlocked.Exchange(ref _memory, null));

    /// <summary>Gives back what was prepared and not opened.</summary>
    public void Dispose() => Interlocked.Exchange(ref _memory, null)?.Dispose();
}
