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
    public static Task<T> Run<T>(Func<T> call, CancellationToken cancellation) => Task.Factory.StartNew(call, cancellation,
        TaskCreationOptions.LongRunning | TaskCreationOptions.DenyChildAttach, TaskScheduler.Default);
}
