namespace Tmem.Engine;

/// <summary>
/// Runs a call that reads or writes a whole store on a thread of its own: it may take minutes, and waits for disks and streams,
/// so it must not occupy a thread of the pool.
/// </summary>
internal static class LongCall
{
    /// <summary>
    /// The call's outcome. Cancellation before it begins, or where the call checks the token, cancels the task.
    /// </summary>
    /// <exception cref="ObjectDisposedException">The engine has been disposed of: thrown at once, not by the task.</exception>
    public static Task<T> Run<T>(CallGate gate, Func<T> call, CancellationToken cancellation)
    {
        using var now = gate.Enter();
        return Task.Factory.StartNew(call, cancellation, TaskCreationOptions.LongRunning | TaskCreationOptions.DenyChildAttach,
            TaskScheduler.Default);
    }
}
