using System.Runtime.InteropServices;
using Tmem.Control.Messages;
using Tmem.Fuse.Abi;
using Tmem.Fuse.Native;
using Tmem.Fuse.Protocol;

namespace Tmem.Fuse.Session;

/// <summary>
/// What a process does with the requests that its predecessor had read, before it reads any: it carries out and answers the
/// requests in the buffers, on every kernel. It first asks the kernel whether a request still waits (<see
/// cref="FuseDevice.IsUnanswered"/>), so that one whose reply was sent is not carried out again, and one that the kernel aborted
/// while copying it (its buffer is half of one message and half of another) is not at all.
/// <para>
/// Afterwards it asks the kernel for the requests that the buffers do not hold (FUSE_NOTIFY_RESEND, Linux 6.9): by then these are
/// at most those that waited for a device, which are then sent again. On a kernel that cannot resend they stay in the table, and
/// are answered from there.
/// </para>
/// <para>
/// One after another, with nothing else in hand: a process that dies here shows which request killed it. A request that has
/// killed two workers is not tried a third time.
/// </para>
/// </summary>
/// <param name="buffers">The requests.</param>
/// <param name="devices">All descriptors of the connection; a thread's buffer has the number of its descriptor.</param>
/// <param name="handler">The protocol.</param>
/// <param name="deferred">Takes the replies that must wait; not started yet.</param>
/// <param name="tmemctl">Command lines that address this daemon.</param>
/// <param name="wasFault">Whether a process died of a fault of its own; null if that is not known, or not yet.</param>
internal sealed class Takeover(
    RequestBuffers buffers, IReadOnlyList<FuseDevice> devices, IRequestHandler handler, DeferredReplies deferred,
    ControlCommand tmemctl, Func<int, bool?> wasFault)
{
    /// <summary>
    /// How long to wait for a death's cause: as long as the kernel takes to tear down the dead process's memory.
    /// </summary>
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(5);

    private LockedBuffer? _reply;

    /// <summary>How many requests were carried out, or refused, from the buffers.</summary>
    public int Finished { get; private set; }

    /// <summary>How many of them were refused, because workers died of them.</summary>
    public int Refused { get; private set; }

    /// <summary>Takes over.</summary>
    /// <param name="threads">The highest number of threads so far.</param>
    /// <param name="process">This process.</param>
    public void Run(int threads, int process)
    {
        using var carrier = buffers.MapCarrier();
        ref var note = ref MemoryMarshal.AsRef<CarrierNote>(carrier.Span);
        for (var thread = 0; thread < threads && note.Process != 0; thread++)
        {
            // A process that died repeating one request had no other in hand.
            if (note.Repeating == 0 || note.Repeating == thread + 1) CountDeath(thread, note.Process);
        }
        Begin(ref note, process);
        for (var thread = 0; thread < threads; thread++) Finish(thread, ref note);
        _reply?.Dispose();
        if (Finished > 0) Log.Info($"{Finished} requests that the last worker had in hand are carried out");
    }

    /// <summary>From here on, this process is noted as the one that carries requests out.</summary>
    public static void Begin(RequestBuffers buffers, int process)
    {
        using var carrier = buffers.MapCarrier();
        Begin(ref MemoryMarshal.AsRef<CarrierNote>(carrier.Span), process);
    }

    private static void Begin(ref CarrierNote note, int process)
    {
        Volatile.Write(ref note.Repeating, 0);
        Volatile.Write(ref note.Process, process);
    }

    private void CountDeath(int thread, int process)
    {
        using var buffer = buffers.Map(thread);
        ref readonly var header = ref MemoryMarshal.AsRef<FuseInHeader>(buffer.Span);
        if (header.Length == 0) return;
        ref var note = ref RequestBuffers.NoteOf(buffer);
        var unique = header.Unique & ~FuseProtocol.UniqueResend;
        note.Become(unique);
        note.Judge(wasFault);
        note.Add(process);
        for (var until = Environment.TickCount64 + (long)s_patience.TotalMilliseconds; note.MustBeJudged; Thread.Sleep(1))
        {
            note.Judge(wasFault);
            if (note.MustBeJudged && Environment.TickCount64 > until) note.Acquit();
        }
    }

    private void Finish(int thread, ref CarrierNote carrier)
    {
        using var buffer = buffers.Map(thread);
        ref readonly var header = ref MemoryMarshal.AsRef<FuseInHeader>(buffer.Span);
        if (header.Length == 0) return;
        var hasReply = OpcodeTable.Find(header.Opcode).HasReply;
        if (!hasReply || devices[thread].IsUnanswered(header.Unique))
        {
            ref readonly var note = ref RequestBuffers.NoteOf(buffer);
            if (note.IsGuilty && note.Unique == (header.Unique & ~FuseProtocol.UniqueResend))
                Refuse(thread, buffer.Span, hasReply, in note);
            else
            {
                Volatile.Write(ref carrier.Repeating, thread + 1);
                CarryOut(thread, buffer.Span);
                Volatile.Write(ref carrier.Repeating, 0);
            }
            Finished++;
        }
        RequestBuffers.MarkDone(buffer.Span);
    }

    private void CarryOut(int thread, ReadOnlySpan<byte> message)
    {
        _reply ??= new LockedBuffer(FuseProtocol.OutHeaderSize, (int)Negotiation.MaxWrite);
        var unique = MemoryMarshal.Read<FuseInHeader>(message).Unique;
        var length = handler.Repeat(message, _reply.Span, thread, out var deferral);
        if (length == 0) return;
        if (deferral.Kind == DeferralKind.None) devices[thread].Reply(_reply.Span[..length], message);
        else if (!deferred.TryAdd(unique, thread, in deferral))
            devices[thread].Reply(unique, deferred.Await(in deferral), message);
    }

    private void Refuse(int thread, ReadOnlySpan<byte> message, bool hasReply, in RequestNote note)
    {
        Refused++;
        var header = MemoryMarshal.Read<FuseInHeader>(message);
        var what =
            $"{OpcodeTable.NameOf(message)} of process {header.Pid} (user {header.Uid}) has killed two workers, {-note.First} "
            + $"and {-note.Second}";
        var check = tmemctl.Line("check");
        if (!hasReply)
        {
            Log.Error($"{what}; it is left out, and the file stays known to the kernel until the next mount. Run '{check}'");
            return;
        }
        Log.Error($"{what}; it is answered EIO and not tried again. Run '{check}'");
        devices[thread].Reply(header.Unique, Errno.EIO, message);
    }
}
