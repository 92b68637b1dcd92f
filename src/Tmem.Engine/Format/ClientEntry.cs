using System.Runtime.InteropServices;

namespace Tmem.Engine.Format;

/// <summary>One place of the client table: 16 bytes. A client without an entry has the defaults.</summary>
[StructLayout(LayoutKind.Sequential, Size = 16)]
internal struct ClientEntry
{
    /// <summary>The client's number; 0 while the place is free.</summary>
    public ulong LivingId;
    /// <summary>Weight, limit and whether it is frozen, in one word.</summary>
    public ulong Settings;
}
