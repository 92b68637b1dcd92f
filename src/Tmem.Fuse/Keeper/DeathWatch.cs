using Tmem.Fuse.Native;

namespace Tmem.Fuse.Keeper;

/// <summary>
/// Detects a worker's death before the kernel has torn down its memory. A thread of the worker holds a word of the handover page
/// (<see cref="ShowLife"/>); the stand-by waits for it, checks that no thread of the worker will run again, and tells the keeper.
/// Any other death shows by the pidfd, as it does without a stand-by.
/// </summary>
internal sealed class DeathWatch
{
    private const int StackBytes = 128 << 10;

    /// <summary>
    /// A killed thread ends within a tick; one that waits for a disk may take long, and the pidfd will show that end.
    /// </summary>
    private const int MostLooks = 500;

    /// <summary>Checks, 0.3 ms each, without a pause between them.</summary>
    private const int HastyLooks = 20;

    private readonly Handover _handover;
    private readonly RobustWord _life;
    private readonly int _worker;
    private readonly Link _line;
    private volatile bool _isOver;

    private DeathWatch(Handover handover, Link line)
    {
        _handover = handover;
        _life = handover.Life;
        _worker = handover.Page.WorkerProcess;
        _line = line;
    }

    /// <summary>Makes the death of this process visible at once. Called before it reports that it serves.</summary>
    public static void ShowLife(Handover handover)
    {
        var held = new TaskCompletionSource();
        Start("tmemd-life", () =>
        {
            handover.Life.Hold();
            held.SetResult();
            Thread.Sleep(Timeout.Infinite);
        });
        // The next stand-by must not find the word as the previous worker left it.
        held.Task.Wait();
    }

    /// <summary>Begins to watch the serving worker.</summary>
    public static DeathWatch Begin(Handover handover, Link line)
    {
        var watch = new DeathWatch(handover, line);
        Start("tmemd-watch", watch.Run);
        return watch;
    }

    /// <summary>Ends the watch.</summary>
    public void End()
    {
        _isOver = true;
        _life.Wake();
    }

    private void Run()
    {
        // It sleeps, so it disturbs nothing; and it must not wait for a processor when it wakes.
        ProcessPriority.StepForward();
        if (!_life.AwaitEnd(() => _isOver)) return;
        for (var look = 0; look < MostLooks && !_isOver; look++)
        {
            if (ProcessThreads.AllEnd(_worker, _handover.Page.NotifyingThread, _handover.Page.ForgettingThread))
            {
                _line.Send(LinkMessage.WorkerEnds);
                break;
            }
            Thread.Sleep(look < HastyLooks ? 0 : 1);
        }
        // However far its preparation is, this process takes over now.
        ProcessPriority.AllStepForward();
    }

    private static void Start(string name, ThreadStart work) =>
        new Thread(work, StackBytes) { IsBackground = true, Name = name }.Start();
}
