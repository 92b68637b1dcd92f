using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Tmem.Engine.Records;

namespace Tmem.Fuse.Filesystem;

/// <summary>
/// The outcome of an operation on names, kept in case its request is sent again: 512 bytes, so that the slots of two threads
/// share a cache line only at their seam. It is valid from the store of <see cref="Unique"/> on, which is a noted word of the
/// operation's own transaction. Failures leave no answer: they change nothing, and running the request again finds the same
/// error.
/// </summary>
[StructLayout(LayoutKind.Sequential)]
internal struct AnswerRecord
{
    /// <summary>Entries of one READDIRPLUS reply that count a lookup: they fill the rest of a slot's 512 bytes.</summary>
    public const int MaximumLookups = 56;

    /// <summary>The request; 0: the slot is empty.</summary>
    public ulong Unique;
    /// <summary>Number of the process that left it, counted from 1.</summary>
    public ulong Process;
    public Answer Answer;
    /// <summary>Inodes that a READDIRPLUS has counted a lookup of.</summary>
    public AnsweredLookups Lookups;
}

/// <summary>The answer itself: the numbers from which the reply is rebuilt.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct Answer
{
    /// <summary>The inode handed out, and the directory that it was found in; 0 if none.</summary>
    public ulong Inode;
    public ulong Directory;
    /// <summary>The handle opened, and its FOPEN flags; 0 if none.</summary>
    public ulong Handle;
    public ulong OpenFlags;
    /// <summary>FORGET and BATCH_FORGET: how many nodes of the message have been forgotten.</summary>
    public ulong Forgotten;
    /// <summary>READDIRPLUS: how many of <see cref="AnswerRecord.Lookups"/> are valid.</summary>
    public ulong LookupCount;
}

[InlineArray(AnswerRecord.MaximumLookups)]
internal struct AnsweredLookups
{
    private ulong _first;
}

/// <summary>Slots that share a record: as many as fit, rounded down.</summary>
[InlineArray(Length)]
internal struct AnswerBank : IRecord
{
    public const int Length = 32;

    static byte IRecord.Kind => RecordKind.Answers;

    private AnswerRecord _first;
}
