using System.Runtime.InteropServices;
using System.Text;

namespace Tmem.Ctl.Native;

/// <summary>Calls on names as bytes, below a directory that is held: no name is followed where it leads elsewhere.</summary>
internal static unsafe partial class Tree
{
    /// <summary>O_WRONLY.</summary>
    public const int WriteOnly = 1;
    /// <summary>SEEK_DATA and SEEK_HOLE.</summary>
    public const int Data = 3, Hole = 4;
    private const int CloseOnExec = 0x80000;
    private const int NoFollow = 0x100; // AT_SYMLINK_NOFOLLOW
    private const int RemoveDirectory = 0x200; // AT_REMOVEDIR
    private const uint BasicStats = 0x7ff; // STATX_BASIC_STATS
    private const uint NoReplace = 1; // RENAME_NOREPLACE

    /// <summary>What statx(2) tells of a name.</summary>
    internal readonly record struct Status(
        uint Mode, uint Owner, uint Group, uint Links, ulong Inode, ulong Size, long Seconds, uint Nanoseconds, uint RawMajor,
        uint RawMinor, uint DeviceMajor, uint DeviceMinor)
    {
        public uint Type => Mode & 0xF000;
        public bool IsDirectory => Type == 0x4000;
        public bool IsRegular => Type == 0x8000;
        public bool IsLink => Type == 0xA000;
    }

    /// <summary>
    /// A path to a name below a directory that is open: for calls that have no form with a descriptor. It never grows with depth.
    /// </summary>
    private static byte[] Path(int folder, ReadOnlySpan<byte> name) =>
        [.. Encoding.ASCII.GetBytes($"/proc/self/fd/{folder}/"), .. name, 0];

    private static byte[] Ended(ReadOnlySpan<byte> name) => [.. name, 0];

    public static Errno Open(int folder, ReadOnlySpan<byte> name, int flags, uint mode, out int descriptor)
    {
        fixed (byte* path = Ended(name))
            return Errors.Of(descriptor = openat(folder, path, flags | CloseOnExec | Files.NoFollow, mode));
    }

    public static Errno Stat(int folder, ReadOnlySpan<byte> name, out Status status)
    {
        Span<byte> raw = stackalloc byte[256];
        int result;
        fixed (byte* path = Ended(name))
        fixed (byte* to = raw) result = statx(folder, path, NoFollow | (name.IsEmpty ? 0x1000 : 0), BasicStats, to);
        status = result < 0 ? default : new Status(
            MemoryMarshal.Read<ushort>(raw[28..]), MemoryMarshal.Read<uint>(raw[20..]), MemoryMarshal.Read<uint>(raw[24..]),
            MemoryMarshal.Read<uint>(raw[16..]), MemoryMarshal.Read<ulong>(raw[32..]), MemoryMarshal.Read<ulong>(raw[40..]),
            MemoryMarshal.Read<long>(raw[112..]), MemoryMarshal.Read<uint>(raw[120..]), MemoryMarshal.Read<uint>(raw[128..]),
            MemoryMarshal.Read<uint>(raw[132..]), MemoryMarshal.Read<uint>(raw[136..]), MemoryMarshal.Read<uint>(raw[140..]));
        return Errors.Of(result);
    }

    /// <summary>The names in an open directory, without "." and "..".</summary>
    public static Errno List(int folder, List<byte[]> names)
    {
        var buffer = new byte[64 * 1024];
        fixed (byte* start = buffer)
        {
            while (true)
            {
                var read = (int)getdents64(folder, start, (nuint)buffer.Length);
                if (read <= 0) return Errors.Of(read);
                for (var at = 0; at < read; at += MemoryMarshal.Read<ushort>(buffer.AsSpan(at + 16)))
                {
                    var name = buffer.AsSpan(at + 19);
                    name = name[..name.IndexOf((byte)0)];
                    if (!name.SequenceEqual("."u8) && !name.SequenceEqual(".."u8)) names.Add(name.ToArray());
                }
            }
        }
    }

    public static Errno ReadAt(int descriptor, Span<byte> bytes, ulong offset, out int read)
    {
        fixed (byte* to = bytes) return Errors.Of(read = (int)pread(descriptor, to, (nuint)bytes.Length, (long)offset));
    }

    public static Errno Seek(int descriptor, ulong offset, int whence, out ulong found)
    {
        var result = lseek(descriptor, (long)offset, whence);
        found = (ulong)result;
        return Errors.Of(result);
    }

    public static Errno ReadLink(int folder, ReadOnlySpan<byte> name, out byte[] target)
    {
        var buffer = new byte[4096];
        nint length;
        fixed (byte* path = Ended(name))
        fixed (byte* to = buffer) length = readlinkat(folder, path, to, (nuint)buffer.Length);
        target = length < 0 ? [] : buffer[..(int)length];
        return Errors.Of(length);
    }

    public static Errno MakeDirectory(int folder, ReadOnlySpan<byte> name, uint mode)
    {
        fixed (byte* path = Ended(name)) return Errors.Of(mkdirat(folder, path, mode));
    }

    public static Errno MakeNode(int folder, ReadOnlySpan<byte> name, uint mode, uint major, uint minor)
    {
        // makedev(3)
        var device = (minor & 0xFFul) | (major & 0xFFFul) << 8 | (minor & ~0xFFul) << 12 | (major & ~0xFFFul) << 32;
        fixed (byte* path = Ended(name)) return Errors.Of(mknodat(folder, path, mode, device));
    }

    public static Errno MakeLink(int folder, ReadOnlySpan<byte> name, ReadOnlySpan<byte> target)
    {
        fixed (byte* path = Ended(name))
        fixed (byte* to = Ended(target)) return Errors.Of(symlinkat(to, folder, path));
    }

