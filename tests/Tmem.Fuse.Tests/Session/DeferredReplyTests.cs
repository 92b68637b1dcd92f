using System.Diagnostics;
using System.Globalization;
using Tmem.Fuse.Abi;
using Tmem.Fuse.Keeper;
using Tmem.Fuse.Native;
using Tmem.Fuse.Protocol;
using Tmem.Fuse.Session;
using Tmem.Fuse.Tests.Protocol;
using Xunit;

namespace Tmem.Fuse.Tests.Session;

/// <summary>
/// Deferred replies: where each goes, what a successor finds, and that none is lost. Socket pairs stand in for the kernel's
/// descriptors.
/// </summary>
public sealed class DeferredReplyTests : IDisposable
{
    private readonly RequestBuffers _requests = RequestBuffers.Create(out _);
    private readonly Bench _bench = new();
    private readonly List<FuseDevice> _devices = [];
    private readonly List<Link> _kernel = [];

    public DeferredReplyTests()
    {
        for (var i = 0; i < 2; i++)
        {
            Assert.Equal(Errno.Ok, Link.TryCreate(out var mine, out var theirs));
            _devices.Add(FuseDevice.Adopt(theirs.Descriptor));
            _kernel.Add(mine);
        }
    }

    public void Dispose()
    {
        foreach (var end in _kernel) end.Close();
        foreach (var device in _devices) device.Dispose();
        _ = Libc.close(_requests.Descriptor);
    }

    private DeferredReplies Make() => new(_requests.MapTable(), _devices, _bench.Dispatcher);

    private unsafe (ulong Unique, Errno Error, int Length) Received(int device)
    {
        var reply = stackalloc byte[128];
        var poll = new PollDescriptor { Descriptor = _kernel[device].Descriptor, Events = Libc.POLLIN };
        Assert.True(Libc.poll(&poll, 1, 20_000) > 0, "no answer came");
        var length = (int)Libc.read(_kernel[device].Descriptor, reply, 128);
        var header = *(FuseOutHeader*)reply;
        Assert.Equal((uint)length, header.Length);
        return (header.Unique, (Errno)(-header.Error), length);
    }

    /// <summary>The file and range that the kernel was told to invalidate: node, offset, length.</summary>
    private unsafe (ulong Node, long Offset, long Length) Told()
    {
        var message = stackalloc byte[128];
        var poll = new PollDescriptor { Descriptor = _kernel[0].Descriptor, Events = Libc.POLLIN };
        Assert.True(Libc.poll(&poll, 1, 20_000) > 0, "nothing was told");
        Assert.Equal(FuseProtocol.OutHeaderSize + sizeof(FuseNotifyInvalInodeOut),
            (int)Libc.read(_kernel[0].Descriptor, message, 128));
        Assert.Equal(0UL, ((FuseOutHeader*)message)->Unique);
        var told = *(FuseNotifyInvalInodeOut*)(message + FuseProtocol.OutHeaderSize);
        return (told.Ino, told.Off, told.Len);
    }

    private unsafe void NothingMore(int device)
    {
        var poll = new PollDescriptor { Descriptor = _kernel[device].Descriptor, Events = Libc.POLLIN };
        Assert.Equal(0, Libc.poll(&poll, 1, 0));
    }

    [Fact]
    public void Each_answer_leaves_through_its_descriptor_and_those_that_came_meanwhile_share_a_write()
    {
        using var disk = new SemaphoreSlim(0);
        using var begun = new SemaphoreSlim(0);
        var answers = new Queue<Errno>([Errno.Ok, Errno.ENOSPC]);
        _bench.Files.OnMakeDurable = () =>
        {
            begun.Release();
            disk.Wait(TestContext.Current.CancellationToken);
            return answers.Dequeue();
        };
        using var deferred = Make();
        deferred.Start();
        Assert.True(deferred.TryAdd(2, 1, Deferral.Durable));
        Assert.True(begun.Wait(20_000, TestContext.Current.CancellationToken));
        for (ulong unique = 4; unique <= 40; unique += 2)
            Assert.True(deferred.TryAdd(unique, (int)(unique / 2 % 2), Deferral.Durable));
        disk.Release();
        Assert.Equal((2UL, Errno.Ok, 16), Received(1));
        NothingMore(0);
        disk.Release();
        for (ulong unique = 4; unique <= 40; unique += 2)
            Assert.Equal((unique, Errno.ENOSPC, 16), Received((int)(unique / 2 % 2)));
    }

