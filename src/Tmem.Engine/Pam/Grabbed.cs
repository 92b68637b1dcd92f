namespace Tmem.Engine.Pam;

/// <summary>What a grab found. The stored bytes themselves are where it was told to copy them.</summary>
/// <param name="Kind">What it is.</param>
/// <param name="Length">Stored bytes; 0 unless <see cref="GrabKind.Stored"/>.</param>
/// <param name="Format">Their format.</param>
/// <param name="Checksum">Their checksum.</param>
/// <param name="Word">Of <see cref="GrabKind.Fill"/>: the word of which the page is made.</param>
internal readonly record struct Grabbed(GrabKind Kind, int Length = 0, int Format = 0, uint Checksum = 0, ulong Word = 0);

/// <summary>What a grab found.</summary>
internal enum GrabKind : byte { Nothing, Stored, Fill, Damaged }
