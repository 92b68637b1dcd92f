using System.Runtime.InteropServices;

namespace Tmem.Fuse.Abi;

/// <summary>struct fuse_dirent, followed by the name and padding to 8 bytes.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct FuseDirent
{
    public ulong Ino;
    public ulong Off;
    public uint NameLength;
    public uint Type;
}
