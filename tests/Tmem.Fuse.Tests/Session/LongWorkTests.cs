using Tmem.Engine;
using Tmem.Fuse.Abi;
using Tmem.Fuse.Filesystem;
using Tmem.Fuse.Keeper;
using Tmem.Fuse.Native;
using Tmem.Fuse.Protocol;
using Tmem.Fuse.Session;
using Tmem.Fuse.Tests.Crash;
using Tmem.Fuse.Tests.Filesystem;
using Tmem.Fuse.Tests.Protocol;
using Xunit;
using Answer = Tmem.Fuse.Tests.Protocol.Answer;

namespace Tmem.Fuse.Tests.Session;

/// <summary>
/// Work that any user may make long holds no session thread: a request does a bounded part of it, and a separate thread drops the
/// rest in steps. Steps are counted, not timed. A socket pair stands in for the kernel's descriptor.
/// </summary>
public sealed class LongWorkTests : IDisposable
{
    private const int Page = TestVolume.Page;
    private const int Many = 12_000;
    /// <summary>More than a request drops, and fewer than a file of <see cref="Many"/> pages holds.</summary>
    private const int FewSteps = 8;

    private readonly TestVolume _volume = new(256 * TestVolume.Mebi);
    private readonly RequestBuffers _requests = RequestBuffers.Create(out _);
    private readonly List<string> _faults = [];
    private readonly Dispatcher<TmemFileSystem> _dispatcher;
    private readonly FuseDevice _device;
    private readonly Link _kernel;
    private readonly byte[] _reply = new byte[16 + (1 << 20)];
    private readonly NodeId _pool;
    private int _steps;

    public LongWorkTests()
    {
        Assert.Equal(Errno.Ok, Link.TryCreate(out _kernel, out var theirs));
        _device = FuseDevice.Adopt(theirs.Descriptor);
        _dispatcher = new Dispatcher<TmemFileSystem>(_volume.Files, _faults.Add, Tmemctl.Default);
        _pool = _volume.Pool();
    }

    public void Dispose()
    {
        _kernel.Close();
        _device.Dispose();
        _ = Libc.close(_requests.Descriptor);
        _volume.Dispose();
        Assert.Empty(_faults);
    }

    private DeferredReplies Make() => new(_requests.MapTable(), [_device], _dispatcher);

    private NodeId Dense(string name, int pages = Many)
    {
        var file = _volume.File(_pool, name);
        var part = new byte[1 << 20];
        part.AsSpan().Fill(7);
        for (var at = 0; at < pages * Page; at += part.Length)
            _volume.Write(file, (ulong)at, part.AsSpan(0, Math.Min(part.Length, pages * Page - at)));
        return file;
    }

    /// <summary>Sends a request; it may do few steps.</summary>
    private (Errno Error, Deferral Deferral) Send(Message message)
    {
        var before = Volatile.Read(ref _steps);
        var length = _dispatcher.Dispatch(message.Build(), _reply, 0, out var deferral);
        Assert.InRange(_steps - before, 0, FewSteps);
        return (length == 0 ? Errno.Ok : (Errno)(-System.Runtime.InteropServices.MemoryMarshal.Read<FuseOutHeader>(_reply).Error),
            deferral);
    }

    private static Message Truncation(NodeId file, ulong unique, ulong size = 0) =>
        new Message(FuseOpcode.Setattr, file.Value, unique)
        .With(new FuseSetattrIn { Valid = FuseSetattrValid.Size, Size = size });

    private static Message Hole(NodeId file, ulong unique, ulong from, ulong end) =>
        new Message(FuseOpcode.Fallocate, file.Value, unique)
        .With(new FuseFallocateIn { Offset = from, Length = end - from, Mode = 3 });

    private static Message Forget(NodeId file) =>
        new Message(FuseOpcode.Forget, file.Value, 1000).With(new FuseForgetIn { Nlookup = 1 });

    private unsafe Answer Received()
    {
        var reply = stackalloc byte[256];
        var poll = new PollDescriptor { Descriptor = _kernel.Descriptor, Events = Libc.POLLIN };
        Assert.True(Libc.poll(&poll, 1, 20_000) > 0, "no answer came");
        var length = (int)Libc.read(_kernel.Descriptor, reply, 256);
        var header = *(FuseOutHeader*)reply;
        Assert.Equal((uint)length, header.Length);
        return new Answer(length, (Errno)(-header.Error), header.Unique, new Span<byte>(reply + 16, length - 16).ToArray());
    }

