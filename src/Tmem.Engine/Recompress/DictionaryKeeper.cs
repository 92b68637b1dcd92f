using System.Runtime.InteropServices;
using Tmem.Engine.Codec;
using Tmem.Engine.Format;
using Tmem.Engine.Operations;
using Tmem.Engine.Pam;
using Tmem.Engine.Pools;
using Tmem.Engine.Reclaim;
using Tmem.Engine.Region;

namespace Tmem.Engine.Recompress;

/// <summary>
/// Which dictionary a pool's pages get: trains them, replaces one that has become a bad choice, and frees those that nobody needs
/// any more. A pool with more than <see cref="OwnFrom"/> of pages has its own; the small ones share.
/// <para>A dictionary is made anew when one trained on a fresh sample does better, on other fresh pages, by more than a
/// twentieth. At most <see cref="MostAlive"/> of a group are kept: pages of an older one are stored anew as the pass meets them.
/// </para>
/// </summary>
internal sealed unsafe class DictionaryKeeper
{
    /// <summary>Pages, unpacked, from which on a pool has dictionaries of its own.</summary>
    public const long OwnFrom = 64 << 20;

    private const int MostAlive = 4;

    /// <summary>A twentieth better is worth a new dictionary.</summary>
    private const double WorthIt = 0.95;

    private static readonly TimeSpan s_longestWait = TimeSpan.FromSeconds(1);

    private readonly Dictionaries _dictionaries;
    private readonly SlabAllocator _slabs;
    private readonly PoolTable _pools;
    private readonly Compactor _compactor;
    private readonly Func<TimeSpan, bool> _waitForCalls;
    private readonly PageSampler _sampler;
    private readonly ZstdPacker _packer;
    private readonly RecompressionSettings _settings;
    private readonly Dictionary<PoolId, DictionaryGroup> _groups = [];
    private readonly bool[] _isOld = new bool[Dictionaries.Most];

    /// <param name="dictionaries">The region's.</param>
    /// <param name="slabs">Where they lie.</param>
    /// <param name="pools">Whom they are for.</param>
    /// <param name="compactor">Makes room for one.</param>
    /// <param name="waitForCalls">
    /// Waits, at most so long, for the calls of the engine that are under way; false if one still is.
    /// </param>
    /// <param name="sampler">Takes pages to train on.</param>
    /// <param name="packer">Tries dictionaries out.</param>
    /// <param name="settings">How.</param>
    public DictionaryKeeper(Dictionaries dictionaries, SlabAllocator slabs, PoolTable pools, Compactor compactor,
        Func<TimeSpan, bool> waitForCalls, PageSampler sampler, ZstdPacker packer, RecompressionSettings settings)
    {
        _dictionaries = dictionaries;
        _slabs = slabs;
        _pools = pools;
        _compactor = compactor;
        _waitForCalls = waitForCalls;
        _sampler = sampler;
        _packer = packer;
        _settings = settings;
        // After an attach: the newest of each group goes on, if it is whole.
        foreach (var number in Numbers().OrderBy(number => dictionaries[number].MadeAt))
        {
            if (dictionaries.IsWhole(number)) Group(dictionaries[number].Pool).Current = number;
        }
    }

    /// <summary>The number of trainings, and of those whose dictionary was taken into use.</summary>
    public (int Tried, int Taken) Trainings { get; private set; }

    /// <summary>
    /// The dictionary for a page of a pool, ready to compress with; -1 if there is none yet. May train one, which takes a second.
    /// </summary>
    public int For(Pool pool, Span<byte> stored, Span<byte> page)
    {
        var group = Group(IsLarge(pool) ? pool.Id : default);
        if (Environment.TickCount64 >= group.NextTraining) Train(group, stored, page);
        if (group.Current < 0 || !_dictionaries.TryDigest(group.Current, _settings.Level, PageSizes.Smallest)) return -1;
        return group.Current;
    }

    /// <summary>Whether the pages of a dictionary are to be stored anew, so that it can go.</summary>
    public bool IsOld(int number) => (uint)number < Dictionaries.Most && _isOld[number];

    /// <summary>No new page gets this dictionary. For tests.</summary>
    internal void Retire(int number)
    {
        var group = Group(_dictionaries[number].Pool);
        (group.Current, group.NextTraining) = (-1, 0);
    }

    /// <summary>
    /// Between two passes: frees what no page needs, and decides which dictionaries are too many.
    /// </summary>
    public void Tidy()
    {
        Array.Clear(_isOld);
        foreach (var alive in Numbers().GroupBy(number => _dictionaries[number].Pool))
        {
            var spare = alive.Where(number => !IsCurrent(number)).OrderByDescending(number => _dictionaries[number].MadeAt)
                .ToList();
            foreach (var number in spare) _dictionaries.StopCompressing(number);
            foreach (var number in spare.Skip(MostAlive - 1)) _isOld[number] = true;
        }
        var unused = Numbers().Where(number => !IsCurrent(number) && _dictionaries.Needs(number) == 0).ToList();
        // Who has copied a page's bytes before its last need ended may still unpack them.
        if (unused.Count == 0 || !_waitForCalls(s_longestWait)) return;
        foreach (var number in unused)
        {
            var slot = _dictionaries.SlotOf(number);
            // A checkpoint must not copy the table in between, as with pages' leaves: see Standstill.
            _pools.WhileUnchanged(() => _dictionaries.End(number));
            if (slot != 0) _dictionaries.Free(number, slot);
        }
    }

