using System.Text.Json;
using Tmem.Control.Host;
using Tmem.Control.Messages;
using Tmem.Settings.Keys;
using Tmem.Settings.Values;

namespace Tmem.Settings;

/// <summary>Turns merged entries into settings, computes sizes, and finds values that cannot hold together.</summary>
internal sealed class TypedSettings(MergedEntries merged, long ram, List<Fault> faults)
{
    private const int SmallestPage = 4096;
    private const int LargestPage = 65536;

    private readonly List<ShownSetting> _shown = [];

    /// <summary>What holds, key by key.</summary>
    public IReadOnlyList<ShownSetting> Shown => _shown;

    /// <summary>The settings; of no use if there are faults.</summary>
    public TmemSettings Make()
    {
        var store = Store();
        var swaps = Swaps(store.Capacity);
        var pools = merged.Names(KnownKeys.Pool).Select(name => Pool(name, store.Capacity)).ToList();
        new Contradictions(faults, merged.Wrong).Find(store, swaps, pools);
        NotYet.Find(pools, faults);
        return new(store, swaps, pools);
    }

    /// <summary>That of [swap], unless nobody wrote a key of it and there are others; then those of [[swap]].</summary>
    private List<SwapSettings> Swaps(Setting<long> capacity)
    {
        string?[] named = [.. merged.Names(KnownKeys.Swap)];
        return [.. (named.Length == 0 || merged.Has(KnownKeys.Swap) ? [null, .. named] : named)
            .Select(name => Swap(name, capacity))];
    }

    private StoreSettings Store() => new()
    {
        Mount = Text(KnownKeys.Store, "mount"),
        MountOptions = Of(KnownKeys.Store, "mount-options", null,
            value => MountFlagsForm.TryRead(value.Text, out var flags, out _) ? flags : MountFlags.Usual),
        MountSource = Text(KnownKeys.Store, "mount-source"),
        Capacity = Size(KnownKeys.Store, "capacity", ram, null, ControlProtocol.SmallestCapacity, ram,
            $"{ByteSize.Format(ram)} of memory that this machine has"),
        Region = Text(KnownKeys.Store, "region"),
        SyncInterval = Number(KnownKeys.Store, "sync-interval"),
        HugePages = Of(KnownKeys.Store, "huge-pages", null, value => value.Number != 0),
        Threads = Number(KnownKeys.Store, "threads"),
        Spin = Of(KnownKeys.Store, "spin", null, value => value.Kind == WrittenKind.Number ? (int?)value.Number : null),
        Codec = Of(KnownKeys.Store, "codec", null, value => CodecOf(value.Text)),
        Recompress = Number(KnownKeys.Store, "recompress"),
        RecompressLevel = Number(KnownKeys.Store, "recompress-level"),
        Log = Of(KnownKeys.Store, "log", null, value => value.Text switch
        {
            "debug" => LogWish.Debug, "warning" => LogWish.Warning, "error" => LogWish.Error, _ => LogWish.Info,
        }),
        Socket = Text(KnownKeys.Store, "socket"),
        SocketGroup = Of(KnownKeys.Store, "socket-group", null,
            value => value.Text.Length == 0 ? null : Accounts.Group(value.Text)),
    };

    private SwapSettings Swap(string? name, Setting<long> capacity) => new()
    {
        IsNamed = name is not null,
        On = Of(KnownKeys.Swap, "on", name, value => value.Number != 0),
        Size = SizeOr(KnownKeys.Swap, "size", capacity, name, 16 * SmallestPage, ControlProtocol.LargestFile,
            $"{ByteSize.Format(ControlProtocol.LargestFile)} that a file can have"),
        Priority = Number(KnownKeys.Swap, "priority", name),
        Pool = Text(KnownKeys.Swap, "pool", name),
    };

