using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Tmem.Engine.Records;

namespace Tmem.Fuse.Filesystem;

/// <summary>
/// One a region: the old values of the words that the operation under way has changed. See <see cref="Journal"/>.
/// </summary>
[StructLayout(LayoutKind.Sequential)]
internal struct JournalRecord : IRecord
{
    /// <summary>
    /// Notes of the longest operation: READDIRPLUS counts a lookup for each of <see cref="AnswerRecord.MaximumLookups"/> entries
    /// and leaves an answer. The others need at most ten.
    /// </summary>
    public const int Capacity = 64;

    /// <summary>Number of valid notes. 0: no operation is under way.</summary>
    public ulong Count;
    /// <summary>
    /// Operations ended so far. Part of each note's sum: the notes of an ended operation are invalid, whatever the count.
    /// </summary>
    public ulong Ended;
    public JournalNotes Notes;

    static byte IRecord.Kind => RecordKind.Journal;
}

[InlineArray(JournalRecord.Capacity)]
internal struct JournalNotes
{
    private JournalNote _first;
}

/// <summary>A word's place and its old value.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct JournalNote
{
    public ulong Place;
    public ulong Before;
    /// <summary>Of the two and the operation's number: a note that fails it is not put back.</summary>
    public ulong Sum;

    public static ulong SumOf(ulong place, ulong before, ulong operation)
    {
        var high = Math.BigMul(place ^ 0x9E3779B97F4A7C15UL, operation ^ 0xD1B54A32D192ED03UL, out var low);
        var sum = high ^ low ^ System.Numerics.BitOperations.RotateLeft(before, 29);
        high = Math.BigMul(sum ^ 0x8CB92BA72F3D8DD7UL, before ^ 0xAEF17502108EF2D9UL, out low);
        return high ^ low;
    }
}