    private bool IsCurrent(int number) =>
        _groups.TryGetValue(_dictionaries[number].Pool, out var group) && group.Current == number && IsAlive(group);

    /// <summary>A group without its pool has no more pages to come.</summary>
    private bool IsAlive(DictionaryGroup group) => group.Pool == default || _pools.Holding(group.Pool) is { IsEnding: false };

    private IEnumerable<int> Numbers() => Enumerable.Range(0, Dictionaries.Most).Where(number => _dictionaries[number].IsThere);

    private DictionaryGroup Group(PoolId pool)
    {
        if (!_groups.TryGetValue(pool, out var group)) _groups.Add(pool, group = new DictionaryGroup(pool));
        return group;
    }

    private static bool IsLarge(Pool pool) => pool.Counters.Sum(Count.Pages) * pool.PageSize >= OwnFrom;

    private void Train(DictionaryGroup group, Span<byte> stored, Span<byte> page)
    {
        group.NextTraining = Environment.TickCount64 + (long)_settings.BetweenTries.TotalMilliseconds;
        var size = _settings.SampleBytes;
        var memory = (byte*)NativeMemory.Alloc((nuint)size);
        try
        {
            var filled = _sampler.Fill(pool => group.Pool == default ? !IsLarge(pool) : pool.Id == group.Pool,
                new Span<byte>(memory, size), stored, page);
            var sample = new ReadOnlySpan<byte>(memory, filled);
            if (filled < _settings.FewestSampleBytes) return;
            // The last quarter tells whether the new one is better; a first one needs no such proof.
            var training = group.Current < 0 ? sample : sample[..(filled * 3 / 4 & -PageSizes.Smallest)];
            var content = new Span<byte>(NativeMemory.Alloc((nuint)_settings.DictionaryBytes), _settings.DictionaryBytes);
            try
            {
                var length = ZstdTrainer.Train(training, PageSizes.Smallest, content, _settings.Level);
                Trainings = (Trainings.Tried + 1, Trainings.Taken);
                if (length == 0) return;
                var added = Add(group, content[..length]);
                if (added < 0) return;
                if (group.Current >= 0 && !IsBetter(added, group.Current, sample[training.Length..])) Drop(added);
                else
                {
                    group.Current = added;
                    Trainings = (Trainings.Tried, Trainings.Taken + 1);
                }
                group.NextTraining = Environment.TickCount64 + (long)_settings.BetweenTrainings.TotalMilliseconds;
            }
            finally { NativeMemory.Free(System.Runtime.CompilerServices.Unsafe.AsPointer(ref content[0])); }
        }
        finally { NativeMemory.Free(memory); }
    }

    /// <summary>Makes a dictionary exist in the region; -1 if there is no room for it.</summary>
    private int Add(DictionaryGroup group, ReadOnlySpan<byte> content)
    {
        var sizeClass = SizeClasses.For(content.Length + DictionaryEntry.ContentOffset);
        var search = new RoomSearch();
        ulong slot;
        while ((slot = _slabs.Allocate(SpanKind.Dictionaries, sizeClass)) == 0)
            if (!_compactor.Win(MovesAStep, ref search)) return -1;
        _dictionaries.MarkRegion();
        var origin = DictionaryEntry.MakeOrigin(group.Pool, DateTimeOffset.UtcNow.ToUnixTimeSeconds());
        var number = _dictionaries.Prepare(slot, content, origin, _settings.Level, PageSizes.Smallest);
        if (number < 0)
        {
            _slabs.Free(slot);
            return -1;
        }
        var length = content.Length;
        _pools.WhileUnchanged(() => _dictionaries.Commit(number, slot, length));
        return number;
    }

    private const int MovesAStep = 256;

    /// <summary>Gives up a dictionary that no page has been stored with.</summary>
    private void Drop(int number)
    {
        var slot = _dictionaries.SlotOf(number);
        _pools.WhileUnchanged(() => _dictionaries.End(number));
        if (slot != 0) _dictionaries.Free(number, slot);
    }

    private bool IsBetter(int candidate, int current, ReadOnlySpan<byte> pages)
    {
        if (!_dictionaries.TryDigest(current, _settings.Level, PageSizes.Smallest)) return true;
        return BytesWith(candidate, pages) < WorthIt * BytesWith(current, pages);
    }

    private long BytesWith(int number, ReadOnlySpan<byte> pages)
    {
        Span<byte> room = stackalloc byte[PageSizes.Smallest];
        long bytes = 0;
        for (; pages.Length > 0; pages = pages[PageSizes.Smallest..])
        {
            var length = _packer.Encode(_dictionaries.Open(number)!, pages[..PageSizes.Smallest], room);
            bytes += length == 0 ? PageSizes.Smallest : length;
        }
        return bytes;
    }
}
