using Tmem.Engine.Records;

namespace Tmem.Fuse.Filesystem;

/// <summary>
/// Makes an operation on names, which changes several words, atomic: before a word that is truth is stored, its place and old
/// value are noted in the region; a single store, which sets the count of notes to 0, ends the operation. An attach that finds
/// notes puts the old words back, last first. The caller holds the namespace lock, from Begin to Commit.
/// <para>
/// An undo log, not a redo log: words are changed in place at once, so that the operation reads its own writes, and a recovery
/// needs to know nothing of operations. Not noted: derived fields; times, as an undone operation is carried out again later; the
/// counter of the root record, which may skip numbers; and the contents of records that do not exist yet. Everything that can
/// fail (finding, refusing, allocating) comes before Begin: nothing is ever undone while the process lives.
/// </para>
/// </summary>
internal sealed class Journal(RecordStore records, RecordRef log)
{
    // An operation retires at most two records; names are removed and values replaced one at a time.
    private readonly RecordRef[] _retired = new RecordRef[2];
    private int _retiredCount;

    private ref JournalRecord Log => ref records.GetKept<JournalRecord>(log);

    /// <summary>Whether an operation is between its first note and its end.</summary>
    public bool IsOpen => Volatile.Read(ref Log.Count) != 0;

    /// <summary>
    /// Begins an operation that can no longer fail. An earlier one that met a damaged record half way is undone first, as a
    /// restart would: derived fields may be wrong until then, the truth is whole.
    /// </summary>
    public void Begin()
    {
        if (IsOpen) Undo();
        _retiredCount = 0;
    }

    /// <summary>Changes a word of a record.</summary>
    public void Set(ref ulong word, ulong value)
    {
        var count = Log.Count;
        // Beyond the capacity the index throws, before anything is stored.
        ref var note = ref Log.Notes[(int)count];
        note.Place = records.PlaceOf(ref word);
        note.Before = word;
        note.Sum = JournalNote.SumOf(note.Place, note.Before, Log.Ended);
        records.Store(ref Log.Count, count + 1);
        records.Store(ref word, value);
    }

    /// <summary>
    /// Makes a prepared record exist. Retired first: an undo needs the record that a note names, and a record that was never
    /// committed would be free by then.
    /// </summary>
    public void Publish(RecordRef record)
    {
        ref var state = ref records.StateOf(record);
        records.Store(ref state, records.RetiredState(record));
        Set(ref state, records.CommittedState(record));
    }

    /// <summary>Retires a record. It is freed at the commit: until then an undo could bring it back.</summary>
    public void Retire(RecordRef record)
    {
        Set(ref records.StateOf(record), records.RetiredState(record));
        _retired[_retiredCount++] = record;
    }

    /// <summary>Ends the operation: it has happened.</summary>
    public void Commit()
    {
        End();
        while (_retiredCount > 0) records.Free(_retired[--_retiredCount]);
    }

    /// <summary>
    /// Undoes an interrupted operation; the caller frees what is still retired then. May be interrupted itself, and is then
    /// repeated. Returns how many notes were damaged: they are skipped, and their operation may then have happened in part.
    /// </summary>
    public long Recover() => IsOpen ? Undo() : 0;

    private long Undo()
    {
        ref var log = ref Log;
        var damaged = 0L;
        for (var i = (int)Math.Min(log.Count, JournalRecord.Capacity) - 1; i >= 0; i--)
        {
            ref var note = ref log.Notes[i];
            if (note.Sum == JournalNote.SumOf(note.Place, note.Before, log.Ended) && records.IsWord(note.Place))
                records.Store(ref records.WordAt(note.Place), note.Before);
            else
                damaged++;
        }
        End();
        return damaged;
    }

    private void End()
    {
        records.Store(ref Log.Count, 0);
        Log.Ended++;
    }
}
