using System.Runtime.InteropServices;
using Tmem.Control.Host;

namespace Tmem.Ctl.Swap;

/// <summary>See <see cref="ISwapFile"/>.</summary>
internal sealed class SwapFileHandle(int descriptor, FileIdentity identity) : ISwapFile
{
    private const uint RightsOfOthers = 0x3F; // 0077

    /// <inheritdoc/>
    public FileIdentity Identity { get; } = identity;

    /// <inheritdoc/>
    public string? Attach(string note, out ISwapDevice? device) => LoopDevice.Attach(descriptor, Identity, note, out device);

    /// <inheritdoc/>
    /// <remarks>
    /// A lease on writing is given only if no other open file is on the inode (fcntl(2)), which asks the kernel where a walk
    /// through /proc would ask what can be seen. It is given back at once: nobody else can open the file from now on.
    /// </remarks>
    public string? RequireSole()
    {
        if (FileStatus.Of(descriptor, "", FileStatus.OfDescriptor, FileStatus.Basic,
            out var status) != 0) return NativeMethods.LastError();
        if (status.Identity != Identity || !status.IsRegular || status.Links != 1 || status.Owner != 0
            || (status.Permissions & RightsOfOthers) != 0)
            return $"it has {status.Links} names, owner {status.Owner} and mode {Convert.ToString(status.Permissions, 8)} by "
                + "now: somebody meddles with it";
        if (NativeMethods.FileControl(descriptor, NativeMethods.SetLease, NativeMethods.WriteLease) == 0)
        {
            _ = NativeMethods.FileControl(descriptor, NativeMethods.SetLease, NativeMethods.NoLease);
            return null;
        }
        // A kernel or a file system without leases: what was checked above has to do.
        return Marshal.GetLastPInvokeError() == NativeMethods.EAGAIN ? "somebody else has it open" : null;
    }

    /// <inheritdoc/>
    public void Dispose() => _ = NativeMethods.Close(descriptor);
}
