using System.Text;
using Tmem.Fuse.Abi;
using Tmem.Fuse.Tests.Protocol;

namespace Tmem.Fuse.Tests.Crash;

/// <summary>A request without a number yet: its nodes are found by path on the volume it is sent to.</summary>
internal delegate Message Request(CrashVolume volume, ulong unique);

/// <summary>Every request that changes something, by path.</summary>
internal static class Requests
{
    public const uint Truncate = 0x200;
    public const uint Exclusive = 0x80;
    private const uint RegularMode = 0x81A4;

    public static Request Lookup(string directory, string name) =>
        (volume, unique) => new Message(FuseOpcode.Lookup, volume.Node(directory), unique).Name(name);

    public static Request MakeNode(string directory, string name) => (volume, unique) =>
        new Message(FuseOpcode.Mknod, volume.Node(directory), unique).With(new FuseMknodIn { Mode = RegularMode }).Name(name);

    public static Request MakeDirectory(string directory, string name) => (volume, unique) =>
        new Message(FuseOpcode.Mkdir, volume.Node(directory), unique).With(new FuseMkdirIn { Mode = 0x1ED }).Name(name);

    public static Request SymbolicLink(string directory, string name, string target) => (volume, unique) =>
        new Message(FuseOpcode.Symlink, volume.Node(directory), unique).Name(name).Name(target);

    public static Request Create(string directory, string name, uint flags = 0) => (volume, unique) =>
        new Message(FuseOpcode.Create, volume.Node(directory), unique)
            .With(new FuseCreateIn { Flags = flags, Mode = RegularMode }).Name(name);

    public static Request Link(string path, string directory, string name) => (volume, unique) =>
        new Message(FuseOpcode.Link, volume.Node(directory), unique).With(new FuseLinkIn { OldNodeId = volume.Node(path) })
            .Name(name);

    public static Request Unlink(string directory, string name) =>
        (volume, unique) => new Message(FuseOpcode.Unlink, volume.Node(directory), unique).Name(name);

    public static Request RemoveDirectory(string directory, string name) =>
        (volume, unique) => new Message(FuseOpcode.Rmdir, volume.Node(directory), unique).Name(name);

    public static Request Rename(string directory, string name, string newDirectory, string newName, uint flags = 0) =>
        (volume, unique) =>
        new Message(FuseOpcode.Rename2, volume.Node(directory), unique)
            .With(new FuseRename2In { NewDir = volume.Node(newDirectory), Flags = flags }).Name(name).Name(newName);

    public static Request Open(string path, uint flags = 0) =>
        (volume, unique) => new Message(FuseOpcode.Open, volume.Node(path), unique).With(new FuseOpenIn { Flags = flags });

    public static Request OpenDirectory(string path) =>
        (volume, unique) => new Message(FuseOpcode.Opendir, volume.Node(path), unique).With(default(FuseOpenIn));

    /// <summary>By the path as it was before: a node may have lost its name.</summary>
    public static Request Release(Func<CrashVolume, ulong> node, bool directory = false) => (volume, unique) =>
        new Message(directory ? FuseOpcode.Releasedir : FuseOpcode.Release, node(volume), unique).With(default(FuseReleaseIn));

    public static Request Forget(Func<CrashVolume, ulong> node, ulong lookups) =>
        (volume, unique) => new Message(FuseOpcode.Forget, node(volume), unique).With(new FuseForgetIn { Nlookup = lookups });

    public static Request BatchForget(params (Func<CrashVolume, ulong> Node, ulong Lookups)[] nodes) => (volume, unique) =>
    {
        var message = new Message(FuseOpcode.BatchForget, 0, unique).With(new FuseBatchForgetIn { Count = (uint)nodes.Length });
        foreach (var (node, lookups) in nodes) message.With(new FuseForgetOne { NodeId = node(volume), Nlookup = lookups });
        return message;
    };

    public static Request List(string path, uint size = 64 << 10) =>
        (volume, unique) => new Message(FuseOpcode.Readdirplus, volume.Node(path), unique).With(new FuseReadIn { Size = size });

    public static Request SetAttribute(string path, string name, string value, uint flags = 0) => (volume, unique) =>
        new Message(FuseOpcode.Setxattr, volume.Node(path), unique)
            .With(new FuseSetxattrCompatIn { Size = (uint)value.Length, Flags = flags }).Name(name)
                .Bytes(Encoding.Latin1.GetBytes(value));

    public static Request RemoveAttribute(string path, string name) =>
        (volume, unique) => new Message(FuseOpcode.Removexattr, volume.Node(path), unique).Name(name);

    public static Request Change(string path, FuseSetattrIn change) =>
        (volume, unique) => new Message(FuseOpcode.Setattr, volume.Node(path), unique).With(change);

    public static Request Write(string path, ulong offset, byte[] data) => (volume, unique) =>
        new Message(FuseOpcode.Write, volume.Node(path), unique)
            .With(new FuseWriteIn { Offset = offset, Size = (uint)data.Length }).Bytes(data);

    public static Request Allocate(string path, ulong offset, ulong length, uint mode) => (volume, unique) =>
        new Message(FuseOpcode.Fallocate, volume.Node(path), unique)
            .With(new FuseFallocateIn { Offset = offset, Length = length, Mode = mode });
}