    [Fact]
    public void More_truncations_than_threads_leave_others_served_and_a_small_one_waits_for_no_large_one()
    {
        var files = Enumerable.Range(0, 6).Select(i => Dense($"f{i}", i == 5 ? 5000 : Many)).ToArray();
        var other = _volume.File(_pool, "other", "hello"u8);
        using var deferred = Make();
        _volume.Files.BeforeStep = () => Interlocked.Increment(ref _steps);
        for (var i = 0; i < files.Length; i++)
        {
            var (error, deferral) = Send(Truncation(files[i], (ulong)i * 2 + 2, 5));
            Assert.Equal((Errno.Ok, Deferral.Truncated(files[i])), (error, deferral));
            Assert.True(deferred.TryAdd((ulong)i * 2 + 2, 0, in deferral));
        }
        Assert.Equal((Errno.Ok, default), Send(new Message(FuseOpcode.Read, other.Value, 50).With(new FuseReadIn { Size = 5 })));
        Assert.Equal("hello"u8.ToArray(), _reply[16..21]);
        deferred.Start();
        var order = new List<ulong>();
        for (var i = 0; i < files.Length; i++)
        {
            var answer = Received();
            Assert.Equal(Errno.Ok, answer.Error);
            order.Add(answer.Unique);
            var file = files[answer.Unique / 2 - 1];
            Assert.Equal(file.Value, answer.As<FuseAttrOut>().Attr.Ino);
            // The state of now, not of when it was noted.
            Assert.Equal((5UL, 8UL), (answer.As<FuseAttrOut>().Attr.Size, answer.As<FuseAttrOut>().Attr.Blocks));
        }
        Assert.Equal(12UL, order[0]);
        Assert.Equal<IEnumerable<ulong>>([2UL, 4, 6, 8, 10, 12], order.Order());
        deferred.Stop();
        _volume.AssertSound();
        foreach (var file in files)
        {
            Assert.Equal(Errno.Ok, _volume.Truncate(file, 2 * Page));
            Assert.False(_volume.Read(file, 5, 2 * Page).AsSpan().ContainsAnyExcept((byte)0));
        }
    }

    [Fact]
    public void A_hole_is_answered_when_its_pages_are_gone_and_its_edges_are_cleared_before()
    {
        var file = Dense("f");
        const ulong from = Page + 5, end = (ulong)(Many - 1) * Page + 9;
        using var deferred = Make();
        deferred.Start();
        _volume.Files.BeforeStep = () => Interlocked.Increment(ref _steps);
        var (error, deferral) = Send(Hole(file, 2, from, end));
        Assert.Equal((Errno.Ok, DeferralKind.Punched), (error, deferral.Kind));
        Assert.True(deferred.TryAdd(2, 0, in deferral));
        var answer = Received();
        Assert.Equal((2UL, Errno.Ok, 16), (answer.Unique, answer.Error, answer.Length));
        var data = _volume.Read(file, 0, Many * Page);
        Assert.Equal(Many * Page, data.Length);
        Assert.False(data.AsSpan(0, (int)from).ContainsAnyExcept((byte)7));
        Assert.False(data.AsSpan((int)from..(int)end).ContainsAnyExcept((byte)0));
        Assert.False(data.AsSpan((int)end).ContainsAnyExcept((byte)7));
        Assert.Equal(3UL * 8, _volume.Attributes(file).Blocks);
    }

    /// <summary>O_CREAT | O_TRUNC of a name that came to exist between the kernel's lookup and its CREATE.</summary>
    [Fact]
    public void A_large_file_is_not_emptied_by_who_meant_to_make_it()
    {
        Dense("f");
        _volume.Files.BeforeStep = () => Interlocked.Increment(ref _steps);
        var create = new Message(FuseOpcode.Create, _pool.Value, 2)
            .With(new FuseCreateIn { Flags = Requests.Truncate, Mode = 0x81A4 }).Name("f");
        Assert.Equal((Errno.ESTALE, default), Send(create));
        Assert.Equal(0, _steps);
    }

    [Fact]
    public void A_file_that_the_kernel_forgets_is_dropped_by_another_thread_and_its_room_counts_as_free()
    {
        using var store = new TestVolume(8 * TestVolume.Mebi);
        var dispatcher = new Dispatcher<TmemFileSystem>(store.Files, _faults.Add, Tmemctl.Default);
        var woken = 0;
        dispatcher.WorkLeft = () => woken++;
        var pool = store.Pool();
        var files = new List<NodeId>();
        var random = new Random(3);
        var page = new byte[Page];
        var errno = Errno.Ok;
        for (var number = 0; errno == Errno.Ok; number++)
        {
            files.Add(store.File(pool, $"f{number}"));
            for (var at = 0; at < 600 && errno == Errno.Ok; at++)
            {
                random.NextBytes(page);
                errno = store.TryWrite(files[^1], (ulong)at * Page, page, out _);
            }
        }
        Assert.Equal(Errno.ENOSPC, errno);
        Assert.InRange(files.Count, 3, 100);
        store.Files.BeforeStep = () => _steps++;
        for (var number = 0; number < 2; number++)
        {
            Assert.Equal(Errno.Ok, store.Unlink(pool, $"f{number}"));
            Assert.Equal(0, dispatcher.Dispatch(Forget(files[number]).Build(), _reply, 0, out _));
        }
        Assert.Equal((2, 0), (woken, _steps));
        Assert.Equal(Errno.ESTALE, store.Files.GetAttributes(files[0], out _));
        Assert.Empty(store.Files.Verify());
        // The thread that made room gets it, whichever thread drops the pages.
        for (var at = 600; at < 1100; at++)
        {
            random.NextBytes(page);
            store.Write(files[2], (ulong)at * Page, page);
        }
        Assert.InRange(_steps, 1, 10);
        while (dispatcher.DropSome()) { }
        Assert.Empty(store.Files.Verify());
        Assert.False(store.Files.DropSome());
        store.Attach();
        store.AssertSound();
    }

