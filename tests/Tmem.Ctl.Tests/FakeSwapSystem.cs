using Tmem.Ctl.Swap;

namespace Tmem.Ctl.Tests;

/// <summary>Files, loop devices and swap in three collections, with the order of what was done and a place to fail at.</summary>
internal sealed class FakeSwapSystem : ISwapSystem
{
    public Dictionary<string, string?> Files { get; } = [];
    public Dictionary<string, long> Sizes { get; } = [];
    public Dictionary<string, string> Attached { get; } = [];
    public Dictionary<string, int> On { get; } = [];
    public List<string> Done { get; } = [];
    /// <summary>The action that fails.</summary>
    public string? FailAt { get; set; }
    /// <summary>Actions that fail when taking back.</summary>
    public HashSet<string> Stuck { get; } = [];

    public bool IsClean => Files.Count == 0 && Attached.Count == 0 && On.Count == 0;

    private string? Do(string action, Action change)
    {
        if (FailAt == action || Stuck.Contains(action)) return "Input/output error (errno 5)";
        Done.Add(action);
        change();
        return null;
    }

    public string? CreateFile(string path, long size) => Do("create", () => { Files.Add(path, null); Sizes[path] = size; });
    public string? RemoveFile(string path) => Do("unlink", () => Files.Remove(path));
    public string? SetMark(string path, string text) => Do("mark", () => Files[path] = text);
    public string? Mark(string path) => Files.GetValueOrDefault(path);
    public IReadOnlyList<string> FilesBelow(string mount, string name) => [.. Files.Keys.Where(path => path.StartsWith(mount + "/", StringComparison.Ordinal))];

    public string? AttachLoop(string file, out string device)
    {
        device = "";
        var problem = Do("attach", () => Attached.Add("/dev/loop7", file));
        if (problem is null) device = "/dev/loop7";
        return problem;
    }

    public string? DetachLoop(string device) => Do("detach", () => Attached.Remove(device));
    public string? RequireDirectIo(string device) => Do("dio", () => { });
    public string? CapRequests(string device, int kibibytes) => Do("cap", () => { });
    public string? MakeSwap(string device) => Do("mkswap", () => { });
    public string? SwapOn(string device, int priority) => Do("swapon", () => On.Add(device, priority));
    public string? SwapOff(string device) => Do("swapoff", () => On.Remove(device));
    public IReadOnlyList<LoopBacking> Loops() => [.. Attached.Select(pair => new LoopBacking(pair.Key, pair.Value))];
    public IReadOnlyList<SwapEntry> Swaps() => [.. On.Select(pair => new SwapEntry(pair.Key, 2L << 30, 100 << 20, pair.Value))];
}
