using Tmem.Fuse.Native;

namespace Tmem.Fuse.Protocol;

/// <summary>The protocol as a transport sees it: bytes in, bytes out. Thread-safe.</summary>
internal interface IRequestHandler
{
    /// <summary>Carries one request out.</summary>
    /// <param name="request">One whole message as the kernel sent it.</param>
    /// <param name="reply">Room for the answer, at least <see cref="MinimumReply"/> bytes.</param>
    /// <param name="thread">The number of the session thread, from 0: no two requests are carried out under one number at a
    /// time.</param>
    /// <param name="deferral">What must happen before the reply is sent, on a thread that may wait.</param>
    /// <returns>How many bytes of <paramref name="reply"/> to send; 0 if the message is not answered.</returns>
    int Dispatch(ReadOnlySpan<byte> request, Span<byte> reply, int thread, out Deferral deferral);

    /// <summary>
    /// Finishes a message that a process read before it died, whether it carried it out not at all, in part, or wholly: as if the
    /// kernel had sent it again, but answered under its own number. Each node of a FORGET is forgotten once, however often this
    /// is called.
    /// </summary>
    /// <param name="request">A buffer that begins with the message.</param>
    /// <inheritdoc cref="Dispatch"/>
    int Repeat(ReadOnlySpan<byte> request, Span<byte> reply, int thread, out Deferral deferral);

    /// <summary>What replies of <see cref="DeferralKind.Durable"/> wait for. May take as long as a device does.</summary>
    Errno MakeDurable();

    /// <inheritdoc cref="IFileSystem.WorkLeft"/>
    Action? WorkLeft { set; }

    /// <inheritdoc cref="IFileSystem.NamesLeft"/>
    Action? NamesLeft { set; }

    /// <inheritdoc cref="IFileSystem.TryTakeName"/>
    bool TryTakeName(Span<byte> name, out NodeId directory, out int length);

    /// <inheritdoc cref="IFileSystem.DropSome()"/>
    bool DropSome();

    /// <inheritdoc cref="IFileSystem.DropSome(in Deferral)"/>
    bool DropSome(in Deferral deferral);

    /// <inheritdoc cref="IFileSystem.SizeOf"/>
    ulong SizeOf(NodeId node);

    /// <summary>
    /// Called when the wait is over: writes the reply without its header to <paramref name="body"/>, which has room for the
    /// attributes.
    /// </summary>
    Errno Conclude(in Deferral deferral, Span<byte> body, out int length);

    /// <summary>Whether the message may take long, so that another thread should be ready for the next one meanwhile.</summary>
    bool MayTakeLong(ReadOnlySpan<byte> request);

    /// <summary>
    /// The least room for a reply, in bytes: the header and the longest answer of bounded size, that to READLINK.
    /// </summary>
    const int MinimumReply = 16 + 4096;
}
