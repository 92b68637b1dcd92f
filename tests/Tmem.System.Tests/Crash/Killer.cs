using System.Diagnostics;
using System.Globalization;
using Mono.Unix.Native;
using Tmem.System.Tests.Support;
using Xunit;

namespace Tmem.System.Tests.Crash;

/// <summary>Kills workers at random moments, and measures the cost at a client.</summary>
internal sealed class Killer(Daemon daemon, Prober prober, int seed)
{
    private readonly Random _random = new(seed);
    private readonly List<double> _stalls = [];

    public int Kills { get; private set; }

    /// <summary>The child of the keeper: the process that serves, or will.</summary>
    public int? Worker => Child(daemon.Id);

    /// <summary>
    /// The worker among a keeper's children, or the next one, found without asking a process; null if there is none now.
    /// </summary>
    public static int? Child(int parent)
    {
        try
        {
            var children = File.ReadAllText($"/proc/{parent}/task/{parent}/children")
                .Split(' ', StringSplitOptions.RemoveEmptyEntries);
            // The youngest: one that was killed before may still be there while the kernel tears down its memory.
            var worker = children.LastOrDefault(child => File.ReadAllText($"/proc/{child}/comm") == "tmemd-worker\n")
                ?? children.FirstOrDefault();
            return worker is null ? null : int.Parse(worker, CultureInfo.InvariantCulture);
        }
        catch (IOException)
        {
            return null;
        }
    }

    /// <summary>Kills one worker after a random time of service and waits until the client is served again.</summary>
    public void KillServing()
    {
        Thread.Sleep(_random.Next(20, 250));
        prober.TakeLongest();
        Kill();
        prober.AwaitRound();
        _stalls.Add(prober.TakeLongest());
    }

    /// <summary>The same for all processes of the daemon at once; its service manager starts it again.</summary>
    public void KillAll()
    {
        Thread.Sleep(_random.Next(20, 500));
        prober.TakeLongest();
        daemon.KillAll();
        Kills++;
        prober.AwaitRound();
        _stalls.Add(prober.TakeLongest());
    }

    /// <summary>Kills a worker and then its successors while they start.</summary>
    public void KillStarting(int times)
    {
        prober.TakeLongest();
        for (var time = 0; time < times; time++)
        {
            Kill();
            // From before its first instruction to after its first request.
            Thread.Sleep(_random.Next(0, 60));
        }
        prober.AwaitRound();
    }

    /// <summary>The cost of each kill of a serving worker to a client, in milliseconds.</summary>
    public IReadOnlyList<double> Stalls => _stalls;

    private void Kill()
    {
        var watch = Stopwatch.StartNew();
        int? worker;
        while ((worker = Worker) is null || Syscall.kill(worker.Value, Signum.SIGKILL) != 0)
        {
            Assert.True(watch.Elapsed.TotalSeconds < 30, $"the keeper has no worker\n{daemon.Log}");
            Thread.Sleep(1);
        }
        Kills++;
    }
}
