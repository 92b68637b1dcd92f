using System.Diagnostics;
using System.Runtime.InteropServices;
using Tmem.Fuse.Abi;
using Tmem.Fuse.Mount;
using Tmem.Fuse.Native;
using Tmem.Fuse.Protocol;
using Tmem.Fuse.Session;
using Tmem.Fuse.Tests.Protocol;
using Xunit;

namespace Tmem.Fuse.Tests.Session;

/// <summary>
/// What a process finds in the buffers of a dead one, with the kernel's own requests: the test plays the dead one, which reads a
/// request and stops there, and its successor. The kernel is not asked to resend anything, as one before Linux 6.9 could not.
/// </summary>
public sealed class TakeoverTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("tmem-takeover-").FullName;
    private readonly RequestBuffers _buffers = RequestBuffers.Create(out _);
    private readonly MemoryFileSystem _files = new() { Recording = true };
    private readonly Mortal _handler;
    private readonly FuseConnection _connection;
    private readonly byte[] _reply = new byte[16 + (1 << 20)];

    public TakeoverTests()
    {
        if (!File.Exists(FuseDevice.Path)) Assert.Skip($"{FuseDevice.Path} is missing.");
        if (!Environment.IsPrivilegedProcess) Assert.Skip("Mounting needs root.");
        _handler = new Mortal(new Dispatcher<MemoryFileSystem>(_files, fault => Assert.Fail(fault), Tmemctl.Default));
        _connection = FuseConnection.Open(new MountWish(_folder), 3, Tmemctl.Default);
        Takeover.Begin(_buffers, 100);
        ServeUntil(0, FuseOpcode.Init);
        Answer(0);
    }

    public void Dispose()
    {
        // A client that still waits is released first.
        _ = Libc.umount2(_folder, 2);
        _connection.Close();
        Assert.Equal(0, Libc.close(_buffers.Descriptor));
        Directory.Delete(_folder);
    }

    [Fact]
    public async Task What_was_read_and_not_answered_is_answered_from_the_buffers()
    {
        var second = Client("exec 3> $M/f; printf x >&3");
        ServeUntil(2, FuseOpcode.Write);
        var first = Client("mkdir $M/a");
        ServeUntil(1, FuseOpcode.Mkdir);
        Assert.Equal(2, TakeOver(101));
        await Done(first);
        await Done(second);
        Assert.Equal(["mkdir 1 a", "write 2 77"],
            _files.Calls.Select(call => string.Join(' ', call.Split(' ').Take(3))).Where(call => call[0] is 'm' or 'w'));
        Assert.Equal(0, TakeOver(102));
    }

    [Fact]
    public async Task What_was_answered_and_not_marked_is_not_carried_out_again()
    {
        var client = Client("mkdir $M/a");
        ServeUntil(1, FuseOpcode.Mkdir);
        Answer(1, mark: false);
        await Done(client);
        _files.Calls.Clear();
        Assert.Equal(0, TakeOver(101));
        Assert.Empty(_files.Calls);
    }

    [Fact]
    public void Half_a_message_that_the_kernel_has_given_up_is_not_carried_out()
    {
        Leave(1, new Message(FuseOpcode.Unlink, unique: 123456).Name("f"));
        Assert.Equal(0, TakeOver(101));
        Assert.Empty(_files.Calls);
    }

    [Fact]
    public void Forgets_in_hand_are_finished_once()
    {
        Leave(1, new Message(FuseOpcode.Forget, 2).With(3UL));
        Leave(2, new Message(FuseOpcode.Interrupt, 2).With(4UL));
        TakeOver(101);
        Assert.Equal("forget 2 3", Assert.Single(_files.Calls));
        TakeOver(102);
        Assert.Single(_files.Calls);
    }

    [Fact]
    public async Task What_the_kernel_had_sent_again_is_answered_under_the_number_that_it_has_now()
    {
        var client = Client("mkdir $M/a");
        ServeUntil(1, FuseOpcode.Mkdir);
        if (_connection.Devices[0].ResendUnanswered() != Errno.Ok) Assert.Skip("This kernel cannot send a request again.");
        // Nobody waits under its old number any more.
        Assert.Equal(0, TakeOver(101));
        ServeUntil(2, FuseOpcode.Mkdir);
        using (var buffer = _buffers.Map(2))
            Assert.NotEqual(0UL, MemoryMarshal.Read<FuseInHeader>(buffer.Span).Unique & FuseProtocol.UniqueResend);
        Assert.Equal(1, TakeOver(102));
        await Done(client);
    }

    [Fact]
    public async Task What_waits_for_a_disk_waits_for_it_in_the_next_process_too()
    {
        var made = 0;
        _files.OnMakeDurable = () =>
        {
            made++;
            return Errno.Ok;
        };
        var client = Client("mkdir $M/a; sync $M/a");
        ServeUntil(1, FuseOpcode.Fsyncdir);
        Assert.Equal(1, TakeOver(101));
        await Done(client);
        Assert.Equal(1, made);
    }

    [Fact]
    public async Task Who_has_killed_two_workers_is_answered_EIO_and_who_was_in_hand_with_it_is_served()
    {
        var innocent = Client("exec 3> $M/f; printf x >&3");
        ServeUntil(2, FuseOpcode.Write);
        var killer = Client("mkdir $M/a 2>&1 || true");
        ServeUntil(1, FuseOpcode.Mkdir);
        _handler.KilledBy = FuseOpcode.Mkdir;
        Assert.Throws<Death>(() => TakeOver(101, _ => true));
        // The second death is attributed at once, the first one only now.
        var asked = 0;
        Assert.Equal(2, TakeOver(102, process => process == 101 || ++asked > 3 ? true : null));
        Assert.Contains("Input/output error", await Done(killer), StringComparison.Ordinal);
        await Done(innocent);
        Assert.DoesNotContain(_files.Calls, call => call.StartsWith("mkdir", StringComparison.Ordinal));
    }

    /// <summary>
    /// However often the process that serves it is killed from outside, and whether or not that can be detected.
    /// </summary>
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Who_was_in_hand_when_workers_were_killed_is_served(bool oneWasAFault)
    {
        var client = Client("mkdir $M/a");
        ServeUntil(1, FuseOpcode.Mkdir);
        _handler.KilledBy = FuseOpcode.Mkdir;
        for (var process = 101; process < 106; process++)
            Assert.Throws<Death>(() => TakeOver(process, dead => oneWasAFault && dead == 103));
        _handler.KilledBy = 0;
        Assert.Equal(1, TakeOver(106, dead => oneWasAFault && dead == 103));
        await Done(client);
    }

    [Fact]
    public void A_forget_that_has_killed_two_workers_is_left_out()
    {
        Leave(1, new Message(FuseOpcode.Forget, 2).With(3UL));
        _handler.KilledBy = FuseOpcode.Forget;
        Assert.Throws<Death>(() => TakeOver(101, _ => true));
        Assert.Equal(1, TakeOver(102, _ => true));
        Assert.Empty(_files.Calls);
    }

    [Fact]
    public void The_next_request_in_a_buffer_has_a_clean_note()
    {
        _handler.KilledBy = FuseOpcode.Forget;
        for (var process = 101; process < 110; process++)
        {
            Leave(1, new Message(FuseOpcode.Forget, 2, (ulong)process * 2).With(3UL));
            Assert.Throws<Death>(() => TakeOver(process, _ => true));
        }
    }

    /// <summary>
    /// The state of the thread that tells the kernel what to invalidate: a successor must not wait for it, because it waits for
    /// the successor.
    /// </summary>
    [Fact]
    public void A_thread_that_waits_for_an_answer_keeps_nobody_from_seeing_that_its_process_has_ended()
    {
        using var client = Process.Start(new ProcessStartInfo("stat", [Path.Combine(_folder, "f")])
        {
            RedirectStandardError = true, RedirectStandardOutput = true,
        })!;
        ServeUntil(1, FuseOpcode.Lookup);
        Assert.False(ProcessThreads.AllEnd(client.Id));
        client.Kill();
        Assert.False(client.WaitForExit(200));
        Assert.False(ProcessThreads.AllEnd(client.Id));
        Assert.True(ProcessThreads.AllEnd(client.Id, client.Id));
        Answer(1);
        Assert.True(client.WaitForExit(20_000));
    }

    private int TakeOver(int process, Func<int, bool?>? wasFault = null)
    {
        using var deferred = new DeferredReplies(_buffers.MapTable(), _connection.Devices, _handler);
        var takeover = new Takeover(_buffers, _connection.Devices, _handler, deferred, Tmemctl.Default, wasFault ?? (_ => false));
        takeover.Run(3, process);
        deferred.Start();
        using var table = _buffers.MapTable();
        for (var tries = 0; table.NextInUse(0) != DeferredReply.Nobody && tries < 500; tries++) Thread.Sleep(20);
        return takeover.Finished;
    }

    private void Leave(int thread, Message message)
    {
        using var buffer = _buffers.Map(thread);
        message.Build().CopyTo(buffer.Span);
    }

    /// <summary>Serves through one descriptor until it has read a request of this kind, which stays in the buffer.</summary>
    private unsafe void ServeUntil(int thread, FuseOpcode opcode)
    {
        using var buffer = _buffers.Map(thread);
        while (true)
        {
            var poll = new PollDescriptor { Descriptor = _connection.Devices[thread].Descriptor, Events = Libc.POLLIN };
            Assert.True(Libc.poll(&poll, 1, 20_000) > 0, $"no {opcode} came");
            if (_connection.Devices[thread].Read(buffer.Span, out _) != Errno.Ok) continue;
            if (MemoryMarshal.Read<FuseInHeader>(buffer.Span).Opcode == opcode) return;
            Answer(thread);
        }
    }

    private void Answer(int thread, bool mark = true)
    {
        using var buffer = _buffers.Map(thread);
        var message = buffer.Span[..(int)MemoryMarshal.Read<FuseInHeader>(buffer.Span).Length];
        var length = _handler.Dispatch(message, _reply, thread, out _);
        if (length > 0) _connection.Devices[thread].Reply(_reply.AsSpan(0, length), message);
        if (mark) RequestBuffers.MarkDone(buffer.Span);
    }

    private Task<string> Client(string script) => Task.Factory.StartNew(() =>
    {
        using var shell = Process.Start(new ProcessStartInfo("timeout", ["60", "sh", "-ec", script])
        {
            RedirectStandardOutput = true, RedirectStandardError = true, Environment = { ["M"] = _folder },
        })!;
        var error = shell.StandardError.ReadToEndAsync(TestContext.Current.CancellationToken);
        var output = shell.StandardOutput.ReadToEnd();
        shell.WaitForExit();
        Assert.True(shell.ExitCode == 0, $"exit {shell.ExitCode}: {error.Result}");
        return output;
    }, TaskCreationOptions.LongRunning);

    /// <summary>Serves a client's other requests until it has ended.</summary>
    private async Task<string> Done(Task<string> client)
    {
        using var buffer = _buffers.Map(0);
        for (var watch = Stopwatch.StartNew(); !client.IsCompleted && watch.Elapsed.TotalSeconds < 20;)
        {
            if (_connection.Devices[0].Read(buffer.Span, out _) == Errno.Ok) Answer(0);
            else await Task.Delay(5);
        }
        return await client.WaitAsync(TimeSpan.FromSeconds(1));
    }

    private sealed class Death : Exception;

    /// <summary>A process that dies of one kind of request.</summary>
    private sealed class Mortal(IRequestHandler handler) : IRequestHandler
    {
        public FuseOpcode KilledBy { get; set; }

        public int Dispatch(ReadOnlySpan<byte> request, Span<byte> reply, int thread, out Deferral deferral) =>
            handler.Dispatch(request, reply, thread, out deferral);

        public int Repeat(ReadOnlySpan<byte> request, Span<byte> reply, int thread, out Deferral deferral) =>
            MemoryMarshal.Read<FuseInHeader>(request).Opcode == KilledBy ? throw new Death()
                : handler.Repeat(request, reply, thread, out deferral);

        public Errno MakeDurable() => handler.MakeDurable();

        public Action? WorkLeft { set => handler.WorkLeft = value; }

        public Action? NamesLeft { set => handler.NamesLeft = value; }

        public bool TryTakeName(Span<byte> name, out NodeId directory, out int length) =>
            handler.TryTakeName(name, out directory, out length);

        public bool DropSome() => handler.DropSome();

        public bool DropSome(in Deferral deferral) => handler.DropSome(in deferral);

        public ulong SizeOf(NodeId node) => handler.SizeOf(node);

        public Errno Conclude(in Deferral deferral, Span<byte> body, out int length) =>
            handler.Conclude(in deferral, body, out length);

        public bool MayTakeLong(ReadOnlySpan<byte> request) => handler.MayTakeLong(request);
    }
}
