using System.Runtime.InteropServices;
using Tmem.Control.Messages;
using Tmem.Fuse.Abi;
using Tmem.Fuse.Native;
using Tmem.Fuse.Protocol;

namespace Tmem.Fuse.Session;

/// <summary>
/// What a process does with the requests that its predecessor had read, before it reads any: whatever lies in the buffers is
/// carried out and answered from there, on every kernel. Whether a request still waits is asked of the kernel first
/// (<see cref="FuseDevice.IsUnanswered"/>), so that one whose answer had left is not carried out again, and one that the kernel
/// gave up while it copied it (its buffer is half of one message and half of another) is not at all.
/// <para>
/// What the buffers cannot know is asked for afterwards (FUSE_NOTIFY_RESEND, Linux 6.9): by then it is at most those that waited
/// for a device, which are then sent again. A kernel that cannot do that leaves them in the table, and they are answered from
/// there.
/// </para>
/// <para>
/// One after the other, with nothing else in hand: who dies of a request here has shown which one it was. A request that has
/// killed two workers is not tried a third time.
/// </para>
/// </summary>
/// <param name="buffers">Where the requests lie.</param>
/// <param name="devices">All descriptors of the connection; a thread's buffer has the number of its descriptor.</param>
/// <param name="handler">The protocol.</param>
/// <param name="deferred">Takes the answers that have to wait; not started yet.</param>
/// <param name="tmemctl">Command lines that address this daemon.</param>
/// <param name="wasFault">Whether a process died by a fault of its own; null if it is not known, or not known yet.</param>
internal sealed class Takeover(
    RequestBuffers buffers, IReadOnlyList<FuseDevice> devices, IRequestHandler handler, DeferredReplies deferred,
    ControlCommand tmemctl, Func<int, bool?> wasFault)
{
    /// <summary>How long a death's cause may take to be known: as long as the kernel takes the dead one's memory apart.</summary>
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(5);

    private LockedBuffer? _reply;

    /// <summary>How many requests were carried out, or refused, from the buffers.</summary>
    public int Finished { get; private set; }

    /// <summary>How many of them were refused, because workers had died of them.</summary>
    public int Refused { get; private set; }

    /// <summary>Takes over.</summary>
    /// <param name="threads">The most threads that there have been.</param>
    /// <param name="process">This process.</param>
    public void Run(int threads, int process)
    {
        using var carrier = buffers.MapCarrier();
        ref var note = ref MemoryMarshal.AsRef<CarrierNote>(carrier.Span);
        for (var thread = 0; thread < threads && note.Process != 0; thread++)
        {
            // One that died repeating one request had no other in hand.
            if (note.Repeating == 0 || note.Repeating == thread + 1) CountDeath(thread, note.Process);
        }
        Begin(ref note, process);
        for (var thread = 0; thread < threads; thread++) Finish(thread, ref note);
        _reply?.Dispose();
        if (Finished > 0) Log.Info($"{Finished} requests that the last worker had in hand are carried out");
    }

    /// <summary>From here on, this process is the one that carries requests out.</summary>
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