    /// <summary>The room of a dead file counts as free for a reserve while its pages are still being dropped.</summary>
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Room_that_a_dead_file_still_has_can_be_reserved(bool later)
    {
        const long reserve = 20L << 20;
        using var store = new TestVolume(32 * TestVolume.Mebi);
        var pool = store.Pool();
        var file = store.File(pool, "f");
        var page = new byte[Page];
        var random = new Random(1);
        for (var at = 0; at < 5000; at++)
        {
            random.NextBytes(page);
            store.Write(file, (ulong)at * Page, page);
        }
        store.Files.WorkLeft = () => { };
        Assert.Equal(Errno.Ok, store.Unlink(pool, "f"));
        store.Files.Forget(TestVolume.Root, file, 1000);
        if (later)
        {
            store.Pool("q");
            Assert.Equal(Errno.Ok, store.Files.ChangePool("q", new PoolChange(Reserve: reserve)));
        }
        else
        {
            var options = new PoolOptions(PoolFlags.Persistent, ReserveBytes: reserve);
            Assert.Equal(Errno.Ok, store.Files.CreatePool("q", in options, 0x1C0, out _));
        }
        Assert.Empty(store.Files.Verify());
    }

    [Fact]
    public void A_dead_file_is_gone_whatever_step_of_dropping_it_was_the_last_of_its_process()
    {
        for (var kill = 0; ; kill++)
        {
            Assert.InRange(kill, 0, 10);
            using var volume = new TestVolume(64 * TestVolume.Mebi);
            var pool = volume.Pool();
            NodeId[] files = [volume.File(pool, "a"), volume.File(pool, "b")];
            foreach (var file in files) volume.Write(file, 0, new byte[2000 * Page].Select(_ => (byte)1).ToArray());
            volume.Files.WorkLeft = () => { };
            foreach (var (name, file) in new[] { "a", "b" }.Zip(files))
            {
                Assert.Equal(Errno.Ok, volume.Unlink(pool, name));
                volume.Files.Forget(TestVolume.Root, file, 1);
            }
            var step = 0;
            var isKilled = false;
            volume.Files.BeforeStep = () => { if (step++ == kill) throw new Killed(); };
            try
            {
                while (volume.Files.DropSome()) { }
            }
            catch (Killed)
            {
                isKilled = true;
            }
            volume.Attach();
            volume.AssertSound();
            while (volume.Files.DropSome()) { }
            volume.AssertSound();
            Assert.Equal(TmemStatus.Ok, volume.Client.PoolInfo(volume.Client.Pools().Single(), out var info));
            Assert.Equal(0, info!.Statistics.Pages);
            if (!isKilled) break;
        }
    }

    [Fact]
    public void Steps_allocate_nothing()
    {
        _volume.Files.WorkLeft = () => { };
        var files = Enumerable.Range(0, 8).Select(i => Dense($"f{i}", 7000)).ToArray();
        var least = long.MaxValue;
        for (var i = 0; i < 4; i++)
        {
            var truncation = Truncation(files[2 * i], 2).Build();
            var forget = Forget(files[2 * i + 1]).Build();
            Assert.Equal(Errno.Ok, _volume.Unlink(_pool, $"f{2 * i + 1}"));
            var before = GC.GetAllocatedBytesForCurrentThread();
            _dispatcher.Dispatch(truncation, _reply, 0, out var deferral);
            while (_dispatcher.DropSome(in deferral)) { }
            var error = _dispatcher.Conclude(in deferral, _reply, out _);
            _dispatcher.Dispatch(forget, _reply, 0, out _);
            while (_dispatcher.DropSome()) { }
            least = Math.Min(least, GC.GetAllocatedBytesForCurrentThread() - before);
            Assert.Equal((Errno.Ok, DeferralKind.Truncated), (error, deferral.Kind));
        }
        Assert.Equal(0, least);
    }
}