    [Fact]
    public void A_successor_answers_what_its_predecessor_owed()
    {
        using (var dead = Make())
        {
            Assert.True(dead.TryAdd(FuseProtocol.UniqueResend | 2, 0, Deferral.Durable));
            Assert.True(dead.TryAdd(4, 1, Deferral.Invalidated(new NodeId(7), 4096, 100)));
        }
        _bench.Files.OnMakeDurable = () => Errno.Ok;
        using var deferred = Make();
        // Death between noting a reply and marking its buffer done leaves it in both.
        Assert.True(deferred.TryAdd(4, 1, Deferral.Invalidated(new NodeId(7), 4096, 100)));
        deferred.Start();
        // The kernel is told first; the reply to the WRITE says how much it wrote. Another thread answers the fsync.
        Assert.Equal((4UL, Errno.Ok, 24), Received(1));
        var others = new[] { Received(0), Received(0) };
        Assert.Contains((FuseProtocol.UniqueResend | 2, Errno.Ok, 16), others);
        Assert.Contains(others, told => told.Length == 16 + 24);
        NothingMore(0);
        NothingMore(1);
    }

    [Fact]
    public void A_time_that_was_set_is_answered_with_the_attributes_when_the_kernel_has_let_go()
    {
        using var deferred = Make();
        deferred.Start();
        Assert.True(deferred.TryAdd(2, 1, Deferral.TimeSet(NodeId.Root)));
        // The kernel is told through the first descriptor, to invalidate all of the file; then comes the reply, through its own.
        Assert.Equal(16 + 24, Received(0).Length);
        Assert.Equal((2UL, Errno.Ok, 16 + 104), Received(1));
        NothingMore(0);
        NothingMore(1);
    }

    [Fact]
    public unsafe void The_kernel_is_told_of_names_that_are_gone()
    {
        _bench.Files.Gone.Enqueue((new NodeId(7), "gone"u8.ToArray()));
        using var deferred = Make();
        deferred.Start();
        var message = stackalloc byte[300];
        foreach (var name in new[] { "gone", new string('n', 255) })
        {
            var poll = new PollDescriptor { Descriptor = _kernel[0].Descriptor, Events = Libc.POLLIN };
            Assert.True(Libc.poll(&poll, 1, 20_000) > 0, "nothing was told");
            var length = (int)Libc.read(_kernel[0].Descriptor, message, 300);
            var header = *(FuseOutHeader*)message;
            Assert.Equal(((uint)length, 0UL, (int)FuseNotifyCode.InvalidateEntry), (header.Length, header.Unique, header.Error));
            var told = *(FuseNotifyInvalEntryOut*)(message + FuseProtocol.OutHeaderSize);
            Assert.Equal((7UL, (uint)name.Length, 0u), (told.Parent, told.NameLength, told.Flags));
            // With a NUL behind it.
            var head = FuseProtocol.OutHeaderSize + sizeof(FuseNotifyInvalEntryOut);
            Assert.Equal(global::System.Text.Encoding.ASCII.GetBytes(name + "\0"),
                new ReadOnlySpan<byte>(message, length)[head..].ToArray());
            if (name.Length > 4) break;
            lock (_bench.Files.Gone) _bench.Files.Gone.Enqueue((new NodeId(7), [.. Enumerable.Repeat((byte)'n', 255)]));
            _bench.Files.NamesLeft!();
        }
        NothingMore(1);
    }

