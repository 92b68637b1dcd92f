using Tmem.Control.Host;
using Tmem.Ctl.Native;

namespace Tmem.Ctl.Swap;

/// <summary>See <see cref="ISwapFile"/>.</summary>
internal sealed class SwapFileHandle(int descriptor, FileIdentity identity) : ISwapFile
{
    private const uint RightsOfOthers = 0x3F; // 0077

    /// <inheritdoc/>
    public FileIdentity Identity { get; } = identity;

    /// <inheritdoc/>
    public string? Attach(SwapPart part, string note, out ISwapDevice? device) =>
        LoopDevice.Attach(descriptor, Identity, part, note, out device);

    /// <inheritdoc/>
    /// <remarks>
    /// A lease asks the kernel, where a walk through /proc would find only visible processes. No other process can open the file
    /// from now on.
    /// </remarks>
    public string? RequireSole()
    {
        if (Files.Status(descriptor, out var status).Problem() is { } unknown) return unknown;
        if (status.Identity != Identity || !status.IsRegular || status.Links != 1 || status.Owner != 0
            || (status.Permissions & RightsOfOthers) != 0)
            return $"it has {status.Links} names, owner {status.Owner} and mode {Convert.ToString(status.Permissions, 8)} by "
                + "now: somebody meddles with it";
        // On a kernel or a file system without leases the checks above have to do.
        return Files.RequireSole(descriptor) == Errno.EAGAIN ? "somebody else has it open" : null;
    }

    /// <inheritdoc/>
    public void Dispose() => Files.Close(descriptor);
}
