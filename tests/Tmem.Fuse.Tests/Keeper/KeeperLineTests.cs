using System.Text;
using Tmem.Fuse.Keeper;
using Xunit;

namespace Tmem.Fuse.Tests.Keeper;

/// <summary>The keeper's messages, and that writing them takes no managed memory.</summary>
public sealed class KeeperLineTests
{
    [Theory]
    [InlineData(9, 1, 1, "process 12 was killed by SIGKILL (the out-of-memory killer sends it too) after serving 61.007 s")]
    [InlineData(11, 1, 0, "process 12 was killed by SIGSEGV before it served")]
    [InlineData(10, 1, 0, "process 12 was killed by signal 10 before it served")]
    [InlineData(3, 0, 0, "process 12 ended by itself, exit code 3 before it served")]
    [InlineData(-1, 0, 1, "process 12 ended, how is not known (it was another keeper's child) after serving 61.007 s")]
    public void A_death_in_words(int number, int bySignal, int served, string words) =>
        Assert.Equal(words,
            DeathWords.Describe(new WorkerDeath
            {
                Process = 12, Number = number, BySignal = bySignal, HadServed = served, ServedMilliseconds = 61_007,
            }));

    [Fact]
    public void A_line_takes_no_managed_memory_and_never_more_than_its_room()
    {
        var mount = new string('m', 600);
        var death = new WorkerDeath { Process = 12, Number = 9, BySignal = 1 };
        var length = Say(mount, in death);
        var before = GC.GetAllocatedBytesForCurrentThread();
        for (var i = 0; i < 100; i++) length = Say(mount, in death);
        Assert.Equal(0, GC.GetAllocatedBytesForCurrentThread() - before);
        Assert.InRange(length, 600, KeeperLine.Room);
    }

    [Fact]
    public void What_does_not_fit_is_left_out()
    {
        var line = new KeeperLine(0, 0);
        line.AppendFormatted(Encoding.UTF8.GetBytes(new string('x', 2 * KeeperLine.Room)));
        line.AppendLiteral("more");
        line.AppendFormatted(7);
        Assert.Equal(KeeperLine.Room, line.Text.Length);
    }

    private static int Say(string mount, in WorkerDeath death)
    {
        KeeperLine line = $"{mount} is {"kept"u8} for {12345L} ms: ";
        DeathWords.AppendTo(ref line, in death);
        line.AppendFormatted(mount);
        return line.Text.Length;
    }
}
