using System.IO.Hashing;
using Tmem.Engine.Codec;
using Tmem.Engine.Format;
using Tmem.Engine.Region;

namespace Tmem.Engine.Pam;

/// <summary>
/// The dictionaries of a region. The table in the superblock's page and the contents, in slots of their own kind of span, are the
/// truth; the tables to use them with, and the number of pages that need each, are the process's and made anew by an attach.
/// <para>A dictionary goes when no page needs it and nobody can still unpack with it. The first is counted: up before a page that
/// needs it is committed, down when that is freed. The second is the remover's to wait for: whoever has copied a page's stored
/// bytes is within a call of the engine, and after the count is 0 no call that begins can find such a page.</para>
/// <para>What a dictionary unpacks is checked against the page itself (<see cref="CompressedStore"/>), so a damaged one makes the
/// pages that need the damaged part corrupt, and no others. It is kept: most of its pages may be whole.</para>
/// </summary>
internal sealed unsafe class Dictionaries(RegionMemory memory, SlabAllocator slabs) : IDisposable
{
    private readonly Superblock* _superblock = (Superblock*)memory.Start;
    private readonly DictionaryEntry* _entries = (DictionaryEntry*)(memory.Start + RegionLayout.DictionaryTableOffset);
    private readonly ZstdDictionary?[] _open = new ZstdDictionary?[RegionLayout.MaximumDictionaries];
    private readonly long[] _needs = new long[byte.MaxValue + 1];
    private readonly long[] _charged = new long[RegionLayout.MaximumDictionaries];

    /// <summary>The most there can be.</summary>
    public const int Most = RegionLayout.MaximumDictionaries;

    /// <summary>For tests: called after each store that changes what a later attach finds.</summary>
    internal Action? AfterStore { get; set; }

    public ref DictionaryEntry this[int number] => ref _entries[number];

    /// <summary>The dictionary of a number, ready for use; null if there is none.</summary>
    public ZstdDictionary? Open(int number) => (uint)number < Most ? Volatile.Read(ref _open[number]) : null;

    /// <summary>Pages that need a dictionary, whether or not there is one of that number.</summary>
    public long Needs(int number) => Volatile.Read(ref _needs[number]);

    /// <summary>The figures of a dictionary; null if there is none of that number.</summary>
    public DictionaryStatistics? Describe(int number)
    {
        var entry = _entries[number];
        if (!entry.IsThere) return null;
        var slot = SlotOf(number);
        return new DictionaryStatistics(number, entry.Pool, DateTimeOffset.FromUnixTimeSeconds(entry.MadeAt),
            _charged[number] + (slot == 0 ? 0 : slabs.SlotBytes(slot)), Needs(number));
    }

    /// <summary>Memory of the tables of all dictionaries; it is part of the store's account.</summary>
    public long TableBytes => _charged.Sum();

    /// <summary>A page that needs it is about to be committed.</summary>
    public void Need(int number) => Interlocked.Increment(ref _needs[number]);

    /// <summary>A page that needs it has been freed.</summary>
    public void Release(int number) => Interlocked.Decrement(ref _needs[number]);

    public bool Decode(int number, ReadOnlySpan<byte> frame, Span<byte> page) => Open(number)?.Decode(frame, page) ?? false;

    /// <summary>
    /// The place of a dictionary's slot, as the table has it; 0 if there is none, or the entry is damaged and leads nowhere.
    /// </summary>
    public ulong SlotOf(int number)
    {
        ref var entry = ref _entries[number];
        return entry.IsThere && entry.IsSound(number) && slabs.IsSlot(entry.Slot, SpanKind.Dictionaries)
            && entry.Length <= slabs.SlotBytes(entry.Slot) - DictionaryEntry.ContentOffset ? entry.Slot : 0;
    }

    /// <summary>
    /// Notes, for good, that the region has dictionaries or ages of pages: older programs refuse it from here on.
    /// </summary>
    public void MarkRegion()
    {
        if (_superblock->Version == RegionLayout.Version) return;
        Volatile.Write(ref _superblock->Version, RegionLayout.Version);
        AfterStore?.Invoke();
    }

    /// <summary>After an attach's walk has counted the pages: opens the dictionaries they need, and drops the others.</summary>
    public void Adopt()
    {
        for (var number = 0; number < Most; number++)
        {
            if (!_entries[number].IsThere) continue;
            if (_needs[number] == 0) _entries[number].Word = 0;
            else if (SlotOf(number) is not 0 and var slot
                && ZstdDictionary.Over(slabs.At(slot) + DictionaryEntry.ContentOffset, _entries[number].Length) is { } open)
                Install(number, open);
        }
    }

