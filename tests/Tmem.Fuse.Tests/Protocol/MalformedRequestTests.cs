using CsCheck;
using Tmem.Fuse.Abi;
using Tmem.Fuse.Native;
using Tmem.Fuse.Protocol;
using Xunit;

namespace Tmem.Fuse.Tests.Protocol;

/// <summary>Bad input is an errno, changes nothing, and leaves the dispatcher working.</summary>
public sealed class MalformedRequestTests
{
    private readonly Bench _bench = new();

    private void Refused(Errno expected, Message message) => Refused(expected, message.Build());

    private void Refused(Errno expected, byte[] message)
    {
        _bench.Files.Calls.Clear();
        var answer = _bench.Send(message);
        Assert.Equal((expected, 16, 2UL), (answer.Error, answer.Length, answer.Unique));
        Assert.Empty(_bench.Files.Calls);
        Assert.Empty(_bench.Faults);
    }

    public static TheoryData<uint> KnownWithArguments =>
        [.. OpcodeTable.Known().Where(o => OpcodeTable.Find(o) is { HasReply: true, MinimumArguments: > 0 })
            .Select(o => (uint)o)];

    public static TheoryData<uint> Unsupported =>
        [.. OpcodeTable.Known().Where(o => OpcodeTable.Find(o).Kind == OpcodeKind.Unsupported).Select(o => (uint)o), 0u, 7u, 19u,
            54u, 4096u, uint.MaxValue];

    [Theory]
    [MemberData(nameof(KnownWithArguments))]
    public void Every_operation_one_byte_short(uint opcode) =>
        Refused(Errno.EINVAL, new Message((FuseOpcode)opcode)
            .Bytes(new byte[OpcodeTable.Find((FuseOpcode)opcode).MinimumArguments - 1]));

