using Tmem.Fuse.Abi;
using Tmem.Fuse.Daemon;
using Tmem.Fuse.Filesystem;
using Tmem.Fuse.Native;
using Xunit;
using static Tmem.Fuse.Tests.Crash.Requests;

namespace Tmem.Fuse.Tests.Crash;

/// <summary>How long answers are kept, and which requests leave none.</summary>
public sealed class AnswerTests : IDisposable
{
    private readonly CrashVolume _volume = new();

    public AnswerTests() => Carry(MakeDirectory("", "p"));

    public void Dispose()
    {
        _volume.AssertSound();
        _volume.Dispose();
    }

    private byte[] Carry(Request request, int thread = 0)
    {
        var message = request(_volume, _volume.NextUnique()).Build();
        Assert.Equal(Errno.Ok, _volume.Send(message, thread).Error);
        return message;
    }

    [Fact]
    public void What_every_thread_of_one_process_leaves_outlives_all_of_the_next()
    {
        var messages = new List<byte[]>();
        for (var process = 0; process < 2; process++)
        {
            for (var thread = 0; thread < Answers.MaximumThreads; thread++)
                messages.Add(Carry(MakeNode("p", $"{process}.{thread}"), thread));
            _volume.Reopen();
        }
        messages.Reverse();
        foreach (var message in messages) Assert.Equal(Errno.Ok, _volume.SendAgain(message, thread: 5).Error);
        Assert.Equal(2 * Answers.MaximumThreads, Snapshot.Children(_volume, _volume.Node("p")).Count);
    }

    [Fact]
    public void An_answer_given_again_is_kept_until_its_thread_goes_on()
    {
        var messages = new List<byte[]>();
        for (var process = 0; process < 2; process++)
        {
            for (var thread = 0; thread < Answers.MaximumThreads; thread++)
                messages.Add(Carry(MakeNode("p", $"{process}.{thread}"), thread));
            _volume.Reopen();
        }
        // The first slot of all, and the oldest: with every slot in use the next thread would take it if it were free.
        Assert.Equal(Errno.Ok, _volume.SendAgain(messages[0], thread: 9).Error);
        Carry(MakeNode("p", "f"), thread: 1);
        _volume.Reopen();
        Assert.Equal(Errno.Ok, _volume.SendAgain(messages[0]).Error);
    }

    [Fact]
    public void Slots_are_used_again_for_as_long_as_processes_come_and_go()
    {
        for (var process = 0; process < 10; process++)
        {
            for (var thread = 0; thread < Answers.MaximumThreads; thread++)
            {
                Carry(MakeNode("p", "f"), thread);
                var last = Carry(Unlink("p", "f"), thread);
                Assert.Equal(Errno.Ok, _volume.SendAgain(last, thread).Error);
            }
            _volume.Reopen();
        }
    }

    [Fact]
    public void A_request_without_the_mark_is_new()
    {
        var message = Carry(MakeNode("p", "f"));
        Assert.Equal(Errno.EEXIST, _volume.Send(message).Error);
    }

    [Fact]
    public void A_new_mount_knows_no_answers()
    {
        var message = Carry(MakeNode("p", "f"));
        _volume.Files.DropKernelReferences();
        Assert.Equal(Errno.EEXIST, _volume.SendAgain(message).Error);
    }

    [Fact]
    public void An_entry_is_described_as_it_is_now()
    {
        var message = Carry(MakeNode("p", "f"));
        Carry(Write("p/f", 0, new byte[100]), thread: 1);
        _volume.Reopen();
        Assert.Equal(100UL, _volume.SendAgain(message).As<FuseEntryOut>().Attr.Size);
    }