    /// <summary>
    /// A removed file of which the kernel caches much: it is told to invalidate a part at a time, and a request that needs little
    /// meanwhile waits for one part at most.
    /// </summary>
    [Fact]
    public void The_last_of_a_large_file_is_let_go_of_in_steps_beside_which_others_are_answered()
    {
        const ulong part = 16 << 20;
        _bench.Files.Size = 3 * part;
        using var deferred = Make();
        Assert.True(deferred.TryAdd(2, 0, Deferral.Released(new NodeId(7))));
        Assert.True(deferred.TryAdd(4, 1, Deferral.Invalidated(new NodeId(8), 4096, 100)));
        Assert.True(deferred.TryAdd(6, 1, Deferral.AllInvalidated(new NodeId(9), 200)));
        deferred.Start();
        Assert.Equal([(7UL, 0L, (long)part), (8UL, 4096L, 100L), (9UL, 0L, (long)part), (7UL, (long)part, (long)part),
            (9UL, (long)part, (long)part), (7UL, 2 * (long)part, 0L)], Enumerable.Range(0, 6).Select(_ => Told()));
        // One without a body; the write of a range was answered long before.
        Assert.Equal((2UL, Errno.Ok, 16), Received(0));
        Assert.Equal((9UL, 2 * (long)part, 0L), Told());
        Assert.Equal((4UL, Errno.Ok, 24), Received(1));
        Assert.Equal((6UL, Errno.Ok, 24), Received(1));
        NothingMore(0);
        NothingMore(1);
    }

    [Fact]
    public void What_the_kernel_sends_again_is_forgotten()
    {
        using (var dead = Make()) Assert.True(dead.TryAdd(2, 0, Deferral.Durable));
        _bench.Files.OnMakeDurable = () => Errno.Ok;
        using var deferred = Make();
        deferred.Forget();
        deferred.Start();
        Assert.True(deferred.TryAdd(FuseProtocol.UniqueResend | 2, 1, Deferral.Durable));
        Assert.Equal((FuseProtocol.UniqueResend | 2, Errno.Ok, 16), Received(1));
        NothingMore(0);
    }

    [Fact]
    public void There_is_an_entry_for_every_thread_that_the_kernel_can_have_and_they_are_used_again()
    {
        using var table = _requests.MapTable();
        var threads = int.Parse(File.ReadAllText("/proc/sys/kernel/threads-max"), CultureInfo.InvariantCulture);
        Assert.True(table.Capacity >= Math.Min(threads, 4 << 20), $"{table.Capacity} entries for {threads} threads");
        for (var round = 0; round < 3; round++)
        {
            for (var number = 0; number < table.Capacity; number++)
                Assert.True(table.TryAdd((ulong)number * 2 + 2, 1, Deferral.Durable, out _));
            Assert.False(table.TryAdd(1UL << 40, 1, Deferral.Durable, out _));
            for (var entry = 0; entry < table.Capacity; entry++) table.Remove(entry);
        }
    }

    [Fact]
    public void A_full_table_is_said_once_and_the_caller_waits()
    {
        using var table = _requests.MapTable();
        for (var number = 0; number < table.Capacity; number++) table.TryAdd((ulong)number * 2 + 2, 0, Deferral.Durable, out _);
        _bench.Files.OnMakeDurable = () => Errno.EIO;
        using var deferred = Make();
        Assert.False(deferred.TryAdd(1UL << 40, 1, Deferral.Durable));
        Assert.Equal(Errno.EIO, deferred.Await(Deferral.Durable));
    }

    [Fact]
    public void A_table_takes_memory_as_it_is_used()
    {
        using var table = _requests.MapTable();
        using var stat = Process.Start(
            new ProcessStartInfo("stat", ["-L", "-c", "%b", $"/proc/{Environment.ProcessId}/fd/{_requests.Descriptor}"])
        {
            RedirectStandardOutput = true,
        })!;
        var kibibytes = long.Parse(stat.StandardOutput.ReadToEnd(), CultureInfo.InvariantCulture) / 2;
        Assert.InRange(kibibytes, 260, 264);
    }

    [Fact]
    public void To_note_and_to_answer_allocates_nothing()
    {
        _bench.Files.OnMakeDurable = () => Errno.Ok;
        using var deferred = Make();
        deferred.Start();
        var least = long.MaxValue;
        for (var round = 0; round < 4; round++)
        {
            var before = GC.GetAllocatedBytesForCurrentThread();
            for (ulong number = 1; number <= 200; number++)
            {
                deferred.TryAdd(number * 2, 0, Deferral.Durable);
                Take();
            }
            least = Math.Min(least, GC.GetAllocatedBytesForCurrentThread() - before);
        }
        Assert.Equal(0, least);
        unsafe void Take()
        {
            var reply = stackalloc byte[64];
            Libc.read(_kernel[0].Descriptor, reply, 64);
        }
    }
}
