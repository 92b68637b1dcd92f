using Tmem.Control.Host;
using Tmem.Ctl.Swap;

namespace Tmem.Ctl.Tests;

/// <summary>A file known to the fake kernel.</summary>
internal sealed class FakeFile
{
    public required FileIdentity Identity { get; init; }
    public long Size { get; set; }
    public uint Owner { get; set; }
    public uint Mode { get; set; } = 0x180;
    public string? Mark { get; set; }
    public string? OldMark { get; set; }
}

/// <summary>
/// Files, loop devices and swap in three collections; records the order of the actions, and can fail at any of them.
/// </summary>
internal sealed class FakeSwapSystem : ISwapSystem
{
    private ulong _inodes = 100;
    private int _looks;

    /// <summary>The minor number of the mount's device, as the fake server tells it.</summary>
    public uint Minor { get; } = 52;
    /// <summary>By "pool/name".</summary>
    public Dictionary<string, FakeFile> Files { get; } = [];
    /// <summary>Owner and mode of pools that are not root's with mode 700.</summary>
    public Dictionary<string, (uint Owner, uint Mode)> Folders { get; } = [];
    public Dictionary<string, uint> Groups { get; } = [];
    public Dictionary<string, LoopBacking> Attached { get; } = [];
    public Dictionary<string, int> On { get; } = [];
    public List<string> Done { get; } = [];
    public MemoryRoom Room { get; set; } = new(1L << 40, []);
    /// <summary>The marks on pools' directories.</summary>
    public Dictionary<string, string> Claims { get; } = [];
    /// <summary>Another process turns swap on or off.</summary>
    public bool IsLocked { get; set; }
    /// <summary>How long tmemctl lives.</summary>
    public Lifetime Life { get; init; } = new();
    /// <summary>Another process has the swap file open.</summary>
    public bool Watched { get; set; }
    /// <summary>The action that fails.</summary>
    public string? FailAt { get; set; }
    /// <summary>Actions that fail while they are undone.</summary>
    public HashSet<string> Stuck { get; } = [];

    public bool IsClean => Files.Count == 0 && Claims.Count == 0 && Attached.Count == 0 && On.Count == 0;

    public FakeFile Add(string path, uint owner = 0, string? mark = null, string? oldMark = null)
    {
        var file = new FakeFile
        {
            Identity = new FileIdentity(0, Minor, _inodes++), Owner = owner, Mark = mark, OldMark = oldMark,
        };
        Files.Add(path, file);
        return file;
    }

    public void Attach(string device, string path, FileIdentity? file, string note = "") =>
        Attached[device] = new LoopBacking(device, path, file, note);

    private string? Do(string action, Action change)
    {
        if (!Life.TryChange()) return "killed";
        if (FailAt == action || Stuck.Contains(action)) return Error;
        Done.Add(action);
        change();
        return null;
    }

    /// <summary>What a step that fails says.</summary>
    public string Error { get; set; } = "Input/output error (errno 5)";

    /// <summary>Called while swap is being turned off.</summary>
    public Action? WhileSwapOff { get; set; }

    /// <summary>How often the swap devices were looked at.</summary>
    public int Looks => Volatile.Read(ref _looks);

    /// <summary>How many pools were looked into.</summary>
    public int Opened { get; set; }

    public string? OpenPool(in MountPlace mount, string pool, out IPoolFolder? folder)
    {
        Opened++;
        folder = new Folder(this, mount.Path, pool);
        return null;
    }

    public string? Lock(in MountPlace mount, out IDisposable? held)
    {
        held = null;
        return IsLocked ? "another process is turning swap on or off" : null;
    }

    public string? DetachLoop(string device) => Do("detach", () => Attached.Remove(device));
    public string? SwapOff(string device)
    {
        WhileSwapOff?.Invoke();
        lock (On) return Do("swapoff", () => On.Remove(device));
    }

    public string? SwapOn(string device, int priority)
    {
        lock (On) return Do("swapon", () => On.Add(device, priority));
    }

