namespace Tmem.System.Tests.Support;

/// <summary>
/// File operations on a mount, from this process, with a time limit: when the daemon under test hangs, the test fails instead of
/// hanging too, and <see cref="Daemon"/>'s Dispose aborts the connection, which frees the blocked thread.
/// </summary>
internal static class Bounded
{
    public static void Run(Action action, int seconds = 60) => Run(() => { action(); return 0; }, seconds);

    public static T Run<T>(Func<T> action, int seconds = 60)
    {
        var task = Task.Factory.StartNew(action, CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default);
        if (Task.WhenAny(task, Task.Delay(TimeSpan.FromSeconds(seconds))).Result != task)
            throw new TimeoutException($"a file operation on the mount did not return within {seconds} s");
        return task.GetAwaiter().GetResult();
    }
}
