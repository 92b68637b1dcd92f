using Tmem.Fuse.Abi;
using Tmem.Fuse.Filesystem;
using Tmem.Fuse.Native;
using Tmem.Fuse.Protocol;
using Xunit;

namespace Tmem.Fuse.Tests.Filesystem;

/// <summary>Calls of operations that finish before they return: no other thread takes over long work.</summary>
internal static class AtOnce
{
    public static Errno Allocate(this TmemFileSystem files, in Caller caller, NodeId node, ulong handle, ulong offset,
        ulong length, uint mode)
    {
        var error = files.Allocate(caller, node, handle, offset, length, mode, out var deferral);
        Assert.True(deferral.Kind == DeferralKind.None);
        return error;
    }

    public static Errno SetAttributes(this TmemFileSystem files, in Caller caller, NodeId node, in FuseSetattrIn change,
        out FuseAttrOut attributes)
    {
        var error = files.SetAttributes(caller, node, change, out attributes, out var deferral);
        Assert.True(deferral.Kind == DeferralKind.None);
        return error;
    }
}
