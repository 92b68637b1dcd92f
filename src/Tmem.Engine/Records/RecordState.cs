namespace Tmem.Engine.Records;

/// <summary>What became of a record that was committed once.</summary>
internal enum RecordState
{
    /// <summary>It exists.</summary>
    Committed,

    /// <summary>It exists no longer, and its slot and contents are there: the embedder's log may bring it back.</summary>
    Retired,

    /// <summary>One of its header's bits has flipped.</summary>
    Damaged,
}
