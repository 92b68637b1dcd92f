namespace Tmem.Fuse.Protocol;

/// <summary>What a transport needs to know of the protocol: bytes in, bytes out. Thread-safe.</summary>
internal interface IRequestHandler
{
    /// <summary>Carries one request out.</summary>
    /// <param name="request">One whole message as the kernel sent it.</param>
    /// <param name="reply">Room for the answer, at least <see cref="MinimumReply"/> bytes.</param>
    /// <param name="thread">The number of the session thread, from 0: no two requests are carried out under one number at a time.</param>
    /// <returns>How many bytes of <paramref name="reply"/> to send; 0 if the message is not answered.</returns>
    int Dispatch(ReadOnlySpan<byte> request, Span<byte> reply, int thread);

    /// <summary>
    /// Finishes a message that a process read and may not have carried out wholly before it died. Only what the kernel does not send again,
    /// FORGET and BATCH_FORGET, is carried out: each node once, however often this is called. Before the first <see cref="Dispatch"/>.
    /// </summary>
    void Repeat(ReadOnlySpan<byte> request);

    /// <summary>True if the message may take long, so that another thread should be ready for the next one meanwhile.</summary>
    bool MayTakeLong(ReadOnlySpan<byte> request);

    /// <summary>The least room for a reply, in bytes: the header and the longest answer of bounded size, that to READLINK.</summary>
    const int MinimumReply = 16 + 4096;
}
