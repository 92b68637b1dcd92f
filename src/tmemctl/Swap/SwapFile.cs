using Tmem.Control.Host;
using Tmem.Control.Messages;

namespace Tmem.Ctl.Swap;

/// <summary>A device of the kernel's on a swap file.</summary>
/// <param name="Device">"/dev/loop3".</param>
/// <param name="Entry">Its line in /proc/swaps, or null when swap is not on.</param>
internal sealed record PartDevice(string Device, SwapEntry? Entry);

/// <summary>
/// A swap device or swap file on a mount, as found: any part may be missing after a failure. Each has a pool of its own and goes
/// by the pool's name, which is unique in the mount and stays with it over every step: no name of a device is kept beside it.
/// </summary>
/// <param name="Pool">The pool's name, and so the device's; "" if it no longer has one.</param>
/// <param name="Path">The file, for people.</param>
/// <param name="File">Its identity; null if unknown, or if there is no file (yet, or any more).</param>
/// <param name="Parts">Its loop devices, as they follow one another in the file.</param>
/// <param name="IsOurs">Whether "swap on" made it; any other is shown, but not touched.</param>
/// <param name="PoolMade">Whether "swap on" made the pool too.</param>
internal sealed record SwapFile(string Pool, string Path, FileIdentity? File, IReadOnlyList<PartDevice> Parts, bool IsOurs,
    bool PoolMade)
{
    /// <summary>Its loop devices in words, or null.</summary>
    public string? Device => Parts is [var first, ..] ? SwapParts.Words(first.Device, Parts.Count) : null;

    /// <summary>The parts that are on, taken together; null if none is. The priority is the first's.</summary>
    public SwapEntry? Entry => Entries is { Count: > 0 } on
        ? new SwapEntry(on[0].Device, on.Sum(one => one.SizeBytes), on.Sum(one => one.UsedBytes), on.Max(one => one.Priority))
        : null;

    /// <summary>The parts that are on.</summary>
    public IReadOnlyList<SwapEntry> Entries => [.. Parts.Select(part => part.Entry).OfType<SwapEntry>()];

    /// <summary>The file's name in its pool.</summary>
    public const string Name = ControlProtocol.SwapFile;

    /// <summary>The device that is meant if none is named.</summary>
    public const string DefaultPool = "swap";

    private const string OldMade = "pool made", OldKept = "pool kept";
    private const uint RightsOfOthers = 0x3F, WriteOfOthers = 0x12; // 0077, 0022

    /// <summary>
    /// Finds the swap files of this mount: swap devices by the device number of their files, wherever they were turned on and
    /// whatever has been renamed since; then files of ours without a device.
    /// </summary>
    public static bool TryFind(SwapContext context, StatusReply status, out IReadOnlyList<SwapFile> files, out int exit)
    {
        files = [];
        if (!context.Terminal.Take(context.Client.Pools(), out var list, out exit)) return false;
        files = Find(context.System, PlaceOf(status), list.Pools);
        return true;
    }

    /// <summary>The place of a daemon's mount.</summary>
    public static MountPlace PlaceOf(StatusReply status) => new(status.MountPoint, status.Connection, status.Processes.WorkerPid);

    /// <summary>In words: "swap 'fast' (/dev/loop4)".</summary>
    public string Words => (Pool.Length == 0 ? "swap in no pool" : $"swap '{Pool}'") + (Device is null ? "" : $" ({Device})");

    /// <summary>See <see cref="TryFind"/>.</summary>
    public static IReadOnlyList<SwapFile> Find(ISwapSystem system, in MountPlace mount, IReadOnlyList<PoolSummary> pools)
    {
        var found = Devices(system, mount, pools);
        // The daemon knows where a look is worth it; one of an earlier version does not say.
        foreach (var pool in pools.Where(pool => pool.Kind == "persistent" && pool.HoldsSwap != false))
        {
            // A device on a file that has lost its name stands for its pool, and a claim says no more.
            if (Leftover(system, mount, pool) is { } left && found.All(other => left.File is { } file ? other.File != file
                : !other.IsOurs || other.Pool != left.Pool)) found.Add(left);
        }
        return found;
    }

    /// <summary>The devices alone, without a look into any pool: no more work with a thousand pools than with one.</summary>
    public static List<SwapFile> Devices(ISwapSystem system, in MountPlace mount, IReadOnlyList<PoolSummary> pools)
    {
        var swaps = system.Swaps();
        var found = new List<SwapFile>();
        foreach (var loop in system.Loops().OrderBy(loop => loop.Offset))
        {
            if (loop.File is not { } file || !file.IsOn(mount.Connection)) continue;
            var part = new PartDevice(loop.Device, swaps.FirstOrDefault(entry => entry.Device == loop.Device));
            if (SwapMark.TryRead(loop.Note, out var mark))
            {
                var name = pools.FirstOrDefault(pool => pool.Id == mark.Pool)?.Name ?? "";
                var at = found.FindIndex(other => other.IsOurs && other.File == file && other.Pool == name);
                if (at < 0) found.Add(new SwapFile(name, loop.BackingFile, file, [part], true, mark.Made));
                else found[at] = found[at] with { Parts = [.. found[at].Parts, part] };
            }
            else if (Old(system, mount, loop, file, pools) is { } old)
                found.Add(old with { Parts = [part] });
            else if (part.Entry is not null)
                found.Add(new SwapFile(PoolOf(mount, loop.BackingFile, pools), loop.BackingFile, file, [part], false, false));
        }
        return found;
    }

    /// <summary>
    /// A file of ours under its own name, with or without a device; or what is left of a "swap on" that was killed before there
    /// was one, or of a "swap off" that was killed after it: a pool that was made for swap, or one that is claimed.
    /// </summary>
    private static SwapFile? Leftover(ISwapSystem system, in MountPlace mount, PoolSummary pool)
    {
        if (system.OpenPool(mount, pool.Name, out var folder) is not null || folder is null) return null;
        using (folder)
        {
            if (folder.Owner != 0 || (folder.Permissions & WriteOfOthers) != 0) return null;
            var top = $"{mount.Path.TrimEnd('/')}/{pool.Name}";
            var isClaimed = SwapMark.TryRead(folder.Claim, out var claim) && claim.Pool == pool.Id;
            var wasMade = pool.ForSwap == true || (isClaimed && claim.Made);
            if (folder.Find(Name) is { Owner: 0, Links: 1 } file && (file.Permissions & RightsOfOthers) == 0)
            {
                if (SwapMark.TryRead(file.Mark, out var mark) && mark.Pool == pool.Id) return Left(file.Identity, mark.Made);
                if (file is { Mark: null, OldMark: OldMade or OldKept }) return Left(file.Identity, file.OldMark == OldMade);
                // Killed between its creation and its mark, which it gets before its size.
                if (isClaimed && file is { Mark: null, Size: 0 }) return Left(file.Identity, wasMade);
            }
            return isClaimed || (pool.ForSwap == true && folder.Names().Count == 0) ? Left(null, wasMade) : null;

            SwapFile Left(FileIdentity? found, bool made) =>
                new(pool.Name, found is null ? top : $"{top}/{Name}", found, [], true, made);
        }
    }

    /// <summary>A device of a version that left no note in it: the file says it, as long as it has its name.</summary>
    private static SwapFile? Old(ISwapSystem system, in MountPlace mount, LoopBacking loop, FileIdentity file,
        IReadOnlyList<PoolSummary> pools)
    {
        var name = PoolOf(mount, loop.BackingFile, pools);
        return pools.FirstOrDefault(pool => pool.Name == name) is { } pool && Leftover(system, mount, pool) is { } left
            && left.File == file ? left : null;
    }

    /// <summary>
    /// The pool that a path leads through: below the mount, or, seen from another namespace, below its former path.
    /// </summary>
    private static string PoolOf(in MountPlace mount, string path, IReadOnlyList<PoolSummary> pools)
    {
        var prefix = mount.Path.TrimEnd('/') + "/";
        var parts = (path.StartsWith(prefix, StringComparison.Ordinal) ? path[prefix.Length..] : path)
            .Split('/', StringSplitOptions.RemoveEmptyEntries);
        return parts[..^1].LastOrDefault(part => pools.Any(pool => pool.Name == part)) ?? "";
    }
}
