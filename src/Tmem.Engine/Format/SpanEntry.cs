using System.Runtime.InteropServices;

namespace Tmem.Engine.Format;

/// <summary>The use of a span. Part of the region's format.</summary>
internal enum SpanKind : byte
{
    Free = 0,
    PersistentPages = 1,
    EphemeralPages = 2,
    Nodes = 3,
    Objects = 4,
    Records = 5,
    Dictionaries = 6,
}

/// <summary>
/// One span of the span table. The first word is the truth (written before any slot of the span is committed); the others are
/// derived, and an attach rebuilds them.
/// </summary>
[StructLayout(LayoutKind.Sequential, Size = RegionLayout.SpanEntryBytes)]
internal struct SpanEntry
{
    public SpanKind Kind;
    public byte Class;

    /// <summary>Pages of the span that hold memory, from its start.</summary>
    public ushort Present;
    private readonly uint _reserved0;

    /// <summary>Slots in use.</summary>
    public ushort Live;
    /// <summary>Slots at or above this one have never been used.</summary>
    public ushort Bump;
    /// <summary>First free slot + 1 below <see cref="Bump"/>; 0 is none. The chain continues in the slots.</summary>
    public ushort FreeHead;
    /// <summary>The list of its class that the span is in.</summary>
    public SpanList List;
    private readonly byte _reserved1;
    /// <summary>Neighbours in that list (or in the list of ready or returned spans), as span + 1; 0 is none.</summary>
    public uint Next;
    public uint Previous;
    private readonly ulong _reserved2;
}

/// <summary>The lists of a class: spans with free slots by how many of their slots are in use.</summary>
internal enum SpanList : byte
{
    /// <summary>In no list: full.</summary>
    None = 0,
    Quarter = 1,
    Half = 2,
    ThreeQuarters = 3,
    NearlyFull = 4,

    /// <summary>In the list of empty spans that keep their memory.</summary>
    Ready = 253,

    /// <summary>In the list of empty spans whose memory was given back.</summary>
    Returned = 254,

    /// <summary>In no list: the compactor empties it.</summary>
    Isolated = 255,
}
