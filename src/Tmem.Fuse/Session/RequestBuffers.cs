using System.Runtime.InteropServices;
using Tmem.Fuse.Abi;
using Tmem.Fuse.Keeper;
using Tmem.Fuse.Protocol;

namespace Tmem.Fuse.Session;

/// <summary>
/// The buffers that session threads read requests into: a memory file, one part a thread, and behind them the table of answers that wait. The
/// length in a message's header is its done word: it is 0 unless a message was read that is not carried out yet. So a process that takes
/// over finds in the buffers what its predecessor had in hand when it was killed.
/// </summary>
internal sealed class RequestBuffers(int descriptor)
{
    private const int Lead = FuseProtocol.WriteOverhead;
    private static readonly long s_tableOffset = (long)LockedBuffer.MappedBytes((int)Negotiation.MaxWrite) * HandoverPage.MaximumDevices;

    public int Descriptor { get; } = descriptor;

    /// <summary>A new memory file with room for as many threads as there can be; a part takes memory once it is mapped.</summary>
    /// <exception cref="StartupException">The kernel has none to give.</exception>
    public static RequestBuffers Create()
    {
        var descriptor = SharedMemory.Create("tmem-requests");
        if (NativeProcess.ftruncate(descriptor, s_tableOffset + DeferredTable.Bytes()) != 0)
            throw new StartupException($"No memory file for the session's requests: {Libc.Describe(Libc.LastError)}.");
        return new RequestBuffers(descriptor);
    }

    /// <summary>A thread's buffer.</summary>
    /// <exception cref="StartupException">No memory.</exception>
    public LockedBuffer Map(int thread) => new(Lead, (int)Negotiation.MaxWrite, Descriptor, thread);

    /// <summary>The answers that wait.</summary>
    /// <exception cref="StartupException">No memory.</exception>
    public DeferredTable MapTable() => new(Descriptor, s_tableOffset);

    /// <summary>The message at the start of the buffer is carried out.</summary>
    public static void MarkDone(Span<byte> request) => Volatile.Write(ref MemoryMarshal.AsRef<FuseInHeader>(request).Length, 0);

    /// <summary>Finishes what an earlier process had in hand and the kernel does not send again. Before anybody reads.</summary>
    /// <param name="handler">The protocol.</param>
    /// <param name="threads">The most threads that there have been.</param>
    public void FinishForgets(IRequestHandler handler, int threads)
    {
        var reply = new byte[IRequestHandler.MinimumReply];
        for (var thread = 0; thread < threads; thread++)
        {
            using var buffer = Map(thread);
            ref readonly var header = ref MemoryMarshal.AsRef<FuseInHeader>(buffer.Span);
            if (header.Length == 0) continue;
            if (header.Opcode is FuseOpcode.Forget or FuseOpcode.BatchForget) handler.Repeat(buffer.Span, reply, thread, out _);
            MarkDone(buffer.Span);
        }
    }
}
