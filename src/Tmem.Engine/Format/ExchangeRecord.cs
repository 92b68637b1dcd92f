using System.Runtime.InteropServices;

namespace Tmem.Engine.Format;

/// <summary>An exchange under way, 40 bytes of the superblock's page.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct ExchangeRecord
{
    /// <summary>1 from before the first leaf is changed until after the second is.</summary>
    public ulong Valid;
    public ulong LeafA;
    public ulong LeafB;
    /// <summary>The leaves' contents before.</summary>
    public ulong PageA;
    public ulong PageB;
}
