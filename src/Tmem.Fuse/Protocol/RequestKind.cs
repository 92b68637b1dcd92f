using Tmem.Fuse.Abi;

namespace Tmem.Fuse.Protocol;

/// <summary>What the latency of a request is counted as: requests that a user would compare with one another.</summary>
internal enum RequestKind : byte
{
    /// <summary>Opens, releases, seeks, statfs, and what is not answered.</summary>
    Other,
    Read,
    Write,
    /// <summary>Holes and zeroed ranges: what a swap device's discard becomes.</summary>
    Discard,
    /// <summary>Names and directories.</summary>
    Names,
    /// <summary>Attributes and extended attributes.</summary>
    Attributes,
    /// <summary>What waits until data is durable.</summary>
    Sync,
}

/// <summary>The kinds.</summary>
internal static class RequestKinds
{
    public const int Count = (int)RequestKind.Sync + 1;

    /// <summary>The kind of an operation.</summary>
    public static RequestKind Of(FuseOpcode opcode) => opcode switch
    {
        FuseOpcode.Read => RequestKind.Read,
        FuseOpcode.Write => RequestKind.Write,
        FuseOpcode.Fallocate => RequestKind.Discard,
        FuseOpcode.Fsync or FuseOpcode.Fsyncdir or FuseOpcode.Flush => RequestKind.Sync,
        FuseOpcode.Lookup or FuseOpcode.Readlink or FuseOpcode.Symlink or FuseOpcode.Mknod or FuseOpcode.Mkdir
            or FuseOpcode.Unlink or FuseOpcode.Rmdir or FuseOpcode.Rename or FuseOpcode.Rename2 or FuseOpcode.Link
            or FuseOpcode.Create or FuseOpcode.Opendir or FuseOpcode.Readdir or FuseOpcode.Readdirplus
            or FuseOpcode.Releasedir => RequestKind.Names,
        FuseOpcode.Getattr or FuseOpcode.Setattr or FuseOpcode.Access or FuseOpcode.Setxattr or FuseOpcode.Getxattr
            or FuseOpcode.Listxattr or FuseOpcode.Removexattr => RequestKind.Attributes,
        _ => RequestKind.Other,
    };
}
