using Tmem.Engine.Records;
using Tmem.Fuse.Abi;
using Tmem.Fuse.Native;
using Tmem.Fuse.Protocol;

namespace Tmem.Fuse.Filesystem;

/// <summary>
/// The kernel's references to the file system (lookups, handles). Each change of them happens once: an operation leaves its
/// answer in the same transaction, and a request that is sent again is answered from there. The caller holds the namespace lock.
/// </summary>
internal sealed class KernelReferences(
    Journal journal, InodeTable inodes, PoolTable pools, Answers answers, DeadInodes dead)
{
    /// <summary>O_ACCMODE, and O_RDWR: a writable mapping needs a handle that reads and writes.</summary>
    private const uint OpenAccess = 3;
    private const uint OpenBoth = 2;

    // Not the same on every architecture: 0x4000 on x64, 0x10000 on arm64.
    private static readonly uint s_openDirect = (uint)Tmds.Linux.LibC.O_DIRECT;

    /// <summary>The bit of a handle that says that it can be mapped for writing; the rest is the inode.</summary>
    private const ulong HandleMaps = 1UL << 63;

    /// <summary>
    /// Whether a request was carried out before, and its answer. For a listing only the lookups that it counted are remembered:
    /// they are taken back, and the directory is listed again.
    /// </summary>
    /// <param name="died">Room for as many inodes as a listing counts.</param>
    /// <param name="count">How many inodes died by that: those that have lost their names meanwhile.</param>
    public bool Recall(in Caller caller, ref Recollection answer, Span<RecordRef> died, out int count)
    {
        count = 0;
        if (!answers.TryFind(caller)) return false;
        ref var slot = ref answers.For(caller);
        if (slot.Answer.LookupCount == 0)
        {
            Describe(in slot.Answer, ref answer);
            return true;
        }
        journal.Begin();
        for (var i = 0; i < (int)Math.Min(slot.Answer.LookupCount, AnswerRecord.MaximumLookups); i++)
        {
            var inode = new RecordRef(slot.Lookups[i]);
            if (!inodes.IsWhole(inode)) continue;
            ref var lookups = ref inodes[inode].Lookups;
            journal.Set(ref lookups, lookups - 1);
            if (dead.IfDead(inode) is { IsNone: false }) died[count++] = inode;
        }
        journal.Set(ref slot.Unique, 0);
        journal.Commit();
        return false;
    }

    /// <summary>How many nodes of the request's message were forgotten before.</summary>
    public uint Forgotten(in Caller caller) =>
        answers.TryFind(caller) ? (uint)answers.For(caller).Answer.Forgotten : 0;

    /// <summary>
    /// Takes lookups of a node back. Always counts as done, even for an unknown node: the count is a position in the message.
    /// Returns the inode if it is dead now.
    /// </summary>
    public RecordRef Forget(in Caller caller, NodeId node, ulong lookups)
    {
        var died = RecordRef.None;
        journal.Begin();
        if (inodes.Resolve(node, out var inode) == Errno.Ok)
        {
            ref var record = ref inodes[inode];
            journal.Set(ref record.Lookups, record.Lookups - Math.Min(record.Lookups, lookups));
            died = dead.IfDead(inode);
        }
        if (caller.Unique != 0)
        {
            ref var slot = ref answers.For(caller);
            journal.Set(ref slot.Answer.Forgotten, slot.Answer.Forgotten + 1);
            journal.Set(ref slot.Unique, caller.Unique);
        }
        journal.Commit();
        return died;
    }

    /// <summary>Ends the operation under way and leaves its answer, in case the request is sent again.</summary>
    public void Conclude(in Caller caller, in Answer answer = default)
    {
        if (caller.Unique != 0)
        {
            ref var slot = ref answers.For(caller);
            slot.Answer = answer;
            journal.Set(ref slot.Unique, caller.Unique);
        }
        journal.Commit();
    }

    /// <summary>Describes an inode to the kernel and counts the lookup, within an operation under way.</summary>
    public Answer HandOut(RecordRef directory, RecordRef inode, out FuseEntryOut entry)
    {
        ref var lookups = ref inodes[inode].Lookups;
        journal.Set(ref lookups, lookups + 1);
        inodes.Describe(directory, inode, out entry);
        return new Answer { Inode = inode.Value, Directory = directory.Value };
    }

    /// <summary>
    /// Opens a file or directory. A persistent file keeps its cached pages, as nobody else writes it; an ephemeral one must ask
    /// every time, as its pages can vanish. With O_DIRECT (a loop device under swap) writes need no ordering by the kernel: the
    /// file system has its own. Within an operation under way.
    /// </summary>
    public void Open(RecordRef opened, uint flags, out FuseOpenOut open)
    {
        ref var inode = ref inodes[opened];
        var maps = inode.IsRegular && (flags & OpenAccess) == OpenBoth;
        journal.Set(ref inode.Opens, inode.Opens + InodeRecord.Handle(maps));
        // A handle holds nothing that is not in the region: it means the same to the next process that serves the mount.
        open = new FuseOpenOut { Fh = opened.Value | (maps ? HandleMaps : 0) };
        if (!inode.IsRegular) return;
        if (pools.Find(inode.Pool) is { } pool) pool.OpenFiles++;
        var direct = inode.IsEphemeral || (flags & s_openDirect) != 0;
        open.OpenFlags = direct ? FuseOpenFlags.DirectIo | FuseOpenFlags.ParallelDirectWrites : FuseOpenFlags.KeepCache;
    }

    /// <summary>
    /// Closes a handle of a file or directory, which is the whole operation. Returns the inode if it is dead now.
    /// </summary>
    public RecordRef Close(in Caller caller, RecordRef opened, ulong handle)
    {
        ref var inode = ref inodes[opened];
        var (handles, mappable) = ((uint)inode.Opens, inode.Opens >> 32);
        var closed = Math.Min(handles, 1);
        if ((handle & HandleMaps) != 0 && mappable > 0) mappable--;
        journal.Begin();
        journal.Set(ref inode.Opens, mappable << 32 | (handles - closed));
        Conclude(caller);
        if (inode.IsRegular)
        {
            // When the last of these is closed, all mapped data is written back.
            if (mappable == 0) inode.Lower(InodeFlags.TimeWasSet);
            if (pools.Find(inode.Pool) is { } pool) pool.OpenFiles -= closed;
        }
        return dead.IfDead(opened);
    }

    /// <summary>A new connection has no lookups and no open handles, and counts its requests from the start.</summary>
    public static void Clear(ref InodeRecord inode)
    {
        inode.Lookups = 0;
        inode.Opens = 0;
        inode.Kept = 0;
        inode.Lower(InodeFlags.TimeWasSet);
    }

    private void Describe(in Answer answer, ref Recollection recollection)
    {
        if (answer.Inode != 0)
        {
            recollection.HasEntry = true;
            inodes.Describe(new RecordRef(answer.Directory), new RecordRef(answer.Inode), out recollection.Entry);
        }
        if (answer.Handle == 0) return;
        recollection.HasOpen = true;
        recollection.Open = new FuseOpenOut { Fh = answer.Handle, OpenFlags = (FuseOpenFlags)answer.OpenFlags };
    }
}
