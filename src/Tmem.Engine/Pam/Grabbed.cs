namespace Tmem.Engine.Pam;

/// <summary>The result of a grab. The stored bytes themselves are in the buffer given to it.</summary>
/// <param name="Kind">The kind of result.</param>
/// <param name="Length">Stored bytes; 0 unless <see cref="GrabKind.Stored"/>.</param>
/// <param name="Format">Their format.</param>
/// <param name="Checksum">Their checksum.</param>
/// <param name="Word">For <see cref="GrabKind.Fill"/>: the word that fills the page.</param>
internal readonly record struct Grabbed(GrabKind Kind, int Length = 0, int Format = 0, uint Checksum = 0, ulong Word = 0);

/// <summary>The kinds of result of a grab.</summary>
internal enum GrabKind : byte { Nothing, Stored, Fill, Damaged }