    /// <summary>
    /// Fills a slot with a new dictionary, ready to compress with. Its number, or -1 if the table is full or memory short: then
    /// the slot is the caller's to free. It exists from <see cref="Commit"/>.
    /// </summary>
    /// <param name="slot">A slot of dictionaries that holds the content.</param>
    /// <param name="content">What the trainer made.</param>
    /// <param name="origin">The pool it was trained for and when, as in its entry.</param>
    /// <param name="level">The level it will be used at.</param>
    /// <param name="pageSize">The pages it will be used for.</param>
    public int Prepare(ulong slot, ReadOnlySpan<byte> content, ulong origin, int level, int pageSize)
    {
        var number = 0;
        while (number < Most && (_entries[number].IsThere || _open[number] is not null || Needs(number) != 0)) number++;
        if (number == Most) return -1;
        var at = slabs.At(slot) + DictionaryEntry.ContentOffset;
        content.CopyTo(new Span<byte>(at, content.Length));
        Volatile.Write(ref *(ulong*)slabs.At(slot), Committed);
        AfterStore?.Invoke();
        if (ZstdDictionary.Over(at, content.Length) is not { } open) return -1;
        if (!open.Digest(level, pageSize) || !slabs.Spans.TryCharge(open.Bytes))
        {
            open.Dispose();
            return -1;
        }
        ref var entry = ref _entries[number];
        entry.ContentSum = XxHash3.HashToUInt64(content);
        entry.Origin = origin;
        entry.Sum = DictionaryEntry.SumOf(number, DictionaryEntry.MakeWord(slot, content.Length), entry.ContentSum, origin);
        _charged[number] = open.Bytes;
        Volatile.Write(ref _open[number], open);
        return number;
    }

    /// <summary>The one store that makes a prepared dictionary exist. No checkpoint may copy the region meanwhile.</summary>
    public void Commit(int number, ulong slot, int length) => Store(number, DictionaryEntry.MakeWord(slot, length));

    /// <summary>Frees the tables to compress with of a dictionary that no new page will need.</summary>
    public void StopCompressing(int number)
    {
        if (Open(number) is not { IsDigested: true } open) return;
        open.Forget();
        Recharge(number, open.Bytes);
    }

    /// <summary>
    /// Makes an attached dictionary ready to compress with again. False if it is damaged or memory short.
    /// </summary>
    public bool TryDigest(int number, int level, int pageSize)
    {
        if (Open(number) is not { } open) return false;
        if (open.IsDigested) return true;
        if (!IsWhole(number) || !open.Digest(level, pageSize)) return false;
        if (slabs.Spans.TryCharge(open.Bytes - _charged[number]))
        {
            _charged[number] = open.Bytes;
            return true;
        }
        open.Forget();
        return false;
    }

    /// <summary>The one store that ends a dictionary. As <see cref="Commit"/>, and nothing needs it.</summary>
    public void End(int number) => Store(number, 0);

    /// <summary>Frees an ended dictionary, once nobody can be using it.</summary>
    public void Free(int number, ulong slot)
    {
        Interlocked.Exchange(ref _open[number], null)?.Dispose();
        Recharge(number, 0);
        slabs.Free(slot);
        AfterStore?.Invoke();
    }

    /// <summary>Whether a dictionary's entry and content are as they were made.</summary>
    public bool IsWhole(int number) => SlotOf(number) is not 0 and var slot && _entries[number].ContentSum
        == XxHash3.HashToUInt64(new ReadOnlySpan<byte>(slabs.At(slot) + DictionaryEntry.ContentOffset, _entries[number].Length));

    public void Dispose()
    {
        foreach (var open in _open) open?.Dispose();
    }

    /// <summary>The first word of a slot in use: anything but <see cref="SlotState"/>'s.</summary>
    private const ulong Committed = 2;

    private void Store(int number, ulong word)
    {
        Volatile.Write(ref _entries[number].Word, word);
        AfterStore?.Invoke();
    }

    private void Install(int number, ZstdDictionary open)
    {
        Recharge(number, open.Bytes);
        Volatile.Write(ref _open[number], open);
    }

    private void Recharge(int number, long bytes)
    {
        if (bytes > _charged[number]) slabs.Spans.Charge(bytes - _charged[number]);
        else slabs.Spans.Uncharge(_charged[number] - bytes);
        _charged[number] = bytes;
    }
}
