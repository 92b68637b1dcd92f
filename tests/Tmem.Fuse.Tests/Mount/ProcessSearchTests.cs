using Tmem.Control.Host;
using Xunit;

namespace Tmem.Fuse.Tests.Mount;

/// <summary>A process that does not answer holds up no search, and is asked by one thread at most.</summary>
public sealed class ProcessSearchTests : IDisposable
{
    /// <summary>Nobody has so high a number.</summary>
    private const string First = "/proc/1000000001", Hung = "/proc/1000000002", Last = "/proc/1000000003";

    private readonly ManualResetEventSlim _answers = new();
    private int _asked;

    public void Dispose()
    {
        _answers.Set();
        Assert.True(SpinWait.SpinUntil(() => Look().Silent.Count == 0, TimeSpan.FromSeconds(60)));
        _answers.Dispose();
    }

    private ProcessFindings<string> Look() => new ProcessSearch<string>([First, Hung, Last], (process, add) =>
    {
        add(process);
        if (process != Hung) return;
        Interlocked.Increment(ref _asked);
        _answers.Wait();
        add("late");
    }).Run();

    [Fact]
    public void What_was_found_before_it_in_it_and_behind_it_is_found()
    {
        var (found, silent) = Look();
        Assert.Equal([First, Hung, Last], found);
        Assert.Equal("process 1000000002 ()", Assert.Single(silent));
    }

    [Fact]
    public void It_is_passed_by_as_long_as_it_does_not_answer()
    {
        Look();
        var (found, silent) = Look();
        Assert.Equal([First, Last], found);
        Assert.Single(silent);
        Assert.Equal(1, _asked);
        _answers.Set();
        Assert.True(SpinWait.SpinUntil(() => Look().Found.Contains("late"), TimeSpan.FromSeconds(60)));
    }

    [Fact]
    public void Many_of_them_end_the_search_and_a_later_one_comes_further()
    {
        string[] processes = [.. Enumerable.Range(1_000_000_010, 6).Select(number => $"/proc/{number}")];
        ProcessFindings<string> LookAtAll() => new ProcessSearch<string>(processes, (_, _) => _answers.Wait()).Run();
        Assert.Equal(4, LookAtAll().Silent.Count);
        Assert.Equal(6, LookAtAll().Silent.Count);
        _answers.Set();
        Assert.True(SpinWait.SpinUntil(() => LookAtAll().Silent.Count == 0, TimeSpan.FromSeconds(60)));
    }

    [Fact]
    public void A_process_that_has_ended_or_may_not_be_looked_at_is_no_failure()
    {
        var (found, silent) = new ProcessSearch<string>([First, Hung, Last], (process, add) =>
        {
            if (process == First) throw new UnauthorizedAccessException();
            if (process == Hung) throw new IOException();
            add(process);
        }).Run();
        Assert.Equal([Last], found);
        Assert.Empty(silent);
    }

    [Fact]
    public void Every_process_is_looked_at() =>
        Assert.Contains($"/proc/{Environment.ProcessId}", ProcessSearch.Everywhere<string>((process, add) => add(process)).Found);
}