    private PoolSettings Pool(string name, Setting<long> capacity)
    {
        var most = $"{ByteSize.Format(capacity.Value)} of the store's capacity ({capacity.From})";
        return new()
        {
            Name = Text(KnownKeys.Pool, "name", name),
            Ephemeral = Of(KnownKeys.Pool, "kind", name, value => value.Text == "ephemeral"),
            Limit = OrNone(SizeOr(KnownKeys.Pool, "limit", capacity, name, ControlProtocol.SmallestLimit, capacity.Value, most)),
            Reserve = OrNone(SizeOr(KnownKeys.Pool, "reserve", capacity, name, 0, capacity.Value, most)),
            Codec = Of(KnownKeys.Pool, "codec", name, value => CodecOf(value.Text)),
            PageSize = PageSize(name, capacity),
            Owner = Of(KnownKeys.Pool, "owner", name, value => Accounts.User(value.Text) ?? 0),
            Group = Of(KnownKeys.Pool, "group", name, value => Accounts.Group(value.Text) ?? 0),
            Mode = Of(KnownKeys.Pool, "mode", name, value => ModeForm.TryRead(value.Text, out var mode) ? mode : 0),
        };
    }

    private Setting<int> PageSize(string pool, Setting<long> capacity)
    {
        var size = Size(KnownKeys.Pool, "page-size", capacity.Value, pool, SmallestPage, LargestPage, "a page can be");
        if (size.Value is >= SmallestPage and <= LargestPage && !long.IsPow2(size.Value))
        {
            faults.Add(new(size.From, "page-size", $"{ByteSize.Exact(size.Value)} is no page", "write 4K, or leave it out"));
            return new(SmallestPage, size.From);
        }
        return new((int)Math.Clamp(size.Value, SmallestPage, LargestPage), size.From);
    }

    private static Setting<long> OrNone(Setting<long?> size) => new(size.Value ?? 0, size.From);

    private static CodecWish CodecOf(string word) => word switch
    {
        "lz4" => CodecWish.Lz4,
        "lz4-reference" => CodecWish.Lz4Reference,
        "zstd" => CodecWish.Zstd,
        _ => CodecWish.Pool,
    };

    private Setting<string> Text(string section, string name, string? pool = null) =>
        Of(section, name, pool, value => value.Text);

    private Setting<int> Number(string section, string name, string? pool = null) =>
        Of(section, name, pool, value => (int)value.Number);

    private Setting<T> Of<T>(string section, string name, string? pool, Func<Written, T> read)
    {
        var entry = merged.Of(KnownKeys.Find(section, name)!, pool);
        Show(section, pool, entry, null);
        return new(read(entry.Value), entry.From);
    }

    /// <summary>A size, or null where a word stands instead of one.</summary>
    private Setting<long?> SizeOr(string section, string name, Setting<long> whole, string? pool, long least, long most,
        string limit)
    {
        var key = KnownKeys.Find(section, name)!;
        var entry = merged.Of(key, pool);
        if (entry.Value.Kind == WrittenKind.Text && entry.Value.Text == ((SizeForm)key.Form).Word)
        {
            Show(section, pool, entry, null);
            return new(null, entry.From);
        }
        var size = Size(section, name, whole.Value, pool, least, most, limit);
        return new(size.Value, size.From);
    }

    private Setting<long> Size(string section, string name, long whole, string? pool, long least, long most, string limit)
    {
        var entry = merged.Of(KnownKeys.Find(section, name)!, pool);
        if (SizeForm.Evaluate(entry.Value, new SizeScale(ram, whole), out var bytes) is { } problem)
            faults.Add(new(entry.From, name, $"{entry.Value.Shown} {problem}", $"write it as {SizeExpression.Examples}"));
        else if (bytes < least)
            faults.Add(new(entry.From, name, $"{Told(entry.Value, bytes)} is too small",
                $"write at least {ByteSize.Exact(least)}"));
        else if (bytes > most && !IsWrong(KnownKeys.Store, "capacity"))
            faults.Add(new(entry.From, name, $"{Told(entry.Value, bytes)} is more than the {limit}", "write less"));
        Show(section, pool, entry, bytes);
        return new(bytes, entry.From);
    }

    private bool IsWrong(string section, string name) => merged.Wrong.Contains(KnownKeys.Find(section, name)!);

    private static string Told(Written value, long bytes) =>
        ByteSize.TryParse(value.Text, out _) ? value.Shown : $"{value.Shown}, which is {ByteSize.Format(bytes)},";

    private void Show(string section, string? pool, Entry entry, long? bytes) => _shown.Add(new(section, pool, entry.Key,
        entry.Value.Kind == WrittenKind.Text ? $"\"{JsonEncodedText.Encode(entry.Value.Text)}\"" : entry.Value.Text, bytes,
        entry.From));
}
