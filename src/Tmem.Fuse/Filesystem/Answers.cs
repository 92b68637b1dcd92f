using Tmem.Engine.Records;
using Tmem.Fuse.Protocol;

namespace Tmem.Fuse.Filesystem;

/// <summary>
/// The slots in the region that hold the answers of requests which may not have been answered yet. A thread serves one request
/// after another, so one slot a thread is enough: its last answer is out when it reads the next request.
/// <para>
/// The kernel may still send again what an earlier process left unanswered, so a thread takes an empty slot first, then one left
/// by the oldest process. There are twice as many slots as threads: everything that one process can leave unanswered outlives the
/// whole of the next process. A thread that finds the answer to a request sent again takes over its slot. The caller holds the
/// namespace lock.
/// </para>
/// </summary>
internal sealed class Answers
{
    public const int Banks = 4;
    public const int MaximumThreads = Banks * AnswerBank.Length / 2;

    private const int Nobody = -1;

    private readonly RecordStore _records;
    private readonly AnswerBanks _banks;
    private readonly ulong _process;
    private readonly int[] _slots = new int[MaximumThreads];
    private readonly int[] _owners = new int[Banks * AnswerBank.Length];

    /// <param name="banks">The records the slots lie in.</param>
    /// <param name="process">The number of this process, higher than any before.</param>
    public Answers(RecordStore records, in AnswerBanks banks, ulong process)
    {
        _records = records;
        _banks = banks;
        _process = process;
        _slots.AsSpan().Fill(Nobody);
        _owners.AsSpan().Fill(Nobody);
    }

    /// <summary>The thread's slot: with its contents if they answer this request, else emptied.</summary>
    public ref AnswerRecord For(in Caller caller)
    {
        var number = _slots[caller.Thread];
        if (number == Nobody) Take(caller.Thread, number = Choose());
        ref var slot = ref this[number];
        if (slot.Unique == caller.Unique) return ref slot;
        _records.Store(ref slot.Unique, 0);
        slot.Process = _process;
        slot.Answer = default;
        return ref slot;
    }

    /// <summary>Whether a slot holds the answer of the request; if so, the slot becomes the thread's.</summary>
    public bool TryFind(in Caller caller)
    {
        if (caller.Unique == 0) return false;
        for (var number = 0; number < _owners.Length; number++)
        {
            if (this[number].Unique != caller.Unique) continue;
            Take(caller.Thread, number);
            return true;
        }
        return false;
    }

    public void Clear()
    {
        for (var number = 0; number < _owners.Length; number++) _records.Store(ref this[number].Unique, 0);
    }

    private ref AnswerRecord this[int number] =>
        ref _records.GetKept<AnswerBank>(new RecordRef(_banks[number / AnswerBank.Length]))[number % AnswerBank.Length];

    private void Take(int thread, int number)
    {
        if (_slots[thread] is not Nobody and var old) _owners[old] = Nobody;
        if (_owners[number] is not Nobody and var other) _slots[other] = Nobody;
        _slots[thread] = number;
        _owners[number] = thread;
    }

    private int Choose()
    {
        var best = Nobody;
        for (var number = 0; number < _owners.Length; number++)
        {
            if (_owners[number] != Nobody) continue;
            ref var slot = ref this[number];
            if (slot.Unique == 0) return number;
            if (best == Nobody || slot.Process < this[best].Process) best = number;
        }
        return best;
    }
}
