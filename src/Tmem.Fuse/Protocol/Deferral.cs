namespace Tmem.Fuse.Protocol;

/// <summary>What the reply of a finished request still waits for.</summary>
internal enum DeferralKind : byte
{
    /// <summary>Nothing: the reply leaves at once.</summary>
    None,
    /// <summary>
    /// A device: everything written before must be durable. Many replies wait for one write of it, and get its error.
    /// </summary>
    Durable,
    /// <summary>The kernel: it must drop cached pages of a file, and meanwhile waits for requests of other processes.</summary>
    Invalidated,
    /// <summary>The same for the whole file.</summary>
    AllInvalidated,
    /// <summary>
    /// The pages behind the end of a truncated file: they are dropped in steps. The reply to a SETATTR, with the attributes as of
    /// then.
    /// </summary>
    Truncated,
    /// <summary>The pages of a range, dropped in steps. The reply to a FALLOCATE.</summary>
    Punched,
    /// <summary>
    /// The kernel: it must write back all writes to mappings from before the modification time was set, so that later write-backs
    /// are newer than that time. The reply to a SETATTR, with the attributes as of then.
    /// </summary>
    TimeSet,
    /// <summary>
    /// The kernel: it drops its cached pages of a removed file when the last RELEASE is answered, in the answering thread, a
    /// second for some GiB; so it drops them before, in steps. A reply without a body.
    /// </summary>
    Released,
}

/// <summary>
/// Why the reply to a request that has been carried out is deferred to another thread: no session thread waits for a device, or
/// for the kernel, which may itself wait for one of our replies.
/// <para>
/// An operation of a file system defers its reply by an out parameter (<see cref="IFileSystem.Sync"/> does), and returns Ok: it
/// is done, and this holds what is left to do. The transport notes it where a successor finds it, frees the thread, and sends the
/// reply once the wait is over. Another operation gets such a parameter the same way: change IFileSystem and its method of the
/// dispatcher (which has the deferral at hand), nothing else. A process that dies meanwhile leaves it to its successor, which has
/// the request sent again, or carries out the note: see docs/crash-safety.md.
/// </para>
/// </summary>
/// <param name="Kind">What the reply waits for.</param>
/// <param name="Node">The file whose pages are dropped.</param>
/// <param name="Offset">Where they begin.</param>
/// <param name="Length">Their bytes; also the count in the reply to the WRITE. Punched: pages.</param>
internal readonly record struct Deferral(DeferralKind Kind, NodeId Node = default, ulong Offset = 0, uint Length = 0)
{
    /// <summary>A reply without a body that waits until all earlier writes are durable.</summary>
    public static Deferral Durable => new(DeferralKind.Durable);

    /// <summary>
    /// The reply to a WRITE of so many bytes, which waits until no reader sees the kernel's cached pages of the range. Only for a
    /// write that bypasses the page cache (it carries a lock owner): the kernel holds the pages of any other write until it is
    /// answered, which would deadlock.
    /// </summary>
    public static Deferral Invalidated(NodeId node, ulong offset, uint written) =>
        new(DeferralKind.Invalidated, node, offset, written);

    /// <summary>The same, but it waits for the pages of the whole file.</summary>
    public static Deferral AllInvalidated(NodeId node, uint written) => new(DeferralKind.AllInvalidated, node, 0, written);

    /// <summary>Whether it answers a SETATTR, with the attributes as of the end of the wait.</summary>
    public bool HasAttributes => Kind is DeferralKind.Truncated or DeferralKind.TimeSet;

    /// <summary>Whether it waits for work of the file system itself, done in steps.</summary>
    public bool IsDrop => Kind is DeferralKind.Truncated or DeferralKind.Punched;

    /// <summary>The answer to a SETATTR that set the size.</summary>
    public static Deferral Truncated(NodeId node) => new(DeferralKind.Truncated, node);

    /// <summary>The answer to a FALLOCATE.</summary>
    public static Deferral Punched(NodeId node, ulong offset, uint pages) => new(DeferralKind.Punched, node, offset, pages);

    /// <summary>
    /// The reply to a SETATTR that set the modification time, and not the size: while the size is set the kernel writes nothing
    /// of the file back, which would deadlock.
    /// </summary>
    public static Deferral TimeSet(NodeId node) => new(DeferralKind.TimeSet, node);

    /// <summary>The answer to a RELEASE of a removed file.</summary>
    public static Deferral Released(NodeId node) => new(DeferralKind.Released, node);

    /// <summary>Whether the kernel drops all its pages of the file, a step at a time; else those of the range.</summary>
    public bool IsOfAll => Kind is DeferralKind.AllInvalidated or DeferralKind.TimeSet or DeferralKind.Released;

    /// <summary>Whether it answers a WRITE.</summary>
    public bool IsWrite => Kind is DeferralKind.Invalidated or DeferralKind.AllInvalidated;
}
