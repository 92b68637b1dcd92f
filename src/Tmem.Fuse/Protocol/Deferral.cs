namespace Tmem.Fuse.Protocol;

/// <summary>What a finished answer still waits for.</summary>
internal enum DeferralKind : byte
{
    /// <summary>Nothing: it leaves at once.</summary>
    None,
    /// <summary>
    /// A device: all that was written before has to be durable. Many answers wait for one write of it; its error becomes theirs.
    /// </summary>
    Durable,
    /// <summary>
    /// The kernel: it has to let go of pages of a file that it keeps, and waits for others' requests while it does.
    /// </summary>
    Invalidated,
    /// <summary>The same for all of the file.</summary>
    AllInvalidated,
    /// <summary>
    /// The pages behind the end of a file that was made shorter: they are dropped in steps. The answer to a SETATTR, with the
    /// attributes as of then.
    /// </summary>
    Truncated,
    /// <summary>The pages of a range, dropped in steps. The answer to a FALLOCATE.</summary>
    Punched,
    /// <summary>
    /// The kernel: it has to write back what was written through mappings before the time of modification was set, so that what
    /// it writes back later is newer than that. The answer to a SETATTR, with the attributes as of then.
    /// </summary>
    TimeSet,
    /// <summary>
    /// The kernel: it drops what it keeps of a removed file when the last RELEASE of it is answered, in the thread that answers,
    /// a second for some GiB; so it lets go of it before, in steps. An answer without a body.
    /// </summary>
    Released,
}

/// <summary>
/// Why a request that has been carried out is answered later, and by another thread: no session thread waits for a device, or for
/// the kernel, which may itself wait for an answer of ours.
/// <para>
/// An operation of a file system says so by an out parameter (<see cref="IFileSystem.Sync"/> does), and answers Ok: it is done,
/// and what is left to do is in here. The transport notes it where a successor finds it, frees the thread, and sends the answer
/// when what it waits for has happened. Another operation gets such a parameter the same way: IFileSystem, its method of the
/// dispatcher (which has the deferral at hand), and nothing else. A process that dies meanwhile leaves it to the next, which has
/// the request sent again, or does what is noted: see docs/crash-safety.md.
/// </para>
/// </summary>
/// <param name="Kind">What is waited for.</param>
/// <param name="Node">The file whose pages are let go of.</param>
/// <param name="Offset">Where they begin.</param>
/// <param name="Length">Bytes of them; also what the answer to the WRITE says was written. Punched: pages.</param>
internal readonly record struct Deferral(DeferralKind Kind, NodeId Node = default, ulong Offset = 0, uint Length = 0)
{
    /// <summary>An answer without a body that waits until what was written before is durable.</summary>
    public static Deferral Durable => new(DeferralKind.Durable);

    /// <summary>
    /// The answer to a WRITE of so many bytes, which waits until no reader sees what the kernel kept of the range. Only for one
    /// that goes round the page cache (it names the owner of its locks): the kernel holds the pages of any other until it is
    /// answered, and the two would wait for each other.
    /// </summary>
    public static Deferral Invalidated(NodeId node, ulong offset, uint written) =>
        new(DeferralKind.Invalidated, node, offset, written);

    /// <summary>The same, and it waits until no reader sees what the kernel kept of any part of the file.</summary>
    public static Deferral AllInvalidated(NodeId node, uint written) => new(DeferralKind.AllInvalidated, node, 0, written);

    /// <summary>Whether it answers a SETATTR, with the attributes when what it waits for has happened.</summary>
    public bool HasAttributes => Kind is DeferralKind.Truncated or DeferralKind.TimeSet;

    /// <summary>Whether what is waited for is work of the file system's own, done in steps.</summary>
    public bool IsDrop => Kind is DeferralKind.Truncated or DeferralKind.Punched;

    /// <summary>The answer to a SETATTR that set the size.</summary>
    public static Deferral Truncated(NodeId node) => new(DeferralKind.Truncated, node);

    /// <summary>The answer to a FALLOCATE.</summary>
    public static Deferral Punched(NodeId node, ulong offset, uint pages) => new(DeferralKind.Punched, node, offset, pages);

    /// <summary>
    /// The answer to a SETATTR that set the time of modification, and not the size: while that is set the kernel writes nothing
    /// of the file back, and the two would wait for each other.
    /// </summary>
    public static Deferral TimeSet(NodeId node) => new(DeferralKind.TimeSet, node);

    /// <summary>The answer to a RELEASE of a removed file.</summary>
    public static Deferral Released(NodeId node) => new(DeferralKind.Released, node);

    /// <summary>Whether the kernel lets go of all that it keeps of a file, a step at a time; else of what is named.</summary>
    public bool IsOfAll => Kind is DeferralKind.AllInvalidated or DeferralKind.TimeSet or DeferralKind.Released;

    /// <summary>Whether it answers a WRITE.</summary>
    public bool IsWrite => Kind is DeferralKind.Invalidated or DeferralKind.AllInvalidated;
}
