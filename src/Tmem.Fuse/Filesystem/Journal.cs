using Tmem.Engine.Records;

namespace Tmem.Fuse.Filesystem;

/// <summary>
/// Makes an operation on names, which changes several words, happen wholly or not at all: before a word that is truth is stored, its place and
/// what it was are noted in the region; one store, that of the count of notes to 0, ends the operation. Whoever takes up a region with notes in it
/// puts the words back, last first. The caller holds the namespace lock, from Begin to Commit.
/// <para>
/// An undo log and no redo log, because the words are then changed in place at once, so that the operation reads what it has written, and a
/// recovery needs to know nothing of operations. Not noted: derived fields; times, for an operation that is undone is carried out again later;
/// the counter of the root record, which may skip numbers; and what belongs to no existing record yet. Everything that can fail (finding,
/// refusing, allocating) comes before Begin: nothing is ever undone while the process lives.
/// </para>
/// </summary>
internal sealed class Journal(RecordStore records, RecordRef log)
{
    // The most that one operation retires are two records; names are removed and values replaced one at a time.
    private readonly RecordRef[] _retired = new RecordRef[2];
    private int _retiredCount;

    private ref JournalRecord Log => ref records.Get<JournalRecord>(log);

    /// <summary>Whether an operation is between its first note and its end.</summary>
    public bool IsOpen => Volatile.Read(ref Log.Count) != 0;

    /// <summary>Begins an operation that cannot fail any more.</summary>
    public void Begin()
    {
        if (IsOpen)
            throw new InvalidOperationException("an earlier operation on names failed half way; restart the daemon, which undoes it");
        _retiredCount = 0;
    }

    /// <summary>Changes a word of a record.</summary>
    public void Set(ref ulong word, ulong value)
    {
        var count = Log.Count;
        // Past the capacity the index throws, before anything is stored.
        ref var note = ref Log.Notes[(int)count];
        note.Place = records.PlaceOf(ref word);
        note.Before = word;
        records.Store(ref Log.Count, count + 1);
        records.Store(ref word, value);
    }

    /// <summary>
    /// Makes a prepared record exist. Retired first: what a note names must be there for whoever undoes it, and a record that was never
    /// committed would be free by then.
    /// </summary>
    public void Publish(RecordRef record)
    {
        ref var state = ref records.StateOf(record);
        records.Store(ref state, records.RetiredState(record));
        Set(ref state, records.CommittedState(record));
    }

    /// <summary>Makes a record exist no more. It is freed at the commit: until then it could come back.</summary>
    public void Retire(RecordRef record)
    {
        Set(ref records.StateOf(record), records.RetiredState(record));
        _retired[_retiredCount++] = record;
    }

    /// <summary>Ends the operation: it has happened.</summary>
    public void Commit()
    {
        records.Store(ref Log.Count, 0);
        while (_retiredCount > 0) records.Free(_retired[--_retiredCount]);
    }

    /// <summary>Undoes an operation cut short and frees what it, or one before it, had retired. May be cut short itself, and is then repeated.</summary>
    /// <exception cref="Engine.RegionException">The log is damaged.</exception>
    public void Recover()
    {
        ref var notes = ref Log.Notes;
        if (Log.Count > JournalRecord.Capacity)
            throw new Engine.RegionException($"the region is damaged: its log of changes counts {Log.Count} notes; restore it from a copy, or remove it to start empty");
        for (var i = (int)Log.Count - 1; i >= 0; i--) records.Store(ref records.WordAt(notes[i].Place), notes[i].Before);
        records.Store(ref Log.Count, 0);
        records.FreeRetired();
    }
}
