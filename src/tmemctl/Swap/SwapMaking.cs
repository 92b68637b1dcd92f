using Tmem.Control;
using Tmem.Control.Messages;
using Tmem.Ctl.Output;

namespace Tmem.Ctl.Swap;

/// <summary>
/// Makes a swap device in steps that can be undone, and holds what they work through: descriptors of the pool's directory, the
/// file and its loop devices, from the creation of each on.
/// </summary>
/// <param name="context">The environment.</param>
/// <param name="pool">The device, which is the pool of its file.</param>
/// <param name="existing">The pool's number, 0 if it is still to be made.</param>
/// <param name="made">Whether it is made for swap.</param>
/// <param name="reserve">What it is guaranteed; 0 leaves it as it is.</param>
internal sealed class SwapMaking(SwapContext context, string pool, uint existing, bool made, long reserve) : IDisposable
{
    private const int LargestRequestKib = 1024; // FUSE splits at 1 MiB; larger requests would be served as one and a quarter

    private uint _id = existing;
    private IPoolFolder? _folder;
    private ISwapFile? _file;

    /// <summary>Whether the pool is made for swap.</summary>
    public bool Made => made;

    /// <summary>The loop devices, the first part's first.</summary>
    public List<ISwapDevice> Devices { get; } = [];

    private string Mark => new SwapMark(_id, made).Text;

    /// <summary>The steps, in their order.</summary>
    /// <param name="exists">Whether the pool is there.</param>
    /// <param name="mount">The mount.</param>
    /// <param name="path">The file's, for people.</param>
    /// <param name="bytes">The file's size.</param>
    /// <param name="priority">The first part's.</param>
    public List<Step> Steps(bool exists, MountPlace mount, string path, long bytes, int priority)
    {
        List<Step> steps = [];
        if (!exists)
            steps.Add(new Step($"create pool '{pool}'", CreatePool, () => Problem(context.DestroyPool(pool))));
        else if (reserve > 0)
            steps.Add(new Step($"guarantee pool '{pool}' its memory", () =>
                Problem(context.Client.SetPool(new() { Name = pool, Reserve = reserve }))));
        steps.Add(new Step($"make sure that pool '{pool}' is root's alone", () =>
            context.System.OpenPool(mount, pool, out _folder) ?? Secure(mount)));
        steps.Add(new Step($"claim the name {SwapFile.Name} in pool '{pool}'", Claim, () =>
            _folder!.SetClaim(null)));
        steps.Add(new Step($"create file {path} of {Words.Size(bytes)}", () =>
            _folder!.Create(SwapFile.Name, bytes, Mark, out _file),
            RemoveFile));
        var parts = SwapParts.Of(bytes, context.System.Swaps().Count);
        foreach (var part in parts)
        {
            steps.Add(new Step($"attach a loop device to {path}", () => Attach(part), Detach));
            steps.Add(new Step("use direct I/O on the loop device", () => Devices[^1].RequireDirectIo()));
            steps.Add(new Step($"cap the loop device's requests at {LargestRequestKib} KiB", () =>
                Devices[^1].CapRequests(LargestRequestKib)));
            steps.Add(new Step("write the swap signature on the loop device", () => Devices[^1].MakeSwap(part.Size)));
        }
        steps.Add(new Step($"make sure that nobody else has {path} open", () => _file!.RequireSole()));
        for (var number = 0; number < parts.Count; number++)
        {
            var (at, its) = (number, SwapParts.Priority(priority, number));
            steps.Add(new Step("swapon the loop device", () => Devices[at].SwapOn(its), () =>
                context.System.SwapOff(Devices[at].Name)));
        }
        return steps;
    }

    private string? Attach(SwapPart part)
    {
        if (_file!.Attach(part, Mark, out var device) is { } problem) return problem;
        Devices.Add(device!);
        return null;
    }

    /// <summary>Puts the swap file out of others' reach: a user who may write in the directory could replace the file.</summary>
    private string? Secure(MountPlace mount)
    {
        const uint rightsOfOthers = 0x3F; // 0077
        if (_folder!.Owner != 0)
            return $"it belongs to user {_folder.Owner}, who could read and replace what is swapped there; name a pool of "
                + "root's, or one that does not exist yet";
        if ((_folder.Permissions & rightsOfOthers) == 0) return null;
        return $"others may look into it (mode {Convert.ToString(_folder.Permissions, 8)}); close it with 'chmod 700 "
                + $"{ShellWord.Of($"{mount.Path}/{pool}")}', or name another pool";
    }

    /// <summary>
    /// Before there is a file: one that is found there later without its mark, and empty, is then known as a killed run's.
    /// </summary>
    private string? Claim() => _folder!.Names().Contains(SwapFile.Name)
        ? "it is taken by something that 'swap on' did not make; rename that, or name another pool"
        : _folder.SetClaim(Mark);

    private string? RemoveFile()
    {
        // Left open, it would keep its pool from being destroyed.
        var file = _file!;
        file.Dispose();
        _file = null;
        return _folder!.Remove(SwapFile.Name, file.Identity);
    }

    private string? Detach()
    {
        var device = Devices[^1];
        Devices.RemoveAt(Devices.Count - 1);
        // Our own descriptor would keep it attached.
        device.Dispose();
        return context.System.DetachLoop(device.Name);
    }

    private string? CreatePool()
    {
        var reply = context.Client.CreatePool(new() { Name = pool, Reserve = reserve, ForSwap = true });
        _id = reply.Value?.Id ?? 0;
        return Problem(reply);
    }

    private static string? Problem<T>(Reply<T> reply) where T : class => reply switch
    {
        { Value: not null } => null,
        { Error: { Data.Remedy: { Length: > 0 } remedy } refused } => $"{refused.Message} ({remedy})",
        { Error: { } refused } => refused.Message,
        _ => reply.Unreachable,
    };

    public void Dispose()
    {
        foreach (var device in Devices) device.Dispose();
        _file?.Dispose();
        _folder?.Dispose();
    }
}
