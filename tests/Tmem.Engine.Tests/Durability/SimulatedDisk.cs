using Tmem.Engine.Durability;
using Xunit;

namespace Tmem.Engine.Tests.Durability;

/// <summary>
/// A disk that records every write in order, and can produce what it might hold after a power cut at any moment: all that was
/// written before the last completed sync, and any part of what was written since, in any order, sector by sector.
/// </summary>
internal sealed unsafe class SimulatedDisk : IImageFile
{
    private const int Sector = 512;

    private readonly List<Operation> _log = [];
    private readonly Lock _lock = new();
    private readonly Random _random = new(1);
    private SparseBytes _now;
    private readonly HashSet<long> _reserved = [];

    public SimulatedDisk(SparseBytes? contents = null)
    {
        Initial = contents ?? new SparseBytes();
        _now = Initial.Copy();
    }

    /// <summary>Called before each operation; an errno other than 0 makes it fail.</summary>
    public Func<string, int>? Fails { get; set; }

    /// <summary>Called, outside any lock, before each operation.</summary>
    public Action<string>? Before { get; set; }

    public SparseBytes Initial { get; }
    public SparseBytes Contents { get { lock (_lock) return _now.Copy(); } }
    public string Name => "the simulated disk";
    public string? RemovedAt { get; set; }
    public string? MovedTo { get; set; }
    public long Length { get { lock (_lock) return _now.Length; } }

    /// <summary>Operations so far: a moment to cut the power at.</summary>
    public int Now { get { lock (_lock) return _log.Count; } }

    /// <summary>Operations of one kind since a given moment.</summary>
    public int Count(string what, int from = 0) { lock (_lock) return _log.Skip(from).Count(one => one.Kind == what); }

    /// <summary>Bytes that the disk has for the file, in blocks of a page; a write to a hole needs new ones.</summary>
    public long Size { get; set; } = long.MaxValue;

    /// <summary>Bytes that the file takes, including those reserved for it.</summary>
    public long UsedBytes { get { lock (_lock) return (_now.PageCount + _reserved.Count) * 4096L; } }

    /// <summary>Whether room can be reserved. If not, the call fails, as on a file system that does not support it.</summary>
    public bool CanReserve { get; set; } = true;

    public long FreeBytes => Size == long.MaxValue ? -1 : Math.Max(0, Size - UsedBytes);

    public int Allocate(long offset, long length)
    {
        if (Ask("allocate") is var error and not 0) return error;
        if (!CanReserve) return 0;
        lock (_lock)
        {
            for (var page = offset / 4096; page < (offset + length) / 4096; page++)
            {
                if (_now.Has(page) || _reserved.Contains(page)) continue;
                // Part of it is there then.
                if (Size != long.MaxValue && UsedBytes + 4096 > Size) return Tmds.Linux.LibC.ENOSPC;
                _reserved.Add(page);
            }
        }
        return 0;
    }

    public int Read(long offset, byte* into, int length)
    {
        if (Ask("read") is var error and not 0) return error;
        lock (_lock) _now.Read(offset, new Span<byte>(into, length));
        return 0;
    }

    public int Write(long offset, byte* data, int length)
    {
        Assert.Equal(0, ((nint)data | (nint)offset | length) & 4095);
        if (Ask("write") is var error and not 0) return error;
        if (!HasRoom(offset, length)) return Tmds.Linux.LibC.ENOSPC;
        return Log(new Operation("write", offset, length, new ReadOnlySpan<byte>(data, length).ToArray()));
    }

    public int Punch(long offset, long length) => Ask("punch") is var error and not 0 ? error
        : Log(new Operation("punch", offset, length, null));

    public int SetLength(long length) => Ask("length") is var error and not 0 ? error
        : Log(new Operation("length", length, 0, null));

    public int Sync()
    {
        var error = Ask("sync");
        if (error == 0) return Log(new Operation("sync", 0, 0, null));
        LoseUnsynced();
        return error;
    }

    public bool NextData(long from, out long start, out long end)
    {
        lock (_lock) return _now.NextData(from, out start, out end);
    }

    public void Dispose() { }

