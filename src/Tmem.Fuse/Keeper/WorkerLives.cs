using Tmem.Fuse.Native;

namespace Tmem.Fuse.Keeper;

/// <summary>The keeper's advice when the out-of-memory killer kills worker after worker.</summary>
/// <param name="Group">The memory group that limits the daemon, and the remedy, in words; empty if none does.</param>
/// <param name="Counter">
/// The file in which the kernel counts its kills in the daemon's own group ("oom_kill 3"): kills elsewhere are no cause here.
/// Null if there is none; then the machine's count has to do.
/// </param>
internal sealed record MemoryAdvice(string Group, string? Counter = null);

/// <summary>
/// The lives of the last workers, and the delay before the next one: a worker killed from outside is replaced at once, or in a
/// moment if it did not serve yet; one that died of itself, or of the out-of-memory killer, before it had served for long, will
/// likely die again, and its successors come at longer and longer intervals.
/// </summary>
internal sealed class WorkerLives
{
    /// <summary>The longest pause before the next attempt, in milliseconds.</summary>
    public const long LongestDelay = 10_000;

    private const long FirstDelay = 100;
    private const int InARowBeforeLastWord = 8;

    /// <summary>An hour at the longest pause.</summary>
    private const int InARowBetweenLastWords = 360;

    /// <summary>A worker that serves this long has not died of its predecessor's cause.</summary>
    private const long SteadyMilliseconds = 30_000;

    private readonly MemoryAdvice _advice;
    private long _struck;
    private int _unserved;
    private int _short;
    private bool _killedForMemory;

    /// <param name="advice">Advice about deaths for lack of memory.</param>
    /// <param name="struck">How often the out-of-memory killer has struck before; -1 if unknown.</param>
    public WorkerLives(MemoryAdvice advice, long struck)
    {
        _advice = advice;
        _struck = struck;
    }

    /// <summary>Deaths in a row that predict more of them.</summary>
    public int InARow => _unserved + _short;

    /// <summary>Whether workers served, and died of themselves soon after.</summary>
    public bool AreShort => _short > 0;

    /// <summary>The pause before the next one, in milliseconds. The first that had served is replaced at once.</summary>
    public long Delay => InARow == 0 || (_unserved == 0 && _short == 1)
        ? 0
        : Math.Min(LongestDelay, FirstDelay << Math.Min(InARow - 1, 16));

    public bool IsTimeForLastWord => InARow == InARowBeforeLastWord
        || (InARow > InARowBeforeLastWord && InARow % InARowBetweenLastWords == 0);

    /// <summary>Counts a worker that could not be started.</summary>
    public void CountFailure() => _unserved++;

    /// <summary>Counts a worker that serves.</summary>
    /// <param name="causeIsGone">It has refused the request that killed the ones before it: a client that sends such requests
    /// must not make all others wait longer and longer.</param>
    public void CountServing(bool causeIsGone = false)
    {
        _unserved = 0;
        if (causeIsGone) _short = 0;
    }

    /// <summary>Counts a worker's death.</summary>
    /// <param name="death">How.</param>
    /// <param name="hadBegun">Whether it had begun to serve.</param>
    /// <param name="struck">How often the out-of-memory killer has struck by now; -1 if unknown.</param>
    public void CountDeath(in WorkerDeath death, bool hadBegun, long struck)
    {
        var forMemory = struck > _struck && death is { Number: NativeProcess.SIGKILL, BySignal: 1 };
        _struck = struck;
        var byItself = forMemory || (death.Number >= 0 && (death.BySignal == 0 || death.Number != NativeProcess.SIGKILL));
        // Kills from outside predict no more of them: one pause, but not longer and longer ones, however early they come.
        if (!hadBegun) _unserved = byItself || struck < 0 ? _unserved + 1 : Math.Max(_unserved, 1);
        else if (byItself && death.ServedMilliseconds < SteadyMilliseconds) _short++;
        else _short = 0;
        _killedForMemory = InARow > 0 && (forMemory || (_killedForMemory && !byItself));
    }

    /// <summary>What killed them, as far as it is known, and the remedy.</summary>
    /// <param name="line">The line to append to.</param>
    /// <param name="upgrade">The command line that switches to another program.</param>
    public void AppendCause(ref KeeperLine line, string upgrade)
    {
        if (!_killedForMemory)
        {
            line.AppendLiteral("The log above says why they die; '");
            line.AppendLiteral(upgrade);
            line.AppendLiteral("' gives another program as soon as one serves. ");
            return;
        }
        line.AppendLiteral("The kernel's out-of-memory killer ends them. ");
        line.AppendLiteral(_advice.Group.Length > 0
            ? _advice.Group
            : "The machine has no memory left: end what takes it, or add swap on a disk. ");
    }
}
