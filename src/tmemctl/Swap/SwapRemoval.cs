using Tmem.Control.Messages;
using Tmem.Ctl.Output;

namespace Tmem.Ctl.Swap;

/// <summary>Removes what is left of a swap file that "swap on" made: devices, file, and the pool if it was made for it.</summary>
internal sealed class SwapRemoval(SwapContext context, StatusReply status)
{
    private readonly List<string> _pools = [];

    /// <summary>The pools removed so far.</summary>
    public IReadOnlyList<string> PoolsRemoved => _pools;

    /// <summary>
    /// Runs once swap is off; each step counts what is gone already as done. Null when done, else what failed.
    /// </summary>
    /// <param name="file">What was found.</param>
    /// <param name="keepPool">Whether to keep the pool even if it was made for the file.</param>
    public string? Run(SwapFile file, bool keepPool = false)
    {
        foreach (var (device, _) in file.Parts)
            if (context.System.DetachLoop(device) is { } detach) return $"could not detach {device}: {detach}";
        if (file.Pool.Length == 0) return null;
        if (RemoveFile(file) is { } remove) return $"could not remove {file.Path}: {remove}";
        return file.PoolMade && !keepPool ? DestroyPool(file.Pool) : null;
    }

    private string? RemoveFile(SwapFile file)
    {
        if (context.System.OpenPool(SwapFile.PlaceOf(status), file.Pool, out var folder) is { } problem) return problem;
        using (folder)
        {
            if (file.File is { } sought
                && Names(folder!, file).FirstOrDefault(name => folder!.Find(name)?.Identity == sought) is { } name
                && folder!.Remove(name, sought) is { } kept) return kept;
            // Last: a run that is killed before this is still known to have begun.
            return folder!.Claim is null ? null : folder.SetClaim(null);
        }
    }

    /// <summary>Where it may be: under its usual name, where the kernel last saw it, or under any other in the pool.</summary>
    private static IEnumerable<string> Names(IPoolFolder folder, SwapFile file)
    {
        yield return SwapFile.Name;
        var marker = $"/{file.Pool}/";
        if (file.Path.LastIndexOf(marker, StringComparison.Ordinal) is >= 0 and var at) yield return file.Path[(at
            + marker.Length)..];
        foreach (var name in folder.Names()) yield return name;
    }

    private string? DestroyPool(string pool)
    {
        var reply = context.DestroyPool(pool);
        switch (reply)
        {
            case { Value: not null }:
                _pools.Add(pool);
                return null;
            case { Error.Code: ControlErrorCode.NotFound }:
                return null;
            case { Error.Code: ControlErrorCode.NotEmpty }:
                context.Terminal.Note($"pool {Table.Printable(pool)} stays: it holds other files");
                return null;
            default:
                return $"could not destroy pool {pool}: {reply.Error?.Message ?? reply.Unreachable}";
        }
    }
}
