using System.Runtime.InteropServices;

namespace Tmem.Control.Host;

/// <summary>struct statx, 256 bytes.</summary>
[StructLayout(LayoutKind.Explicit, Size = 256)]
internal partial struct FileStatus
{
    /// <summary>STATX_BASIC_STATS.</summary>
    public const uint Basic = 0x7ff;
    /// <summary>
    /// AT_EMPTY_PATH: of the descriptor itself; AT_SYMLINK_NOFOLLOW; AT_STATX_DONT_SYNC: sends no request to the file system;
    /// AT_NO_AUTOMOUNT.
    /// </summary>
    public const int OfDescriptor = 0x1000, NoFollow = 0x100, WithoutAsking = 0x4000, NoAutomount = 0x800;

    private const ushort TypeMask = 0xF000, Directory = 0x4000, Regular = 0x8000, Link = 0xA000, Socket = 0xC000;

    [FieldOffset(16)] public uint Links;
    [FieldOffset(20)] public uint Owner;
    [FieldOffset(24)] public uint Group;
    [FieldOffset(28)] public ushort Mode;
    [FieldOffset(32)] public ulong Inode;
    [FieldOffset(40)] public ulong Size;
    [FieldOffset(136)] public uint DeviceMajor;
    [FieldOffset(140)] public uint DeviceMinor;

    public readonly bool IsDirectory => (Mode & TypeMask) == Directory;
    public readonly bool IsLink => (Mode & TypeMask) == Link;
    public readonly bool IsRegular => (Mode & TypeMask) == Regular;
    public readonly bool IsSocket => (Mode & TypeMask) == Socket;
    public readonly FileIdentity Identity => new(DeviceMajor, DeviceMinor, Inode);
    public readonly uint Permissions => Mode & 0xFFFu;

    [LibraryImport("libc", EntryPoint = "statx", StringMarshalling = StringMarshalling.Utf8, SetLastError = true)]
    public static partial int Of(int directory, string path, int flags, uint mask, out FileStatus status);
}
