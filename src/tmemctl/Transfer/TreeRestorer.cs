using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using Tmem.Ctl.Native;

namespace Tmem.Ctl.Transfer;

/// <summary>Makes, names and removes pools for a restore. Each returns a problem, or null.</summary>
internal interface IPoolMaker
{
    /// <summary>The descriptor of the directory that the pools are in.</summary>
    int Root { get; }

    /// <summary>Makes a pool under a hidden name, of the kind that was saved and without a limit.</summary>
    string? Make(in SavedPool pool, string hidden);

    /// <summary>Gives it its limit.</summary>
    string? Limit(in SavedPool pool, string hidden);

    /// <summary>Destroys a pool with all that is in it.</summary>
    void Destroy(string hidden);
}

/// <summary>
/// Restores trees of files from a stream, through the mount. A pool fills under a hidden name, root's alone, and gets its own by
/// one rename once the whole stream was read and found whole. Whatever ends a restore before that, nothing has the pool's name.
/// </summary>
internal sealed class TreeRestorer(TreeReader input, IPoolMaker maker)
{
    /// <summary>What the names of pools that are being restored begin with.</summary>
    public const string Hidden = ".restoring-";

    private const uint TypeMask = 0xF000, PermissionMask = 0xFFF;
    private const ulong LargestFile = 1UL << 44;

    private readonly List<(SavedPool Pool, string Name, string Hidden)> _pools = [];
    private readonly List<int> _locks = [];
    private readonly Stack<Entry> _above = new();
    private Entry? _entry;
    private int _folder = -1;
    private int _file = -1;
    private int _staging = -1;
    private string _stagingName = "";
    private bool _isSettled;
    private long _entries;

    /// <summary>Something that is being restored: its attributes are set when its contents are there.</summary>
    private sealed record Entry(byte[] Name, uint Mode, uint Owner, uint Group, ulong Link, long Seconds, uint Nanoseconds);

    /// <summary>The pools restored, and how many files and directories there are in them.</summary>
    public (IReadOnlyList<string> Pools, long Entries) Result => ([.. _pools.Select(pool => pool.Name)], _entries);

    public void Run()
    {
        var isDone = false;
        try
        {
            input.Head();
            while (Step()) { }
            NamePools();
            isDone = true;
        }
        finally
        {
            foreach (var descriptor in _locks.Append(_file).Append(_folder).Append(_staging))
                if (descriptor >= 0) Files.Close(descriptor);
            if (!isDone) foreach (var (_, _, hidden) in _pools) maker.Destroy(hidden);
        }
    }

    /// <summary>All names or none: what follows the last rename cannot fail any more.</summary>
    private void NamePools()
    {
        for (var done = 0; done < _pools.Count; done++)
        {
            var (_, name, hidden) = _pools[done];
            var error = Tree.Rename(maker.Root, Encoding.UTF8.GetBytes(hidden), Encoding.UTF8.GetBytes(name));
            if (error == Errno.Ok) continue;
            while (--done >= 0)
                _ = Tree.Rename(maker.Root, Encoding.UTF8.GetBytes(_pools[done].Name),
                    Encoding.UTF8.GetBytes(_pools[done].Hidden));
            throw new TransferException($"pool '{name}' cannot be given its name: {error.Problem()}",
                "rename or destroy what has that name, and restore again");
        }
    }

    private bool Step()
    {
        var kind = input.Next();
        if (kind is not (TreeRecord.Attribute or TreeRecord.Data)) Finish();
        if (kind is not (TreeRecord.Pool or TreeRecord.Trailer) && _folder < 0) throw input.Damaged();
        if (kind is TreeRecord.Pool or TreeRecord.Trailer && _folder >= 0) throw input.Damaged();
        switch (kind)
        {
            case TreeRecord.Pool: BeginPool(); break;
            case TreeRecord.Entry: BeginEntry(); break;
            case TreeRecord.Link: MakeLink(); break;
            case TreeRecord.Attribute: SetAttribute(); break;
            case TreeRecord.Data: Write(); break;
            case TreeRecord.Up: Ascend(); break;
            default:
                input.Finish(_pools.Count, _entries);
                return false;
        }
        return true;
    }

