namespace Tmem.Engine.Records;

/// <summary>The state of a record that was once committed.</summary>
internal enum RecordState
{
    /// <summary>It exists.</summary>
    Committed,

    /// <summary>It no longer exists, but its slot and contents do: the embedder's log may restore it.</summary>
    Retired,

    /// <summary>A bit of its header has flipped.</summary>
    Damaged,
}
