namespace Tmem.Engine.Records;

/// <summary>
/// The payload of a record. Every struct has a kind of its own, so that a reference cannot be taken for another's.
/// </summary>
internal interface IRecord
{
    /// <summary>The kind, 1 to 255.</summary>
    static abstract byte Kind { get; }
}