    [Theory]
    [MemberData(nameof(Unsupported))]
    public void Unsupported_operations(uint opcode) =>
        Refused(Errno.ENOSYS, new Message((FuseOpcode)opcode).Bytes(new byte[100]));

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(39)]
    public void A_message_without_a_header_is_ignored_and_reported(int length)
    {
        Assert.True(_bench.Send(new Message(FuseOpcode.Statfs).Build()[..length]).IsSilent);
        Assert.Contains($"{length} bytes", Assert.Single(_bench.Faults), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(0u)]
    [InlineData(41u)]
    [InlineData(43u)]
    [InlineData(uint.MaxValue)]
    public void A_length_that_is_not_the_messages(uint length) =>
        Refused(Errno.EINVAL, new Message(FuseOpcode.Lookup) { Length = length }.Name("f"));

    [Theory]
    [InlineData("", Errno.EINVAL)]
    [InlineData("a/b", Errno.EINVAL)]
    [InlineData("/", Errno.EINVAL)]
    [InlineData(".", Errno.EINVAL)]
    [InlineData("..", Errno.EINVAL)]
    public void Bad_names(string name, object error)
    {
        var padding = new byte[8];
        Refused((Errno)error, new Message(FuseOpcode.Lookup).Name(name).Bytes(0));
        Refused((Errno)error, new Message(FuseOpcode.Mkdir).With(0u).With(0u).Name(name).Bytes(0));
        Refused((Errno)error, new Message(FuseOpcode.Mknod).With(default(FuseMknodIn)).Name(name).Bytes(0));
        Refused((Errno)error, new Message(FuseOpcode.Create).With(default(FuseCreateIn)).Name(name).Bytes(0));
        Refused((Errno)error, new Message(FuseOpcode.Symlink).Name(name).Name("target"));
        Refused((Errno)error, new Message(FuseOpcode.Link).With(2UL).Name(name).Bytes(0));
        Refused((Errno)error, new Message(FuseOpcode.Unlink).Name(name).Bytes(0));
        Refused((Errno)error, new Message(FuseOpcode.Rmdir).Name(name).Bytes(0));
        Refused((Errno)error, new Message(FuseOpcode.Rename).With(1UL).Name(name).Name("new"));
        Refused((Errno)error, new Message(FuseOpcode.Rename).With(1UL).Name("f").Name(name).Bytes(padding));
    }

    [Fact]
    public void Names_of_255_bytes_are_the_longest()
    {
        var longest = new string('x', 255);
        Assert.Equal(Errno.ENOENT, _bench.Send(new Message(FuseOpcode.Lookup).Name(longest)).Error);
        Refused(Errno.ENAMETOOLONG, new Message(FuseOpcode.Lookup).Name(longest + "x"));
        Refused(Errno.ENAMETOOLONG, new Message(FuseOpcode.Rename2).With(default(FuseRename2In)).Name("f").Name(longest + "x"));
        Refused(Errno.ERANGE, new Message(FuseOpcode.Getxattr, 2).With(0u).With(0u).Name(longest + "x"));
        Refused(Errno.ENAMETOOLONG, new Message(FuseOpcode.Symlink).Name("s").Name(new string('t', 4096)));
    }

    [Fact]
    public void Names_without_a_NUL()
    {
        Refused(Errno.EINVAL, new Message(FuseOpcode.Lookup).Bytes("name"u8.ToArray()));
        Refused(Errno.EINVAL, new Message(FuseOpcode.Rename).With(1UL).Name("f").Bytes("new"u8.ToArray()));
        Refused(Errno.EINVAL, new Message(FuseOpcode.Symlink).Name("s").Bytes("target"u8.ToArray()));
        Refused(Errno.EINVAL, new Message(FuseOpcode.Setxattr, 2).With(3u).With(0u).Bytes("user.a"u8.ToArray()));
    }

    [Theory]
    [InlineData(0u)]
    [InlineData(4u)]
    [InlineData(6u)]
    [InlineData(uint.MaxValue)]
    public void A_WRITE_whose_size_is_not_its_datas(uint size) =>
        Refused(Errno.EINVAL, new Message(FuseOpcode.Write, 2).With(new FuseWriteIn { Size = size }).Bytes("12345"u8.ToArray()));

    [Theory]
    [InlineData(1UL << 63, 4u)]
    [InlineData(ulong.MaxValue, 4u)]
    [InlineData(ulong.MaxValue >> 1, 4u)]
    public void Offsets_past_2_63(ulong offset, uint size)
    {
        Refused(Errno.EINVAL, new Message(FuseOpcode.Write, 2).With(new FuseWriteIn { Offset = offset, Size = size })
            .Bytes(new byte[size]));
        Refused(Errno.EINVAL, new Message(FuseOpcode.Read, 2).With(new FuseReadIn { Offset = offset, Size = size }));
        Refused(Errno.EINVAL, new Message(FuseOpcode.Fallocate, 2).With(new FuseFallocateIn { Offset = offset, Length = size }));
        Refused(Errno.EINVAL, new Message(FuseOpcode.Fallocate, 2).With(new FuseFallocateIn { Offset = size, Length = offset }));
    }

    [Fact]
    public void Arguments_out_of_range()
    {
        Refused(Errno.EINVAL, new Message(FuseOpcode.Read, 2).With(new FuseReadIn { Size = (1 << 20) + 1 }));
        Refused(Errno.EINVAL, new Message(FuseOpcode.Read, 2).With(new FuseReadIn { Size = uint.MaxValue }));
        Refused(Errno.EINVAL, new Message(FuseOpcode.Setattr, 2)
            .With(new FuseSetattrIn { Valid = FuseSetattrValid.Size, Size = 1UL << 63 }));
        Refused(Errno.ENXIO, new Message(FuseOpcode.Lseek, 2).With(new FuseLseekIn { Offset = 1UL << 63, Whence = 3 }));
        Refused(Errno.ENXIO, new Message(FuseOpcode.Lseek, 2).With(new FuseLseekIn { Offset = ulong.MaxValue, Whence = 4 }));
        Refused(Errno.EINVAL, new Message(FuseOpcode.Lseek, 2).With(new FuseLseekIn { Whence = 0 }));
        Refused(Errno.EINVAL, new Message(FuseOpcode.Fallocate, 2).With(new FuseFallocateIn { Length = 0 }));
        Refused(Errno.EOPNOTSUPP, new Message(FuseOpcode.Fallocate, 2).With(new FuseFallocateIn { Length = 1, Mode = 2 }));
        Refused(Errno.EOPNOTSUPP, new Message(FuseOpcode.Fallocate, 2).With(new FuseFallocateIn { Length = 1, Mode = 8 }));
        Refused(Errno.EINVAL, new Message(FuseOpcode.Access, 2).With(8u).With(0u));
        Refused(Errno.EINVAL, new Message(FuseOpcode.Rename2).With(new FuseRename2In { NewDir = 1, Flags = 3 }).Name("f")
            .Name("g"));
        Refused(Errno.EINVAL, new Message(FuseOpcode.Rename2).With(new FuseRename2In { NewDir = 1, Flags = 4 }).Name("f")
            .Name("g"));
        Refused(Errno.E2BIG, new Message(FuseOpcode.Setxattr, 2).With(65537u).With(0u).Name("user.a").Bytes(new byte[65537]));
        Refused(Errno.EINVAL, new Message(FuseOpcode.Setxattr, 2).With(6u).With(0u).Name("user.a").Bytes(new byte[5]));
    }

    [Fact]
    public void A_BATCH_FORGET_that_promises_more_than_it_holds_forgets_nothing()
    {
        Assert.True(_bench.Send(new Message(FuseOpcode.BatchForget).With(2u).With(0u).With(5UL).With(1UL)).IsSilent);
        Assert.True(_bench.Send(new Message(FuseOpcode.BatchForget).With(uint.MaxValue).With(0u).With(5UL).With(1UL)).IsSilent);
        Assert.Empty(_bench.Files.Calls);
        Assert.Equal(2, _bench.Faults.Count);
    }

    [Fact]
    public void Short_messages_without_an_answer_stay_without_one()
    {
        Assert.True(_bench.Send(new Message(FuseOpcode.Forget).Bytes(1, 2, 3)).IsSilent);
        Assert.True(_bench.Send(new Message(FuseOpcode.Interrupt)).IsSilent);
        Assert.Empty(_bench.Files.Calls);
    }

    [Fact]
    public void A_bug_in_the_file_system_is_EIO_and_one_line()
    {
        _bench.Files.Broken = true;
        var answer = _bench.Send(new Message(FuseOpcode.Getattr, 2).With(default(FuseGetattrIn)));
        Assert.Equal((Errno.EIO, 16), (answer.Error, answer.Length));
        var line = Assert.Single(_bench.Faults);
        Assert.Contains("GETATTR", line, StringComparison.Ordinal);
        Assert.Contains("seeded", line, StringComparison.Ordinal);
        Assert.DoesNotContain('\n', line);
        Assert.True(_bench.Send(new Message(FuseOpcode.Forget, 2).With(1UL)).IsSilent);
        _bench.Files.Broken = false;
        Assert.Equal(Errno.Ok, _bench.Send(new Message(FuseOpcode.Getattr, 2).With(default(FuseGetattrIn))).Error);
    }

    /// <summary>
    /// Calls by threads that answer later: nobody above them would catch an exception, and the process would end.
    /// </summary>
    [Fact]
    public void A_bug_that_a_thread_beside_the_requests_meets_is_one_line_too()
    {
        _bench.Files.Broken = true;
        Assert.Equal(0UL, _bench.Dispatcher.SizeOf(new NodeId(2)));
        Assert.Contains("seeded", Assert.Single(_bench.Faults), StringComparison.Ordinal);
    }

    [Fact]
    public void Random_messages_never_throw_and_never_write_past_the_reply()
    {
        const int room = 8192;
        const int guard = 4096;
        var bench = new Bench();
        bench.Files.Recording = false;
        var reply = new byte[room + guard];
        var opcode = Gen.Frequency((9, Gen.UInt[0, 60]), (1, Gen.UInt));
        var arguments = Gen.Frequency((2, Gen.Byte.Array[0, 120]),
            (1, Gen.Frequency((3, Gen.Const((byte)0)), (1, Gen.Byte)).Array[0, 400]));
        Gen.Select(opcode, Gen.ULong[0, 4], arguments, Gen.Bool).Sample((op, node, bytes, honest) =>
        {
            var message = new Message((FuseOpcode)op, node) { Length = honest ? null : 77 }.Bytes(bytes).Build();
            reply.AsSpan(room).Fill(0xa5);
            bench.Faults.Clear();
            var length = bench.Dispatcher.Dispatch(message, reply.AsSpan(0, room), 0, out _);
            return length is 0 or (>= 16 and <= room)
                && (length == 0) == !OpcodeTable.Find((FuseOpcode)op).HasReply
                && reply.AsSpan(room).IndexOfAnyExcept((byte)0xa5) < 0
                && !bench.Faults.Any(f => f.Contains("failed inside", StringComparison.Ordinal));
        }, iter: 200_000, threads: 1);
    }

    [Fact]
    public void Random_bytes_never_throw()
    {
        var bench = new Bench();
        bench.Files.Recording = false;
        var reply = new byte[8192];
        Gen.Byte.Array[0, 200].Sample(bytes => bench.Dispatcher.Dispatch(bytes, reply, 0, out _) is >= 0 and <= 8192,
            iter: 50_000, threads: 1);
    }
}
