using Tmem.Fuse.Native;

namespace Tmem.Fuse.Keeper;

/// <summary>
/// How a worker's death is known before the kernel has taken its memory apart. The worker has a thread that holds a word of the
/// handover page (<see cref="ShowLife"/>); the process that stands by waits for it, sees to it that no thread of the worker will
/// run again, and tells the keeper. A death that shows no other way shows by the pidfd, as it does where there is nobody who
/// stands by.
/// </summary>
internal sealed class DeathWatch
{
    private const int StackBytes = 128 << 10;

    /// <summary>
    /// A thread that is killed ends within a tick; one that waits for a disk may take long, and the pidfd will tell.
    /// </summary>
    private const int MostLooks = 500;

    /// <summary>Looks, 0.3 ms each, without a pause between them.</summary>
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

    /// <summary>Makes this process one whose death is seen at once. Before it tells anybody that it serves.</summary>
    public static void ShowLife(Handover handover)
    {
        var held = new TaskCompletionSource();
        Start("tmemd-life", () =>
        {
            handover.Life.Hold();
            held.SetResult();
            Thread.Sleep(Timeout.Infinite);
        });
        // Who stands by next must not find the word as the worker before left it.
        held.Task.Wait();
    }

    /// <summary>Begins to wait for the death of the worker that serves.</summary>
    public static DeathWatch Begin(Handover handover, Link line)
    {
        var watch = new DeathWatch(handover, line);
        Start("tmemd-watch", watch.Run);
        return watch;
    }

    /// <summary>Nobody needs to know any more.</summary>
    public void End()
    {
        _isOver = true;
        _life.Wake();
    }

    private void Run()
    {
        // It sleeps, and is in nobody's way; and it must not wait for a processor when it wakes.
        ProcessPriority.StepForward();
        if (!_life.AwaitEnd(() => _isOver)) return;
        for (var look = 0; look < MostLooks && !_isOver; look++)
        {
            if (ProcessThreads.AllEnd(_worker, _handover.Page.NotifyingThread))
            {
                _line.Send(LinkMessage.WorkerEnds);
                break;
            }
            Thread.Sleep(look < HastyLooks ? 0 : 1);
        }
        // However far this process has come: it is its turn.
        ProcessPriority.AllStepForward();
    }

    private static void Start(string name, ThreadStart work) =>
        new Thread(work, StackBytes) { IsBackground = true, Name = name }.Start();
}
