using System.Runtime.InteropServices;

namespace Tmem.Engine.Format;

/// <summary>One row of the sharing table: a client's state for a shared id. 24 bytes.</summary>
[StructLayout(LayoutKind.Sequential, Size = 24)]
internal struct SharingEntry
{
    public ulong Low;
    public ulong High;
    /// <summary>Client : 32, state : 32; 0 while the row is free. Written last.</summary>
    public ulong Word;

    public const uint Authorised = 1;
    public const uint Member = 2;

    public readonly uint Client => (uint)(Word >> 32);
    public readonly uint State => (uint)Word;
}
