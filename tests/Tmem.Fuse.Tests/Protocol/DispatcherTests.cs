using System.Runtime.InteropServices;
using System.Text;
using Tmem.Fuse.Abi;
using Tmem.Fuse.Native;
using Xunit;

namespace Tmem.Fuse.Tests.Protocol;

/// <summary>Each operation: the call that the file system gets, and the contents of the reply.</summary>
public sealed class DispatcherTests
{
    private readonly Bench _bench = new();

    private Answer Ok(Message message, string call)
    {
        var answer = _bench.Send(message);
        Assert.Equal((Errno.Ok, 2UL), (answer.Error, answer.Unique));
        Assert.Equal(call, _bench.LastCall);
        return answer;
    }

    [Fact]
    public void Lookup()
    {
        var entry = Ok(new Message(FuseOpcode.Lookup).Name("f"), "lookup 1 f").As<FuseEntryOut>();
        Assert.Equal((2UL, 5UL), (entry.NodeId, entry.Attr.Size));
        var miss = _bench.Send(new Message(FuseOpcode.Lookup).Name("g"));
        Assert.Equal((Errno.ENOENT, 16), (miss.Error, miss.Length));
    }

    [Fact]
    public void Unique_is_echoed_with_the_resend_bit() =>
        Assert.Equal(FuseProtocol.UniqueResend | 8,
            _bench.Send(new Message(FuseOpcode.Statfs, unique: FuseProtocol.UniqueResend | 8)).Unique);

    [Fact]
    public void Messages_without_an_answer()
    {
        Assert.True(_bench.Send(new Message(FuseOpcode.Forget, 2).With(3UL)).IsSilent);
        Assert.Equal("forget 2 3", _bench.LastCall);
        _bench.Files.Calls.Clear();
        Assert.True(_bench.Send(new Message(FuseOpcode.BatchForget, 0).With(2u).With(0u).With(5UL).With(1UL).With(6UL)
            .With(2UL)).IsSilent);
        Assert.Equal(["forget 5 1", "forget 6 2"], _bench.Files.Calls);
        Assert.True(_bench.Send(new Message(FuseOpcode.Interrupt).With(8UL)).IsSilent);
        Assert.True(_bench.Send(new Message(FuseOpcode.NotifyReply)).IsSilent);
        Assert.Empty(_bench.Faults);
    }

    [Fact]
    public void Attributes()
    {
        Assert.Equal(5UL, Ok(new Message(FuseOpcode.Getattr, 2).With(default(FuseGetattrIn)), "getattr 2")
            .As<FuseAttrOut>().Attr.Size);
        var change = new FuseSetattrIn { Valid = FuseSetattrValid.Size | FuseSetattrValid.Mode, Size = 3, Mode = 0x180 };
        var after = Ok(new Message(FuseOpcode.Setattr, 2).With(change), "setattr 2 Mode, Size 3").As<FuseAttrOut>().Attr;
        Assert.Equal((3UL, 0x8180u), (after.Size, after.Mode));
        Assert.Empty(Ok(new Message(FuseOpcode.Access, 2).With(4u).With(0u), "access 2 4 by 5:6:7").Body);
        Assert.Equal(80, Ok(new Message(FuseOpcode.Statfs), "statfs 1").Body.Length);
    }

    [Fact]
    public void Creations()
    {
        Assert.Equal(128, Ok(new Message(FuseOpcode.Mknod).With(0x81a4u).With(9u).With(0u).With(0u).Name("n"),
            "mknod 1 n 33188 9").Body.Length);
        Assert.Equal(128, Ok(new Message(FuseOpcode.Mkdir).With(0x1edu).With(0u).Name("d"), "mkdir 1 d 493").Body.Length);
        Assert.Equal(128, Ok(new Message(FuseOpcode.Symlink).Name("s").Name("to/where"), "symlink 1 s to/where").Body.Length);
        Assert.Equal("to/where", Encoding.ASCII.GetString(Ok(new Message(FuseOpcode.Readlink, 5), "readlink 5").Body));
        Assert.Equal(2UL, Ok(new Message(FuseOpcode.Link).With(2UL).Name("l"), "link 2 1 l").As<FuseEntryOut>().NodeId);
        var created = Ok(new Message(FuseOpcode.Create).With(2u).With(0x81a4u).With(0u).With(1u).Name("c"),
            "create 1 c 2 33188 1");
        Assert.Equal((144, 77UL, FuseOpenFlags.KeepCache),
            (created.Body.Length, created.As<FuseOpenOut>(128).Fh, created.As<FuseOpenOut>(128).OpenFlags));
        Assert.Equal(Errno.EEXIST, _bench.Send(new Message(FuseOpcode.Mkdir).With(0x1edu).With(0u).Name("d")).Error);
    }