    /// <summary>What the disk might hold after a power cut at a given moment.</summary>
    public SparseBytes AfterPowerCut(int moment, Random random)
    {
        Operation[] log;
        lock (_lock) log = [.. _log.Take(moment)];
        var sure = Array.FindLastIndex(log, one => one.Kind == "sync") + 1;
        var disk = Initial.Copy();
        for (var i = 0; i < sure; i++) log[i].Apply(disk);
        var later = log[sure..];
        switch (random.Next(4))
        {
            case 0: break;                                                        // nothing of it
            case 1: foreach (var one in later) one.Apply(disk); break;            // all of it
            case 2:                                                               // whole writes, some, in any order
                random.Shuffle(later);
                foreach (var one in later) { if (random.Next(2) == 0) one.Apply(disk); }
                break;
            default:                                                              // torn ones
                random.Shuffle(later);
                foreach (var one in later)
                {
                    if (one.Data is null) { if (random.Next(2) == 0) one.Apply(disk); continue; }
                    var likely = random.Next(1, 100);
                    for (var at = 0; at < one.Data.Length; at += Sector)
                        if (random.Next(100) < likely) disk.Write(one.Offset + at, one.Data.AsSpan(at, Sector));
                }
                break;
        }
        return disk;
    }

    /// <summary>
    /// What a failed sync does on Linux: some of the writes never reach the disk, and the next sync does not report it.
    /// </summary>
    private void LoseUnsynced()
    {
        lock (_lock)
        {
            for (var i = _log.Count - 1; i >= 0 && _log[i].Kind != "sync"; i--)
            {
                if (_random.Next(2) == 0) _log[i] = new Operation("lost", 0, 0, null);
            }
            _now = Initial.Copy();
            foreach (var one in _log) one.Apply(_now);
        }
    }

    private bool HasRoom(long offset, long length)
    {
        if (Size == long.MaxValue) return true;
        lock (_lock)
        {
            var wanted = 0L;
            for (var page = offset / 4096; page < (offset + length) / 4096; page++)
                wanted += _now.Has(page) || _reserved.Contains(page) ? 0 : 4096;
            return UsedBytes + wanted <= Size;
        }
    }

    private int Ask(string what)
    {
        Before?.Invoke(what);
        return Fails?.Invoke(what) ?? 0;
    }

    private int Log(Operation operation)
    {
        lock (_lock)
        {
            _log.Add(operation);
            operation.Apply(_now);
            if (operation.Kind == "write") _reserved.RemoveWhere(_now.Has);
            if (operation.Kind == "punch")
                _reserved.RemoveWhere(page => page >= operation.Offset / 4096
                    && page < (operation.Offset + operation.Count) / 4096);
            if (operation.Kind == "length") _reserved.RemoveWhere(page => page >= operation.Offset / 4096);
        }
        return 0;
    }

    private sealed record Operation(string Kind, long Offset, long Count, byte[]? Data)
    {
        public void Apply(SparseBytes disk)
        {
            switch (Kind)
            {
                case "write": disk.Write(Offset, Data); break;
                case "punch": disk.Punch(Offset, Count); break;
                case "length": disk.SetLength(Offset); break;
            }
        }
    }
}

/// <summary>The bytes of a sparse file.</summary>
internal sealed class SparseBytes
{
    private const int Page = 4096;

    private readonly SortedDictionary<long, byte[]> _pages;

    public SparseBytes() => _pages = [];

    private SparseBytes(SparseBytes other)
    {
        _pages = new SortedDictionary<long, byte[]>(other._pages);
        Length = other.Length;
    }

    public long Length { get; private set; }

    public int PageCount => _pages.Count;

    public bool Has(long page) => _pages.ContainsKey(page);

    public int PagesBelow(long offset) => _pages.Keys.Count(page => page < offset / Page);

    public SparseBytes Copy() => new(this);

    public void Read(long offset, Span<byte> into)
    {
        into.Clear();
        for (var at = 0; at < into.Length; at += Page)
            if (_pages.TryGetValue((offset + at) / Page, out var page)) page.CopyTo(into[at..]);
    }

    public void Write(long offset, ReadOnlySpan<byte> data)
    {
        while (!data.IsEmpty)
        {
            var within = (int)(offset % Page);
            var part = data[..Math.Min(data.Length, Page - within)];
            // Copies share pages, so a page that changes gets a new array.
            var page = new byte[Page];
            if (_pages.TryGetValue(offset / Page, out var old)) old.CopyTo(page, 0);
            part.CopyTo(page.AsSpan(within));
            _pages[offset / Page] = page;
            offset += part.Length;
            data = data[part.Length..];
        }
        Length = Math.Max(Length, offset);
    }

    public void Punch(long offset, long length)
    {
        for (var page = offset / Page; page < (offset + length) / Page; page++) _pages.Remove(page);
    }

    public void SetLength(long length)
    {
        foreach (var page in _pages.Keys.Where(page => page >= length / Page).ToList()) _pages.Remove(page);
        Length = length;
    }

    public bool NextData(long from, out long start, out long end)
    {
        foreach (var page in _pages.Keys)
        {
            start = page * Page;
            if (start < from / Page * Page) continue;
            for (end = start; _pages.ContainsKey(end / Page); end += Page) { }
            return true;
        }
        start = end = 0;
        return false;
    }
}
