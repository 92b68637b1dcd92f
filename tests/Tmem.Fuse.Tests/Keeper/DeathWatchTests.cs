using System.Diagnostics;
using System.Runtime.InteropServices;
using Tmem.Fuse.Keeper;
using Tmem.Fuse.Native;
using Xunit;

namespace Tmem.Fuse.Tests.Keeper;

/// <summary>
/// What shows the end of a worker before the kernel has torn it down, and that nothing shows it while the worker runs.
/// </summary>
public sealed unsafe class DeathWatchTests : IDisposable
{
    private static readonly TimeSpan s_far = TimeSpan.FromSeconds(30);
    private readonly uint* _memory = (uint*)NativeMemory.AllocZeroed(64);

    private RobustWord Word => new(_memory);

    public void Dispose() => NativeMemory.Free(_memory);

    [Fact]
    public void A_word_that_nobody_has_held_is_not_waited_for() => Assert.False(Word.AwaitEnd(() => false));

    [Fact]
    public void Who_waits_learns_of_the_holders_end_and_not_before()
    {
        using var held = new SemaphoreSlim(0);
        using var end = new SemaphoreSlim(0);
        var holder = new Thread(() =>
        {
            Word.Hold();
            held.Release();
            end.Wait();
        });
        holder.Start();
        Assert.True(held.Wait(s_far, TestContext.Current.CancellationToken));
        var learnt = false;
        var waiter = new Thread(() => learnt = Word.AwaitEnd(() => false)) { IsBackground = true };
        waiter.Start();
        // A wake without an end changes nothing.
        Word.Wake();
        Assert.False(waiter.Join(100));
        end.Release();
        Assert.True(waiter.Join(s_far));
        Assert.True(learnt);
        // A thread that comes late sees it too, until another thread takes the word.
        Assert.True(Word.AwaitEnd(() => false));
    }

    [Fact]
    public void The_next_holder_lets_go_of_those_who_wait_no_more()
    {
        using var end = new SemaphoreSlim(0);
        using var held = new SemaphoreSlim(0);
        var holders = Enumerable.Range(0, 2).Select(_ => new Thread(() =>
        {
            Word.Hold();
            held.Release();
            end.Wait();
        })).ToList();
        holders[0].Start();
        Assert.True(held.Wait(s_far, TestContext.Current.CancellationToken));
        var isOver = false;
        var waiter = new Thread(() => Word.AwaitEnd(() => Volatile.Read(ref isOver))) { IsBackground = true };
        waiter.Start();
        while ((Volatile.Read(ref *_memory) & 0x8000_0000) == 0) Thread.Yield();
        Volatile.Write(ref isOver, true);
        holders[1].Start();
        Assert.True(waiter.Join(s_far));
        end.Release(2);
        holders.ForEach(holder => holder.Join());
    }

    [Fact]
    public void A_process_has_ended_when_each_of_its_threads_has_let_go_of_its_memory()
    {
        Assert.False(ProcessThreads.AllEnd(Environment.ProcessId));
        using var sleeper = Process.Start(new ProcessStartInfo("sleep", "60"))!;
        Assert.False(ProcessThreads.AllEnd(sleeper.Id));
        sleeper.Kill();
        var watch = Stopwatch.StartNew();
        while (!ProcessThreads.AllEnd(sleeper.Id)) Assert.True(watch.Elapsed < s_far);
        sleeper.WaitForExit();
        Assert.True(ProcessThreads.AllEnd(sleeper.Id));
        Assert.Contains(Environment.ProcessId, ProcessThreads.OfSelf());
    }
}
