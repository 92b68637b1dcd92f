using Tmem.Engine.Region;

namespace Tmem.Engine;

/// <summary>
/// Prepares a process to open a region in memory (<see cref="EngineOptions.RegionDescriptor"/>) after the worker that serves it:
/// checks, maps and makes the region present, which is half of the time that <see cref="TmemEngine.Open"/> takes for a large one.
/// Changes nothing in it and relies on nothing in it before <see cref="Open"/>, which only one process may call, once no other
/// serves the region.
/// </summary>
/// <remarks>
/// Where the serving worker gives memory back at the moment it is made present here, the region keeps a few pages that no account
/// covers; an attach gives them back.
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

    /// <summary>Prepares; leaves memory that holds no region yet as it is.</summary>
    /// <exception cref="RegionException">
    /// <see cref="Open"/> could not attach: another version, a capacity the region was not created for, or no region.
    /// </exception>
    public static RegionTakeover Prepare(EngineOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        return new RegionTakeover(options, RegionOpener.Prepare(options));
    }

    /// <summary>
    /// Makes present what the region has gained since; for a process that waits for long. Does nothing until it has grown by an
    /// eighth.
    /// </summary>
    public void Refresh()
    {
        if (_memory is { } memory) RegionPresence.Where(memory, memory.Length)?.Dispose();
    }

    /// <summary>
    /// <see cref="TmemEngine.Open"/> with what was prepared. The mapping and the descriptor then belong to the engine, also on
    /// failure.
    /// </summary>
    /// <exception cref="RegionException">As <see cref="TmemEngine.Open"/>.</exception>
    public TmemEngine Open() => OpenWith(_options.CapacityBytes);

    /// <summary>As <see cref="Open"/>, with the capacity of now, which may have been changed since the preparation.</summary>
    public TmemEngine OpenWith(long capacity) =>
        TmemEngine.OpenPrepared(_options with { CapacityBytes = capacity }, Interlocked.Exchange(ref _memory, null));

    /// <summary>Gives back what was prepared but not opened.</summary>
    public void Dispose() => Interlocked.Exchange(ref _memory, null)?.Dispose();
}
