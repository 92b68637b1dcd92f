namespace Tmem.Engine.Records;

/// <summary>
/// A reference does not lead to a whole record of its kind: memory or the region's file is damaged. A server returns an error for
/// the operation that led here and continues.
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
