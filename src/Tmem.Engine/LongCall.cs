namespace Tmem.Engine;

/// <summary>
/// A call that reads or writes all of a store, on a thread of its own: it may take minutes, and waits for disks and streams, so
/// none of the pool's threads is lent to it.
/// </summary>
internal static class LongCall
{
    /// <summary>
    /// The call's outcome. Cancelled before it begins, or where the call looks at the token, the task is cancelled.
    /// </summary>
    /// <exception cref="ObjectDisposedException">The engine has been disposed of: said at once, not by the task.</exception>
    public static Task<T> Run<T>(CallGate gate, Func<T> call, CancellationToken cancellation)
    {
        using var now = gate.Enter();
        return Task.Factory.StartNew(call, cancellation, TaskCreationOptions.LongRunning | TaskCreationOptions.DenyChildAttach,
            TaskScheduler.Default);
    }
}
