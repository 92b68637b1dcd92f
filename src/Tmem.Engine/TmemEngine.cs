using Tmem.Engine.Diagnostics;
using Tmem.Engine.Records;

namespace Tmem.Engine;

/// <summary>How to make or find the region.</summary>
public sealed record EngineOptions
{
    /// <summary>Most real memory the store may use, metadata included, in bytes. At least <see cref="MinimumCapacity"/>.</summary>
    public required long CapacityBytes { get; init; }

    /// <summary>The region's file: null for anonymous memory.</summary>
    public string? RegionPath { get; init; }

    /// <summary>An open descriptor (memfd) to map instead of a path; -1 for none. Ownership passes to the engine.</summary>
    public int RegionDescriptor { get; init; } = -1;

    /// <summary>Lock the region's pages in memory as they are populated.</summary>
    public bool LockMemory { get; init; }

    /// <summary>The smallest capacity: 1 MiB.</summary>
    public const long MinimumCapacity = 1 << 20;
}

/// <summary>A region that cannot be created or attached; the message names the region and the remedy.</summary>
public sealed class RegionException : Exception
{
    /// <summary>Makes one.</summary>
    public RegionException(string message, Exception? inner = null) : base(message, inner) { }
}

/// <summary>The engine.</summary>
public sealed class TmemEngine : IDisposable
{
    /// <summary>Creates an empty region, or attaches to the one that <see cref="EngineOptions"/> names if it holds one.</summary>
    /// <exception cref="RegionException">Foreign file, other version, in use by another process, too little memory…</exception>
    public static TmemEngine Open(EngineOptions options) => throw new NotImplementedException();

    /// <summary>True when <see cref="Open"/> found a region and rebuilt from it.</summary>
    public bool Attached => throw new NotImplementedException();

    /// <summary>A client by number, made if need be: its pools come back after an attach.</summary>
    public TmemClient Client(ClientId id) => throw new NotImplementedException();

    /// <summary>Fixed-size records in the region for the embedder (file-system metadata).</summary>
    public RecordStore Records => throw new NotImplementedException();

    /// <summary>All figures.</summary>
    public EngineStatistics Statistics() => throw new NotImplementedException();

    /// <summary>Allocates and touches what the calling thread needs, so that the data path never grows anything.</summary>
    public void PrepareThread() => throw new NotImplementedException();

    /// <summary>Walks index, slots, spans and counters. Safe while others work; <paramref name="quiescent"/> adds the checks that need nobody to.</summary>
    public VerifierReport Verify(bool quiescent = false) => throw new NotImplementedException();

    /// <inheritdoc/>
    public void Dispose() => throw new NotImplementedException();
}

/// <summary>A client's view: the operations of the contract on the pools it owns. All methods may be called from any thread.</summary>
public sealed class TmemClient
{
    /// <summary>The number.</summary>
    public ClientId Id => throw new NotImplementedException();

    /// <summary>Creates a pool.</summary>
    public TmemStatus NewPool(in PoolOptions options, out PoolId pool) => throw new NotImplementedException();

    /// <summary>Destroys a pool and every page in it.</summary>
    public TmemStatus DestroyPool(PoolId pool) => throw new NotImplementedException();

    /// <summary>Pool figures and options.</summary>
    public TmemStatus PoolInfo(PoolId pool, out PoolSnapshot? info) => throw new NotImplementedException();

    /// <summary>This client's living pools.</summary>
    public IReadOnlyList<PoolId> Pools() => throw new NotImplementedException();

    /// <summary>Stores a page; if it cannot be stored, an older page under the handle is flushed too.</summary>
    public TmemStatus Put(PoolId pool, in ObjectId obj, uint index, ReadOnlySpan<byte> page) => throw new NotImplementedException();

    /// <summary>Stores a page; if it cannot be stored, an older page under the handle stays.</summary>
    public TmemStatus Replace(PoolId pool, in ObjectId obj, uint index, ReadOnlySpan<byte> page) => throw new NotImplementedException();

    /// <summary>Copies a page out (and consumes it in a private ephemeral pool).</summary>
    public TmemStatus Get(PoolId pool, in ObjectId obj, uint index, Span<byte> page) => throw new NotImplementedException();

    /// <summary>Drops one page. Ok if it was there, Miss if not.</summary>
    public TmemStatus FlushPage(PoolId pool, in ObjectId obj, uint index) => throw new NotImplementedException();

    /// <summary>Drops an object's pages. Ok if any was there, Miss if not.</summary>
    public TmemStatus FlushObject(PoolId pool, in ObjectId obj) => throw new NotImplementedException();

    /// <summary>Drops the pages first..last (both included). Ok if any was there, Miss if not.</summary>
    public TmemStatus FlushRange(PoolId pool, in ObjectId obj, uint first, uint last, out long flushed) => throw new NotImplementedException();

    /// <summary>The lowest stored index at or above <paramref name="from"/>. Miss if there is none.</summary>
    public TmemStatus NextPage(PoolId pool, in ObjectId obj, uint from, out uint found) => throw new NotImplementedException();

    /// <summary>How many pages the object holds now (0 if none).</summary>
    public TmemStatus CountPages(PoolId pool, in ObjectId obj, out long pages) => throw new NotImplementedException();
}
