using System.Diagnostics;
using Tmem.Engine;
using Tmem.Engine.Records;

namespace Tmem.Fuse.Filesystem;

/// <summary>A pool and its first-level directory.</summary>
internal sealed class PoolState(PoolId id, PoolOptions options, RecordRef directory)
{
    public PoolId Id { get; } = id;
    /// <summary>As the engine has them.</summary>
    public PoolOptions Options { get; set; } = options;
    /// <summary>Another one once the pool was emptied.</summary>
    public RecordRef Directory { get; set; } = directory;
    public bool IsEphemeral => (Options.Flags & PoolFlags.Persistent) == 0;

    /// <summary>Open handles on files of the pool, with a name or without.</summary>
    public long OpenFiles
    {
        get;
        set
        {
            Debug.Assert(value >= 0, "no more handles are closed than were opened");
            field = value;
        }
    }
}

/// <summary>The pools by id; derived from the first-level directories. The caller holds the namespace lock.</summary>
internal sealed class PoolTable
{
    // A pool id's low ten bits are its place in the engine's table of pools.
    public const int Places = 1024;

    private readonly PoolState?[] _states = new PoolState?[Places];

    public PoolState? Find(uint pool)
    {
        var state = _states[pool % Places];
        return state is not null && state.Id.Value == pool ? state : null;
    }

    /// <summary>The pool whose first-level directory this is, or none.</summary>
    public PoolState? Of(RecordRef directory, in InodeRecord inode) =>
        Find(inode.Pool) is { } pool && pool.Directory == directory ? pool : null;

    /// <summary>Pools that have lost their directory, and whose pages or names are being removed.</summary>
    public int Ending
    {
        get;
        set
        {
            Debug.Assert(value >= 0, "no pool ends twice");
            field = value;
        }
    }

    public void Add(PoolState state) => _states[state.Id.Value % Places] = state;

    public void Remove(PoolState state) => _states[state.Id.Value % Places] = null;

    public IEnumerable<PoolState> All()
    {
        foreach (var state in _states)
            if (state is not null) yield return state;
    }
}