    [Fact]
    public void Removals_and_renames()
    {
        Ok(new Message(FuseOpcode.Rename).With(1UL).Name("f").Name("g"), "rename 1 f 1 g 0");
        Ok(new Message(FuseOpcode.Rename2).With(1UL).With(1u).With(0u).Name("g").Name("h"), "rename 1 g 1 h 1");
        Ok(new Message(FuseOpcode.Unlink).Name("h"), "unlink 1 h");
        Assert.Equal(Errno.ENOENT, _bench.Send(new Message(FuseOpcode.Rmdir).Name("h")).Error);
        Assert.Equal("rmdir 1 h", _bench.LastCall);
    }

    [Fact]
    public void Open_read_write_and_the_rest_of_an_open_file()
    {
        Assert.Equal(77UL, Ok(new Message(FuseOpcode.Open, 2).With(2u).With(1u), "open 2 2 1").As<FuseOpenOut>().Fh);
        var write = new FuseWriteIn { Fh = 77, Offset = 5, Size = 6, WriteFlags = 4 };
        Assert.Equal(6u, Ok(new Message(FuseOpcode.Write, 2).With(write).Bytes(" world"u8.ToArray()), "write 2 77 5 6 4")
            .As<FuseWriteOut>().Size);
        var read = Ok(new Message(FuseOpcode.Read, 2).With(new FuseReadIn { Fh = 77, Offset = 1, Size = 4096 }),
            "read 2 77 1 4096");
        Assert.Equal("ello world", Encoding.ASCII.GetString(read.Body));
        Ok(new Message(FuseOpcode.Flush, 2).With(new FuseFlushIn { Fh = 77 }), "flush 2 77");
        Ok(new Message(FuseOpcode.Fsync, 2).With(new FuseFsyncIn { Fh = 77, FsyncFlags = 1 }), "sync 2 77 True");
        Ok(new Message(FuseOpcode.Fallocate, 2).With(new FuseFallocateIn { Fh = 77, Offset = 4096, Length = 8192, Mode = 3 }),
            "fallocate 2 77 4096 8192 3");
        Assert.Equal(9UL, Ok(new Message(FuseOpcode.Lseek, 2).With(new FuseLseekIn { Fh = 77, Offset = 9, Whence = 4 }),
            "seek 2 77 9 4").As<FuseLseekOut>().Offset);
        Ok(new Message(FuseOpcode.Release, 2).With(new FuseReleaseIn { Fh = 77 }), "release 2 77");
    }

    [Fact]
    public void A_full_MiB_is_read_and_written_in_one_request()
    {
        var data = new byte[1 << 20];
        Random.Shared.NextBytes(data);
        Assert.Equal(Errno.Ok,
            _bench.Send(new Message(FuseOpcode.Write, 2).With(new FuseWriteIn { Size = 1 << 20 }).Bytes(data)).Error);
        Assert.Equal(data, _bench.Send(new Message(FuseOpcode.Read, 2).With(new FuseReadIn { Size = 1 << 20 })).Body);
    }

