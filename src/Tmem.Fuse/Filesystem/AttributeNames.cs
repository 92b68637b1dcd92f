using Tmem.Fuse.Native;

namespace Tmem.Fuse.Filesystem;

/// <summary>
/// Decides which extended attributes may exist: user.*, trusted.* and security.* are stored; access control lists (system.*) are
/// not supported. user.tmem.* describes the pool (<see cref="PoolAttributes"/>).
/// </summary>
internal static class AttributeNames
{
    /// <summary>Dropped from a file by every write to it.</summary>
    public static ReadOnlySpan<byte> Capability => "security.capability"u8;

    public static ReadOnlySpan<byte> Trusted => "trusted."u8;

    private static ReadOnlySpan<byte> User => "user."u8;
    private static ReadOnlySpan<byte> Security => "security."u8;

    /// <summary>EOPNOTSUPP for an unknown prefix, EINVAL for a prefix alone.</summary>
    public static Errno Judge(ReadOnlySpan<byte> name)
    {
        var prefix = name.StartsWith(User) ? User : name.StartsWith(Trusted) ? Trusted : name.StartsWith(Security) ? Security
            : default;
        return prefix.IsEmpty ? Errno.EOPNOTSUPP : name.Length == prefix.Length ? Errno.EINVAL : Errno.Ok;
    }

    /// <summary>
    /// Whether it may be set or removed: user.tmem.* is read-only everywhere; user.* is for files and directories.
    /// </summary>
    public static Errno MayChange(in InodeRecord inode, ReadOnlySpan<byte> name)
    {
        if (name.Length > DirectoryIndex.MaximumName) return Errno.ERANGE;
        if (Judge(name) is not Errno.Ok and var error) return error;
        if (name.StartsWith(PoolAttributes.Prefix)) return Errno.EPERM;
        return name.StartsWith(User) && !inode.IsRegular && !inode.IsDirectory ? Errno.EPERM : Errno.Ok;
    }
}