    /// <summary>Another name of a file.</summary>
    public static Errno Link(int folder, ReadOnlySpan<byte> name, int newFolder, ReadOnlySpan<byte> newName)
    {
        fixed (byte* from = Ended(name))
        fixed (byte* to = Ended(newName)) return Errors.Of(linkat(folder, from, newFolder, to, 0));
    }

    /// <summary>Renames within an open directory, over no other name.</summary>
    public static Errno Rename(int folder, ReadOnlySpan<byte> name, ReadOnlySpan<byte> newName)
    {
        fixed (byte* from = Ended(name))
        fixed (byte* to = Ended(newName)) return Errors.Of(renameat2(folder, from, folder, to, NoReplace));
    }

    public static Errno Unlink(int folder, ReadOnlySpan<byte> name, bool isDirectory = false)
    {
        fixed (byte* path = Ended(name)) return Errors.Of(unlinkat(folder, path, isDirectory ? RemoveDirectory : 0));
    }

    public static Errno ChangeOwner(int folder, ReadOnlySpan<byte> name, uint owner, uint group)
    {
        fixed (byte* path = Ended(name)) return Errors.Of(fchownat(folder, path, owner, group, NoFollow));
    }

    /// <summary>Not of a symbolic link.</summary>
    public static Errno ChangeMode(int folder, ReadOnlySpan<byte> name, uint mode)
    {
        fixed (byte* path = Ended(name)) return Errors.Of(fchmodat(folder, path, mode, 0));
    }

    /// <summary>Sets the time of the last change of contents, and of access with it.</summary>
    public static Errno ChangeTime(int folder, ReadOnlySpan<byte> name, long seconds, uint nanoseconds)
    {
        var times = stackalloc long[] { seconds, nanoseconds, seconds, nanoseconds };
        fixed (byte* path = Ended(name)) return Errors.Of(utimensat(folder, path, times, NoFollow));
    }

    /// <summary>The extended attributes of a name, each with its value.</summary>
    public static Errno Attributes(int folder, ReadOnlySpan<byte> name, List<(byte[] Name, byte[] Value)> found)
    {
        var list = new byte[1 << 16];
        var value = new byte[1 << 16];
        fixed (byte* path = Path(folder, name))
        fixed (byte* to = list)
        fixed (byte* room = value)
        {
            var length = llistxattr(path, to, (nuint)list.Length);
            if (length < 0) return Errors.Of(length);
            for (var rest = list.AsSpan(0, (int)length); rest.Length > 0;)
            {
                var one = rest[..(rest.IndexOf((byte)0) + 1)];
                rest = rest[one.Length..];
                fixed (byte* attribute = one)
                {
                    var size = lgetxattr(path, attribute, room, (nuint)value.Length);
                    // It may have been removed meanwhile.
                    if (size >= 0) found.Add((one[..^1].ToArray(), value[..(int)size]));
                }
            }
        }
        return Errno.Ok;
    }

    public static Errno SetAttribute(int folder, ReadOnlySpan<byte> name, ReadOnlySpan<byte> attribute, ReadOnlySpan<byte> value)
    {
        fixed (byte* path = Path(folder, name))
        fixed (byte* key = Ended(attribute))
        fixed (byte* from = value) return Errors.Of(lsetxattr(path, key, from, (nuint)value.Length, 0));
    }

    [LibraryImport("libc", SetLastError = true)]
    private static partial int openat(int folder, byte* path, int flags, uint mode);

    [LibraryImport("libc", SetLastError = true)]
    private static partial int statx(int folder, byte* path, int flags, uint mask, byte* status);

    [LibraryImport("libc", SetLastError = true)]
    private static partial nint getdents64(int folder, byte* buffer, nuint size);

    [LibraryImport("libc", SetLastError = true)]
    private static partial nint pread(int descriptor, byte* buffer, nuint size, long offset);

    [LibraryImport("libc", SetLastError = true)]
    private static partial long lseek(int descriptor, long offset, int whence);

    [LibraryImport("libc", SetLastError = true)]
    private static partial nint readlinkat(int folder, byte* path, byte* buffer, nuint size);

    [LibraryImport("libc", SetLastError = true)]
    private static partial int mkdirat(int folder, byte* path, uint mode);

    [LibraryImport("libc", SetLastError = true)]
    private static partial int mknodat(int folder, byte* path, uint mode, ulong device);

    [LibraryImport("libc", SetLastError = true)]
    private static partial int symlinkat(byte* target, int folder, byte* path);

    [LibraryImport("libc", SetLastError = true)]
    private static partial int linkat(int folder, byte* path, int newFolder, byte* newPath, int flags);

    [LibraryImport("libc", SetLastError = true)]
    private static partial int renameat2(int folder, byte* path, int newFolder, byte* newPath, uint flags);

    [LibraryImport("libc", SetLastError = true)]
    private static partial int unlinkat(int folder, byte* path, int flags);

    [LibraryImport("libc", SetLastError = true)]
    private static partial int fchownat(int folder, byte* path, uint owner, uint group, int flags);

    [LibraryImport("libc", SetLastError = true)]
    private static partial int fchmodat(int folder, byte* path, uint mode, int flags);

    [LibraryImport("libc", SetLastError = true)]
    private static partial int utimensat(int folder, byte* path, long* times, int flags);

    [LibraryImport("libc", SetLastError = true)]
    private static partial nint llistxattr(byte* path, byte* list, nuint size);

    [LibraryImport("libc", SetLastError = true)]
    private static partial nint lgetxattr(byte* path, byte* name, byte* value, nuint size);

    [LibraryImport("libc", SetLastError = true)]
    private static partial int lsetxattr(byte* path, byte* name, byte* value, nuint size, int flags);
}
