using System.Runtime.InteropServices;

namespace Tmem.Fuse.Abi;

/// <summary>The first 8 bytes of struct fuse_setxattr_in: all that is sent without SETXATTR_EXT. Name and value follow.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct FuseSetxattrCompatIn
{
    public uint Size;
    public uint Flags;
}

/// <summary>struct fuse_getxattr_in: for GETXATTR (the name follows) and LISTXATTR.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct FuseGetxattrIn
{
    public uint Size;
    public uint Padding;
}

/// <summary>struct fuse_getxattr_out: the answer to a request of size 0.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct FuseGetxattrOut
{
    public uint Size;
    public uint Padding;
}