    /// <summary>
    /// A listing whose lookups were counted and whose entries have lost their names since: nothing stays behind.
    /// </summary>
    [Fact]
    public void Lookups_taken_back_may_end_an_inode()
    {
        Carry(MakeNode("p", "f"));
        Carry(Link("p/f", "p", "g"));
        var listing = Carry(List("p"), thread: 1);
        Carry(Forget(volume => volume.Node("p/f"), 2));
        Carry(Unlink("p", "f"));
        Carry(Unlink("p", "g"));
        _volume.Reopen();
        Assert.Equal(Errno.Ok, _volume.SendAgain(listing).Error);
        var inodes = 0;
        _volume.Records.ForEach(RecordKind.Inode, _ => inodes++);
        Assert.Equal(2, inodes);
    }

    /// <summary>Also when the repeated listing finds the directory empty and has nothing to remember.</summary>
    [Fact]
    public void Lookups_are_taken_back_once()
    {
        Carry(MakeDirectory("p", "d"));
        Carry(MakeDirectory("p", "e"));
        Carry(MakeNode("p/d", "f"));
        Carry(Link("p/d/f", "p/e", "g"));
        var listing = Carry(List("p/d"), thread: 1);
        Carry(Unlink("p/d", "f"));
        for (var i = 0; i < 3; i++)
        {
            _volume.Reopen();
            Assert.Equal(Errno.Ok, _volume.SendAgain(listing).Error);
        }
        Assert.Equal(2UL, _volume.Records.Get<InodeRecord>(new Engine.Records.RecordRef(_volume.Node("p/e/g"))).Lookups);
    }

    [Fact]
    public void A_message_of_forgets_is_repeated_only_as_far_as_it_is_not_done()
    {
        Carry(MakeNode("p", "f"));
        Carry(Lookup("p", "f"));
        Carry(Lookup("p", "f"));
        var message = Forget(volume => volume.Node("p/f"), 1)(_volume, _volume.NextUnique()).Build();
        for (var i = 0; i < 3; i++)
        {
            _volume.SendAgain(message);
            _volume.Reopen();
        }
        Assert.Contains("lookups 2", Snapshot.Of(_volume), StringComparison.Ordinal);
    }

    [Fact]
    public void What_is_carried_out_from_its_buffer_is_carried_out_once()
    {
        var message = MakeNode("p", "g")(_volume, _volume.NextUnique()).Build();
        _volume.Repeat(message);
        var once = Snapshot.Of(_volume);
        Assert.Contains("/p/g", once, StringComparison.Ordinal);
        // A kernel that can resends it as well.
        _volume.Repeat(message);
        _volume.SendAgain(message);
        Assert.Equal(once, Snapshot.Of(_volume));
    }

    [Fact]
    public void Lookups_allocate_nothing() => Assert.Equal(0, AllocatedBy(Lookup("p", "f"), s_forget));

    [Fact]
    public void Opens_allocate_nothing() => Assert.Equal(0, AllocatedBy(Open("p/f"), Release(volume => volume.Node("p/f"))));

    [Fact]
    public void Listings_allocate_nothing() => Assert.Equal(0, AllocatedBy(List("p"), s_forget));

    private static readonly Request s_forget = Forget(volume => volume.Node("p/f"), 1);

    /// <summary>
    /// The least of a few rounds: while the runtime still recompiles code, it counts the compiler's own allocations to this
    /// thread.
    /// </summary>
    private long AllocatedBy(Request request, Request undo)
    {
        Carry(MakeNode("p", "f"));
        var messages = new[] { request(_volume, 1000).Build(), undo(_volume, 1001).Build() };
        var least = long.MaxValue;
        for (var round = 0; round < 4; round++)
        {
            var before = GC.GetAllocatedBytesForCurrentThread();
            for (var i = 0; i < 20_000; i++)
                foreach (var message in messages) _volume.Dispatch(message);
            least = Math.Min(least, GC.GetAllocatedBytesForCurrentThread() - before);
        }
        return least;
    }

    [Fact]
    public void Every_thread_of_a_daemon_has_a_slot() => Assert.True(DaemonOptions.MaximumThreads <= Answers.MaximumThreads);
}