    private void BeginPool()
    {
        var (flags, codec, mode, owner, group) = (input.Word(), input.Word(), input.Word(), input.Word(), input.Word());
        var (limit, seconds, nanoseconds) = ((long)input.Long(), (long)input.Long(), input.Word());
        var raw = input.Name(input.Rest());
        var name = Encoding.UTF8.GetString(raw);
        if (flags > (TreeFormat.Ephemeral | TreeFormat.RefusesIncompressible) || limit < 0 || mode > PermissionMask)
            throw input.Damaged();
        if (_pools.Any(pool => pool.Name == name)) throw input.Damaged();
        if (Tree.Stat(maker.Root, raw, out _) != Errno.ENOENT)
            throw new TransferException($"there is a pool '{name}' already", "rename or destroy it, and restore again");
        var pool = new SavedPool(name, (flags & TreeFormat.Ephemeral) != 0, (flags & TreeFormat.RefusesIncompressible) != 0,
            codec, limit, mode, owner, group);
        var hidden = Hidden + Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(8));
        if (maker.Make(pool, hidden) is { } problem) throw Refused(name, "made", problem);
        _pools.Add((pool, name, hidden));
        Check(Tree.Open(maker.Root, Encoding.UTF8.GetBytes(hidden), Files.DirectoryOnly, 0, out _folder), raw);
        // Held until the pool has its name: who finds it without a holder knows that its restore was killed.
        Check(Tree.Open(_folder, "."u8, Files.DirectoryOnly, 0, out var held), raw);
        _locks.Add(held);
        Check(Files.Lock(held), raw);
        _stagingName = ".links-" + Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(8));
        _entry = new Entry("."u8.ToArray(), 0x4000 | mode, owner, group, 0, seconds, nanoseconds);
        _above.Push(_entry);
        _isSettled = true;
    }

    private void BeginEntry()
    {
        var (mode, owner, group, major, minor) = (input.Word(), input.Word(), input.Word(), input.Word(), input.Word());
        var (link, size, seconds, nanoseconds) = (input.Long(), input.Long(), (long)input.Long(), input.Word());
        var name = input.Name(input.Bytes(input.Word()));
        var target = input.Rest();
        if (mode >> 16 != 0 || size > LargestFile || nanoseconds >= 1_000_000_000
            || ((mode & TypeMask) != 0xA000 && target.Length > 0)) throw input.Damaged();
        _entries++;
        _entry = new Entry(name, mode, owner, group, link, seconds, nanoseconds);
        _isSettled = false;
        switch (mode & TypeMask)
        {
            case 0x4000: // a directory
                Check(Tree.MakeDirectory(_folder, name, 0x1C0), name);
                Check(Tree.Open(_folder, name, Files.DirectoryOnly, 0, out var below), name);
                Files.Close(_folder);
                _folder = below;
                _above.Push(_entry);
                _isSettled = true;
                break;
            case 0x8000: // a file
                Check(Tree.Open(_folder, name, Files.Create | Files.Exclusive | Tree.WriteOnly, 0x180, out _file), name);
                Check(Files.Truncate(_file, (long)size), name);
                break;
            case 0xA000: // a symbolic link
                if (target.Length is 0 or > 4095 || target.Contains((byte)0)) throw input.Damaged();
                Check(Tree.MakeLink(_folder, name, target), name);
                break;
            case 0x1000 or 0xC000 or 0x2000 or 0x6000: // a fifo, a socket, devices
                Check(Tree.MakeNode(_folder, name, (mode & TypeMask) | 0x180, major, minor), name);
                break;
            default: throw input.Damaged();
        }
    }

    private void Write()
    {
        if (_file < 0) throw input.Damaged();
        var at = input.Long();
        var bytes = input.Rest();
        if (at > LargestFile) throw input.Damaged();
        while (bytes.Length > 0)
        {
            Check(Files.WriteAt(_file, bytes, (long)at, out var written), _entry!.Name);
            bytes = bytes[written..];
            at += (ulong)written;
        }
    }

    /// <summary>After its contents: whose it is, and a second name by which others find it.</summary>
    private void Settle()
    {
        if (_isSettled || _entry is not { } entry) return;
        _isSettled = true;
        if (_file >= 0) Files.Close(_file);
        _file = -1;
        Check(Tree.ChangeOwner(_folder, entry.Name, entry.Owner, entry.Group), entry.Name);
        if ((entry.Mode & TypeMask) != 0xA000)
            Check(Tree.ChangeMode(_folder, entry.Name, entry.Mode & PermissionMask), entry.Name);
        if (entry.Link != 0) Check(Tree.Link(_folder, entry.Name, Staging(), Digits(entry.Link)), entry.Name);
    }

    private void SetAttribute()
    {
        if (_entry is not { } entry) throw input.Damaged();
        Settle();
        var name = input.Bytes(input.Word());
        if (name.Length is 0 or > 255 || name.Contains((byte)0) || name.StartsWith("user.tmem."u8)) throw input.Damaged();
        // Of a directory, and of the pool, it is the one that was entered.
        var own = (entry.Mode & TypeMask) == 0x4000 ? "."u8.ToArray() : entry.Name;
        Check(Tree.SetAttribute(_folder, own, name, input.Rest()), entry.Name);
    }

    /// <summary>The end of whatever began last. Times are set last: a directory's when all that it holds is there.</summary>
    private void Finish()
    {
        if (_entry is not { } entry) return;
        Settle();
        _entry = null;
        if ((entry.Mode & TypeMask) != 0x4000)
            Check(Tree.ChangeTime(_folder, entry.Name, entry.Seconds, entry.Nanoseconds), entry.Name);
    }

    private void MakeLink()
    {
        var link = input.Long();
        var name = input.Name(input.Rest());
        if (_staging < 0) throw input.Damaged();
        _entries++;
        Check(Tree.Link(_staging, Digits(link), _folder, name), name);
    }

    private void Ascend()
    {
        var entry = _above.Pop();
        if (_above.Count == 0)
        {
            EndPool(entry);
            return;
        }
        Check(Tree.Open(_folder, ".."u8, Files.DirectoryOnly, 0, out var parent), entry.Name);
        Files.Close(_folder);
        _folder = parent;
        SetAll(entry);
    }

    private void EndPool(Entry entry)
    {
        if (_staging >= 0)
        {
            List<byte[]> names = [];
            Check(Tree.List(_staging, names), entry.Name);
            foreach (var name in names) Check(Tree.Unlink(_staging, name), entry.Name);
            Files.Close(_staging);
            _staging = -1;
            Check(Tree.Unlink(_folder, Encoding.ASCII.GetBytes(_stagingName), isDirectory: true), entry.Name);
        }
        SetAll(entry);
        var (pool, _, hidden) = _pools[^1];
        if (pool.Limit > 0 && maker.Limit(pool, hidden) is { } problem) throw Refused(pool.Name, "given its limit", problem);
        Files.Close(_folder);
        _folder = -1;
    }

    private void SetAll(Entry entry)
    {
        Check(Tree.ChangeOwner(_folder, entry.Name, entry.Owner, entry.Group), entry.Name);
        Check(Tree.ChangeMode(_folder, entry.Name, entry.Mode & PermissionMask), entry.Name);
        Check(Tree.ChangeTime(_folder, entry.Name, entry.Seconds, entry.Nanoseconds), entry.Name);
    }

    /// <summary>A directory with a name for each file that has several: made at the pool's top when the first comes.</summary>
    private int Staging()
    {
        if (_staging >= 0) return _staging;
        var (_, _, hidden) = _pools[^1];
        Check(Tree.Open(maker.Root, Encoding.UTF8.GetBytes(hidden), Files.DirectoryOnly, 0, out var top), default);
        var name = Encoding.ASCII.GetBytes(_stagingName);
        var error = Tree.MakeDirectory(top, name, 0x1C0);
        if (error == Errno.Ok) error = Tree.Open(top, name, Files.DirectoryOnly, 0, out _staging);
        Files.Close(top);
        Check(error, name);
        return _staging;
    }

    private static byte[] Digits(ulong number) => Encoding.ASCII.GetBytes(number.ToString(CultureInfo.InvariantCulture));

    private void Check(Errno error, ReadOnlySpan<byte> name)
    {
        if (error != Errno.Ok)
            throw new TransferException($"'{Encoding.UTF8.GetString(name)}' of pool '{_pools[^1].Name}' cannot be restored: "
                + error.Problem(), "see to it, and restore again; nothing was restored");
    }

    private static TransferException Refused(string pool, string what, string problem) =>
        new($"pool '{pool}' cannot be {what}: {problem}", "see to it, and restore again; nothing was restored");
}
