using System.Runtime.InteropServices;
using Tmem.Fuse.Abi;
using Tmem.Fuse.Keeper;
using Tmem.Fuse.Native;
using Tmem.Fuse.Protocol;

namespace Tmem.Fuse.Session;

/// <summary>
/// The buffers that session threads read requests into: a memory file with one part for each thread, and behind them the table of
/// deferred replies. The length in a message's header is its done word: it is nonzero only while a message was read and is not
/// carried out yet. So a successor finds in the buffers the requests that its predecessor had in hand when it was killed (<see
/// cref="Takeover"/>).
/// </summary>
internal sealed class RequestBuffers(int descriptor)
{
    private const int Lead = FuseProtocol.WriteOverhead;
    private const int CarrierBytes = 4096;

    /// <summary>Behind the buffers: one more page of the buffers' shape, and then the table to the end of the file.</summary>
    private static readonly long s_carrierOffset =
        (long)LockedBuffer.MappedBytes((int)Negotiation.MaxWrite) * HandoverPage.MaximumDevices;
    private static readonly long s_tableOffset = s_carrierOffset + LockedBuffer.MappedBytes(CarrierBytes);

    public int Descriptor { get; } = descriptor;

    /// <summary>A new memory file with room for the most threads there can be; a part takes memory once it is mapped.</summary>
    /// <exception cref="StartupException">The kernel refuses one.</exception>
    /// <param name="segment">The segment that its users must hold, if it has one.</param>
    public static RequestBuffers Create(out int segment) =>
        new(SharedMemory.Create("tmem-requests", s_tableOffset + DeferredTable.Bytes(), out _, out segment));

    /// <summary>A thread's buffer.</summary>
    /// <exception cref="StartupException">No memory.</exception>
    public LockedBuffer Map(int thread) =>
        new(Lead, (int)Negotiation.MaxWrite, Descriptor, (long)LockedBuffer.MappedBytes((int)Negotiation.MaxWrite) * thread);

    /// <summary>The deferred replies.</summary>
    /// <exception cref="StartupException">No memory.</exception>
    public DeferredTable MapTable() => new(Descriptor, s_tableOffset);

    /// <summary>The note of the process that carries requests out, at the start of the buffer.</summary>
    /// <exception cref="StartupException">No memory.</exception>
    public LockedBuffer MapCarrier() => new(0, CarrierBytes, Descriptor, s_carrierOffset);

    /// <summary>The note of the request in a buffer.</summary>
    public static ref RequestNote NoteOf(LockedBuffer buffer) => ref MemoryMarshal.AsRef<RequestNote>(buffer.Head);

    /// <summary>Marks the message at the start of the buffer as carried out.</summary>
    public static void MarkDone(Span<byte> request) => Volatile.Write(ref MemoryMarshal.AsRef<FuseInHeader>(request).Length, 0);
}
