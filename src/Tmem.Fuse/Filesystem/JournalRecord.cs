using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Tmem.Fuse.Filesystem;

/// <summary>One a region: what the words were that the operation under way has changed. See <see cref="Journal"/>.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct JournalRecord
{
    /// <summary>
    /// Notes of the longest operation: READDIRPLUS counts a lookup for each of <see cref="AnswerRecord.MaximumLookups"/> entries and leaves an
    /// answer. The others need at most six.
    /// </summary>
    public const int Capacity = 64;

    /// <summary>Notes that hold. 0: no operation is under way.</summary>
    public ulong Count;
    public JournalNotes Notes;
}

[InlineArray(JournalRecord.Capacity)]
internal struct JournalNotes
{
    private JournalNote _first;
}

/// <summary>A word and what it was.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct JournalNote
{
    public ulong Place;
    public ulong Before;
}
