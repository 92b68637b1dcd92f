using Tmem.Engine.Transfer;

namespace Tmem.Engine;

/// <summary>
/// Saves pools to a stream and restores them from one, here or elsewhere (docs/contract.md, "Save and restore").
/// </summary>
public sealed partial class TmemClient
{
    /// <summary>
    /// Writes a pool to a stream, possibly while it is in use. Each page saved is one that its handle held at some moment of the
    /// save; untouched pages are saved as they are; ephemeral ones may vanish before their turn. Consumes nothing. For a snapshot
    /// of one moment, freeze the client first. A restore refuses what a cancelled save has written.
    /// </summary>
    /// <exception cref="OperationCanceledException">Cancelled.</exception>
    public TransferResult SavePool(PoolId pool, Stream stream, CancellationToken cancellation = default)
    {
        using var call = _engine.Gate.Enter();
        ArgumentNullException.ThrowIfNull(stream);
        var status = Resolve(pool, out var target);
        return status == TmemStatus.Ok
            ? new ClientSaver(_engine.Operations, stream, cancellation).Run([target])
            : new TransferResult(TransferStatus.Refused, status, [], 0, 0, $"{pool} cannot be saved: {status}");
    }

    /// <summary>
    /// As <see cref="SavePool"/>, for all pools this client owns. Weight, limit and authorisations belong to the host and are not
    /// saved.
    /// </summary>
    /// <exception cref="OperationCanceledException">Cancelled.</exception>
    public TransferResult Save(Stream stream, CancellationToken cancellation = default)
    {
        using var call = _engine.Gate.Enter();
        ArgumentNullException.ThrowIfNull(stream);
        return new ClientSaver(_engine.Operations, stream, cancellation).Run(Array.FindAll(_state.Pools, pool => pool.IsOpen));
    }

    /// <summary>
    /// Recreates the pools of a saved stream, owned by this client, with new ids. They appear together once the whole stream was
    /// read and found sound; otherwise, or if the process dies before that, none appears. A pool with a shared id needs this
    /// client's authorisation, and no pool of that id here. Reads nothing after the stream's trailer.
    /// </summary>
    /// <exception cref="OperationCanceledException">Cancelled: no pool was created.</exception>
    public TransferResult Restore(Stream stream, CancellationToken cancellation = default)
    {
        using var call = _engine.Gate.Enter();
        ArgumentNullException.ThrowIfNull(stream);
        var result = new ClientRestorer(_engine.PoolTable, _engine.Operations, _state, stream, cancellation).Run();
        _engine.FitGhosts();
        return result;
    }

    /// <summary>
    /// As <see cref="SavePool"/>, on a thread of its own. The engine's Dispose waits for it: cancel it first.
    /// </summary>
    public Task<TransferResult> SavePoolAsync(PoolId pool, Stream stream, CancellationToken cancellation = default) =>
        LongCall.Run(_engine.Gate, () => SavePool(pool, stream, cancellation), cancellation);

    /// <summary>As <see cref="Save"/>, on a thread of its own. The engine's Dispose waits for it: cancel it first.</summary>
    public Task<TransferResult> SaveAsync(Stream stream, CancellationToken cancellation = default) =>
        LongCall.Run(_engine.Gate, () => Save(stream, cancellation), cancellation);

    /// <summary>As <see cref="Restore"/>, on a thread of its own. The engine's Dispose waits for it: cancel it first.</summary>
    public Task<TransferResult> RestoreAsync(Stream stream, CancellationToken cancellation = default) =>
        LongCall.Run(_engine.Gate, () => Restore(stream, cancellation), cancellation);
}
