namespace Tmem.Engine.Records;

/// <summary>
/// A reference to a record: its place in the region in units of 16 bytes. 0 is none. Stays valid across attach.
/// </summary>
/// <param name="Value">The place.</param>
internal readonly record struct RecordRef(ulong Value)
{
    /// <summary>No record.</summary>
    public static RecordRef None => default;

    /// <summary>True for the reference to nothing.</summary>
    public bool IsNone => Value == 0;
}