    [Fact]
    public void Directories()
    {
        Assert.Equal(78UL, Ok(new Message(FuseOpcode.Opendir).With(0u).With(0u), "opendir 1 0").As<FuseOpenOut>().Fh);
        _bench.Send(new Message(FuseOpcode.Mkdir).With(0x1edu).With(0u).Name("longer name"));
        var plain = Ok(new Message(FuseOpcode.Readdir).With(new FuseReadIn { Fh = 78, Size = 4096 }), "readdir 1 78 0 False");
        Assert.Equal([("f", 2UL), ("longer name", 3UL)], Names(plain.Body, 0));
        var plus = Ok(new Message(FuseOpcode.Readdirplus).With(new FuseReadIn { Fh = 78, Size = 4096 }), "readdir 1 78 0 True");
        Assert.Equal([("f", 2UL), ("longer name", 3UL)], Names(plus.Body, 128));
        Assert.Equal(2UL, plus.As<FuseEntryOut>().NodeId);
        // Room for one: the next call, with the first one's cookie, gets the second.
        Assert.Equal([("f", 2UL)],
            Names(_bench.Send(new Message(FuseOpcode.Readdir).With(new FuseReadIn { Fh = 78, Size = 40 })).Body, 0));
        Assert.Equal([("longer name", 3UL)],
            Names(_bench.Send(new Message(FuseOpcode.Readdir).With(new FuseReadIn { Fh = 78, Offset = 1, Size = 40 })).Body, 0));
        Ok(new Message(FuseOpcode.Fsyncdir).With(new FuseFsyncIn { Fh = 78 }), "sync 1 78 False");
        Ok(new Message(FuseOpcode.Releasedir).With(new FuseReleaseIn { Fh = 78 }), "releasedir 1 78");
    }

    [Fact]
    public void Extended_attributes()
    {
        Ok(new Message(FuseOpcode.Setxattr, 2).With(5u).With(1u).Name("user.a/b").Bytes("value"u8.ToArray()),
            "setxattr 2 user.a/b value 1");
        var size = Ok(new Message(FuseOpcode.Getxattr, 2).With(0u).With(0u).Name("user.a/b"), "getxattr 2 user.a/b 0");
        Assert.Equal((8, 5u), (size.Body.Length, size.As<FuseGetxattrOut>().Size));
        Assert.Equal("value"u8.ToArray(),
            Ok(new Message(FuseOpcode.Getxattr, 2).With(64u).With(0u).Name("user.a/b"), "getxattr 2 user.a/b 64").Body);
        Assert.Equal(Errno.ERANGE, _bench.Send(new Message(FuseOpcode.Getxattr, 2).With(4u).With(0u).Name("user.a/b")).Error);
        Assert.Equal(9u, Ok(new Message(FuseOpcode.Listxattr, 2).With(0u).With(0u), "listxattr 2 0").As<FuseGetxattrOut>().Size);
        Assert.Equal("user.a/b\0"u8.ToArray(),
            Ok(new Message(FuseOpcode.Listxattr, 2).With(64u).With(0u), "listxattr 2 64").Body);
        Ok(new Message(FuseOpcode.Removexattr, 2).Name("user.a/b"), "removexattr 2 user.a/b");
        Assert.Equal(Errno.ENODATA, _bench.Send(new Message(FuseOpcode.Removexattr, 2).Name("user.a/b")).Error);
    }

    [Fact]
    public void What_may_take_long_is_known_before_it_is_done()
    {
        bool Long(Message message) => _bench.Dispatcher.MayTakeLong(message.Build());
        Assert.False(Long(new Message(FuseOpcode.Read, 2).With(new FuseReadIn { Size = 4096 })));
        Assert.True(Long(new Message(FuseOpcode.Read, 2).With(new FuseReadIn { Size = 1 << 20 })));
        Assert.False(Long(new Message(FuseOpcode.Write, 2).With(new FuseWriteIn { Size = 4096 }).Bytes(new byte[4096])));
        Assert.True(Long(new Message(FuseOpcode.Write, 2).With(new FuseWriteIn { Size = 65536 }).Bytes(new byte[65536])));
        Assert.True(Long(new Message(FuseOpcode.Fsync, 2).With(default(FuseFsyncIn))));
        Assert.False(Long(new Message(FuseOpcode.Lookup).Name("f")));
        Assert.False(_bench.Dispatcher.MayTakeLong([1, 2, 3]));
    }

    private static List<(string Name, ulong Inode)> Names(byte[] body, int lead)
    {
        var found = new List<(string, ulong)>();
        for (var at = 0; at < body.Length;)
        {
            var entry = MemoryMarshal.Read<FuseDirent>(body.AsSpan(at + lead));
            found.Add((Encoding.Latin1.GetString(body, at + lead + 24, (int)entry.NameLength), entry.Ino));
            at += (lead + 24 + (int)entry.NameLength + 7) & ~7;
        }
        return found;
    }
}