    public IReadOnlyList<LoopBacking> Loops() => [.. Attached.Values];

    /// <summary>A file has 2 GiB, of which 100 MiB are used, in parts of the same size.</summary>
    public IReadOnlyList<SwapEntry> Swaps()
    {
        Interlocked.Increment(ref _looks);
        lock (On)
            return [.. On.Select(pair =>
                new SwapEntry(pair.Key, (2L << 30) / Parts(pair.Key), (100 << 20) / Parts(pair.Key), pair.Value))];
    }

    private int Parts(string device) => Attached.GetValueOrDefault(device)?.File is { } file
        ? Attached.Values.Count(loop => loop.File == file) : 1;

    public MemoryRoom Memory(int daemon) => Room;

    private sealed class Folder(FakeSwapSystem system, string mount, string pool) : IPoolFolder
    {
        public uint Owner => system.Folders.GetValueOrDefault(pool).Owner;
        public uint Permissions => system.Folders.TryGetValue(pool, out var folder) ? folder.Mode : 0x1C0u;
        public string? Claim => system.Claims.GetValueOrDefault(pool);

        public string? SetClaim(string? mark) => system.Do(mark is null ? "unclaim" : "claim", () =>
        {
            if (mark is null) system.Claims.Remove(pool);
            else system.Claims[pool] = mark;
        });

        public uint Group => system.Groups.GetValueOrDefault(pool);
        public string? Give(uint owner, uint group, uint permissions) => system.Do($"give {pool}", () =>
        {
            system.Folders[pool] = (owner, permissions);
            system.Groups[pool] = group;
        });
        public IReadOnlyList<string> Names() =>
            [.. system.Files.Keys.Where(path => path.StartsWith(pool + "/", StringComparison.Ordinal))
                .Select(path => path[(pool.Length + 1)..])];

        public string? Create(string name, long size, string mark, out ISwapFile? file)
        {
            file = null;
            var path = $"{pool}/{name}";
            if (system.Files.ContainsKey(path)) return "File exists (errno 17)";
            FakeFile? made = null;
            var problem = system.Do("create", () => made = system.Add(path));
            if (problem is null && system.Life.TryChange()) made!.Mark = mark;
            if (problem is null && system.Life.TryChange()) made!.Size = size;
            if (problem is null && system.Life.IsOver) return "killed";
            if (problem is null) file = new Handle(system, $"{mount}/{path}", made!);
            return problem;
        }

        public FoundFile? Find(string name) => system.Files.TryGetValue($"{pool}/{name}", out var file)
            ? new FoundFile(file.Identity, file.Owner, file.Mode, 1, file.Size, file.Mark, file.OldMark)
            : null;

        public string? Remove(string name, FileIdentity file) => Find(name)?.Identity == file
            ? system.Do("unlink", () => system.Files.Remove($"{pool}/{name}")) : null;

        public void Dispose()
        {
        }
    }

    private sealed class Handle(FakeSwapSystem system, string path, FakeFile file) : ISwapFile, ISwapDevice
    {
        public FileIdentity Identity => file.Identity;
        public string Name { get; } = Enumerable.Range(7, 100).Select(number => $"/dev/loop{number}")
            .First(name => !system.Attached.ContainsKey(name));

        public string? Attach(SwapPart part, string note, out ISwapDevice? device)
        {
            device = new Handle(system, path, file);
            var name = device.Name;
            return system.Do("attach", () =>
                system.Attached[name] = new LoopBacking(name, path, file.Identity, note, part.Offset));
        }

        public string? RequireSole() => system.Watched ? "somebody else has it open" : system.Do("sole", () => { });
        public string? RequireDirectIo() => system.Do("dio", () => { });
        public string? CapRequests(int kibibytes) => system.Do("cap", () => { });
        public string? MakeSwap(long size) => system.Do("mkswap", () => { });
        public string? SwapOn(int priority) => system.Do("swapon", () => system.On.Add(Name, priority));

        public void Dispose()
        {
        }
    }
}
