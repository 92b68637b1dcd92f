namespace Tmem.Engine.Records;

/// <summary>
/// A reference leads to no whole record of the kind it should: memory or the region's file is damaged. Who serves many answers an
/// error for the one thing that leads here and goes on.
/// </summary>
internal sealed class DamagedRecordException : Exception
{
    /// <summary>A damaged record.</summary>
    public DamagedRecordException() : base("a record is damaged") { }

    /// <summary>A damaged record.</summary>
    public DamagedRecordException(string message) : base(message) { }

    /// <summary>A damaged record.</summary>
    public DamagedRecordException(string message, Exception inner) : base(message, inner) { }

    internal DamagedRecordException(RecordRef record) : base($"record {record.Value} is damaged, or what refers to it is") { }
}
