using System.Runtime.InteropServices;

namespace Tmem.Engine.Format;

/// <summary>The first bytes of a region.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct Superblock
{
    public ulong Magic;
    public uint Version;
    public uint SpanBytes;
    /// <summary>Slab spans the span table has entries for.</summary>
    public long SpanCount;
    /// <summary>How often the region has been opened, not counting opens that left its file unchanged.</summary>
    public long Generation;
    /// <summary>The embedder's root record.</summary>
    public ulong RecordRoot;
    /// <summary>Earlier programs noted an orderly close here; nothing ever read it.</summary>
    private readonly ulong _reserved;
    /// <summary>Spans at or above this one have never held memory. A hint: an attach only raises it.</summary>
    public long HighWater;
    /// <summary>Bit n - 1: restore n is under way, and the pools that name it do not exist yet.</summary>
    public ulong OpenRestores;
}
