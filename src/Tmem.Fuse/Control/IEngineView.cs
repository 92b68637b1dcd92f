using Tmem.Engine;

namespace Tmem.Fuse.Control;

/// <summary>The engine as the management API uses it: a few of its methods, so that tests need no region.</summary>
internal interface IEngineView
{
    /// <inheritdoc cref="TmemEngine.Statistics"/>
    EngineStatistics Statistics();

    /// <inheritdoc cref="TmemEngine.Verify"/>
    VerifierReport Verify();

    /// <inheritdoc cref="TmemEngine.MaximumCapacity"/>
    long MaximumCapacity { get; }

    /// <inheritdoc cref="TmemEngine.FreeableBytes"/>
    long FreeableBytes();

    /// <inheritdoc cref="TmemEngine.Resize"/>
    TmemStatus Resize(long capacity);

    /// <inheritdoc cref="TmemEngine.Shrink"/>
    long Shrink(long bytes);

    /// <inheritdoc cref="TmemEngine.Compact"/>
    int Compact();

    /// <inheritdoc cref="TmemEngine.Recompress"/>
    RecompressionResult Recompress(PoolId pool);

    /// <inheritdoc cref="TmemEngine.Sync"/>
    TmemStatus Sync();

    /// <inheritdoc cref="TmemEngine.Clients"/>
    IReadOnlyList<ClientInfo> Clients();

    /// <inheritdoc cref="TmemClient.Info"/>
    ClientInfo Client(TmemClientId id);

    /// <inheritdoc cref="TmemClient.Configure"/>
    TmemStatus Configure(TmemClientId id, in ClientOptions options);
}

/// <summary>The real engine, which verifies while others work.</summary>
internal sealed class EngineView(TmemEngine engine) : IEngineView
{
    /// <inheritdoc/>
    public EngineStatistics Statistics() => engine.Statistics();

    /// <inheritdoc/>
    public VerifierReport Verify() => engine.Verify();

    /// <inheritdoc/>
    public long MaximumCapacity => engine.MaximumCapacity;

    /// <inheritdoc/>
    public long FreeableBytes() => engine.FreeableBytes();

    /// <inheritdoc/>
    public TmemStatus Resize(long capacity) => engine.Resize(capacity);

    /// <inheritdoc/>
    public long Shrink(long bytes) => engine.Shrink(bytes);

    /// <inheritdoc/>
    public int Compact() => engine.Compact();

    /// <inheritdoc/>
    public RecompressionResult Recompress(PoolId pool) => engine.Recompress(pool);

    /// <inheritdoc/>
    public TmemStatus Sync() => engine.Sync();

    /// <inheritdoc/>
    public IReadOnlyList<ClientInfo> Clients() => engine.Clients();

    /// <inheritdoc/>
    public ClientInfo Client(TmemClientId id) => engine.Client(id).Info();

    /// <inheritdoc/>
    public TmemStatus Configure(TmemClientId id, in ClientOptions options) => engine.Client(id).Configure(options);
}
