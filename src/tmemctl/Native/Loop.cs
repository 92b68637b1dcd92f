using System.Runtime.InteropServices;
using System.Text;

namespace Tmem.Ctl.Native;

/// <summary>The ioctls of loop devices (linux/loop.h).</summary>
internal static unsafe partial class Loop
{
    private const nuint GetFree = 0x4C82, ConfigureDevice = 0x4C0A, ClearDevice = 0x4C01, GetStatus = 0x4C05;
    private const uint DirectIo = 16;

    /// <summary>The number of an unused device, by a descriptor of /dev/loop-control.</summary>
    public static Errno NextFree(int control, out int number) => Errors.Of(number = ioctl(control, GetFree, null));

    /// <summary>
    /// Attaches the device to a range of a file, with direct I/O; the note stays with the device. A length of 0 is all the rest.
    /// </summary>
    public static Errno Configure(int device, int backing, long offset, long length, uint blockSize, string note)
    {
        var config = new LoopConfig { Descriptor = (uint)backing, BlockSize = blockSize };
        config.Info.Offset = (ulong)offset;
        config.Info.SizeLimit = (ulong)length;
        config.Info.Flags = DirectIo;
        Encoding.UTF8.GetBytes(note, new Span<byte>(config.Info.Name, LoopInfo.NameLength - 1));
        return Errors.Of(ioctl(device, ConfigureDevice, &config));
    }

    public static Errno Clear(int device) => Errors.Of(ioctl(device, ClearDevice, null));

    /// <summary>The device's backing file.</summary>
    public static Errno Status(int device, out LoopInfo info)
    {
        fixed (LoopInfo* told = &info) return Errors.Of(ioctl(device, GetStatus, told));
    }

    [LibraryImport("libc", SetLastError = true)]
    private static partial int ioctl(int descriptor, nuint request, void* argument);
}

/// <summary>
/// struct loop_info64 of linux/loop.h, 232 bytes: the device's backing file, and flags. The 64 bytes of the name are free for use
/// by the process that attaches the device, always root's.
/// </summary>
[StructLayout(LayoutKind.Explicit, Size = 232)]
internal unsafe struct LoopInfo
{
    public const int NameLength = 64;

    [FieldOffset(0)] public ulong Device;
    [FieldOffset(8)] public ulong Inode;
    [FieldOffset(24)] public ulong Offset;
    [FieldOffset(32)] public ulong SizeLimit;
    [FieldOffset(52)] public uint Flags;
    [FieldOffset(56)] public fixed byte Name[NameLength];
}

/// <summary>struct loop_config of linux/loop.h, 304 bytes: descriptor and block size, struct loop_info64, 64 reserved.</summary>
[StructLayout(LayoutKind.Explicit, Size = 304)]
internal struct LoopConfig
{
    [FieldOffset(0)] public uint Descriptor;
    [FieldOffset(4)] public uint BlockSize;
    [FieldOffset(8)] public LoopInfo Info;
}
