using System.Runtime.InteropServices;
using Tmem.Control.Host;
using Tmem.Fuse.Native;

namespace Tmem.Fuse.Keeper;

/// <summary>
/// The page that a keeper and its workers share: all that a successor of either must know, and nothing else. It is shared memory
/// that each of them inherits. One process writes at a time: the keeper while no worker serves and for its own fields, the worker
/// for its agreement with the kernel. A program that does not know this <see cref="Version"/> refuses to take over.
/// </summary>
[StructLayout(LayoutKind.Sequential)]
internal unsafe struct HandoverPage
{
    /// <summary>"TMEMHAND", little-endian.</summary>
    public const ulong ExpectedMagic = 0x444E4148_4D454D54;
    /// <summary>5: deferred replies may be of a new kind, and the kernel truncates by no OPEN.</summary>
    public const uint ExpectedVersion = 5;
    public const int MaximumDevices = 64;
    public const int PathBytes = 4096;
    public const int TextBytes = 1024;
    public const int VersionBytes = 64;

    public ulong Magic;
    public uint Version;

    public int KeeperProcess;
    public int WorkerProcess;
    /// <summary>
    /// The worker that has begun to read requests: this shows at once that it has served, before its message arrives.
    /// </summary>
    public int ServingProcess;
    /// <summary>
    /// Its thread that notifies the kernel of pages: it may wait there for replies that only a successor gives.
    /// </summary>
    public int NotifyingThread;
    /// <summary>Requests that were refused because workers died of them.</summary>
    public int Refused;
    /// <summary>The stand-by; 0 if there is none.</summary>
    public int StandbyProcess;
    /// <summary>Workers started because one had died.</summary>
    public int Restarts;
    public int Upgrades;
    /// <summary>The mount is gone: the keeper ends with its worker, with the worker's exit code.</summary>
    public int ConnectionOver;
    /// <summary>A worker has made the store and the file system in the region: its contents are valid.</summary>
    public int RegionReady;
    /// <summary>A worker may have read from the connection, so that its successor must ask for what was in flight.</summary>
    public int ConnectionUsed;
    public long FirstStartUnixMilliseconds;
    /// <summary>Managed memory that the keeper has allocated while keeping; 0 unless it has a fault.</summary>
    public long KeeperAllocatedBytes;
    public WorkerDeath LastDeath;
    /// <summary>The last deaths: a successor looks up here how the processes died that had a request in hand.</summary>
    public RecentDeaths Deaths;
    public int DeathCount;

    public WorkerSettings Current;
    public WorkerSettings Proposed;

    // Descriptors have the same numbers in all processes.
    /// <summary>The memory of the region.</summary>
    public int Region;
    /// <summary>That memory is never swapped, so no process need lock it.</summary>
    public int RegionStays;
    /// <summary>
    /// The segments that keep memory from being swapped where the kernel needs them: of the region, the buffers, this page. See
    /// <see cref="LockedSegment"/>.
    /// </summary>
    public int RegionSegment;
    public int BuffersSegment;
    public int PageSegment;
    /// <summary>The file of the region's image; -1 for none.</summary>
    public int RegionFile;
    public int Listener;
    public int Buffers;
    /// <summary>Number of buffers that any worker has used.</summary>
    public int BufferCount;
    public int DeviceCount;
    public fixed int Devices[MaximumDevices];
    /// <summary>
    /// The log's pipe, its read and write ends, and the daemon's original standard error: see <see cref="LogPipe"/>.
    /// </summary>
    public int LogEnd;
    public int LogBegin;
    public int LogTarget;
    /// <summary>Lines lost because the pipe was full, not reported yet.</summary>
    public int LogLost;

    /// <summary>The mount's number under /sys/fs/fuse/connections.</summary>
    public int Connection;
    /// <summary>Set after the parameters are written.</summary>
    public int Agreed;
    public uint Minor;
    public uint MaxWrite;
    public uint MaxPages;
    public uint MaxReadahead;
    public ulong Flags;

    public fixed byte MountPoint[PathBytes];
    public fixed byte SocketPath[PathBytes];
    public fixed byte RegionPath[PathBytes];
    /// <summary>Why the last upgrade failed; empty if it did not.</summary>
    public fixed byte UpgradeProblem[TextBytes];

    /// <summary>
    /// Held by a thread of the serving worker: see <see cref="DeathWatch"/>. Appended at the end, where an older program's page
    /// has 0.
    /// </summary>
    public uint Life;

    /// <summary>1 if the first worker may drop what is damaged. Appended at the end as well.</summary>
    public int DropDamaged;

    /// <summary>The most real memory that the store has taken. Appended at the end as well.</summary>
    public long PeakUsedBytes;

    /// <summary>
    /// When the keeper heard that the worker serves, in Environment.TickCount64, which is the same in all processes: for the next
    /// keeper. Appended at the end as well.
    /// </summary>
    public long ServesSince;

    /// <summary>The file that the listener is bound to; 0 if unknown. Appended at the end as well.</summary>
    public uint SocketMajor, SocketMinor;
    public ulong SocketInode;

    /// <summary>
    /// Stop signals that workers have carried out or refused: an increase shows that a signal sent meanwhile was not lost with
    /// its worker. Appended at the end as well.
    /// </summary>
    public int StopsDecided;

    /// <summary>
    /// When the worker last showed that it takes requests, in Environment.TickCount64; 0 if it has not. Appended at the end as
    /// well.
    /// </summary>
    public long Beat;

    /// <summary>How often a supervisor has started the daemon again after all its processes had died. Appended as well.</summary>
    public int Revivals;

    /// <summary>1 if the log ends in the journal: see <see cref="Log.GoesToJournal"/>. Appended at the end as well.</summary>
    public int LogIsJournal;

    /// <summary>The control socket's group, plus one; 0 for none. Appended at the end as well.</summary>
    public long SocketGroup;

    /// <summary>
    /// The worker's thread that notifies the kernel of names: as <see cref="NotifyingThread"/>. Appended as well.
    /// </summary>
    public int ForgettingThread;

    /// <summary>1 if the log's file goes when the daemon has ended in order. Appended at the end as well.</summary>
    public int RemovesLog;

    /// <summary>The keeper's program, as <see cref="ProgramVersion.Whole"/>. Appended at the end as well.</summary>
    public fixed byte KeeperVersion[VersionBytes];

    /// <summary>How often the page has been taken from dead processes: see <see cref="Tenure"/>. Appended at the end as well.
    /// </summary>
    public int Term;

    /// <summary>The process that last began with the page, whatever its role. Appended at the end as well.</summary>
    public int Beginner;

    /// <summary>
    /// Which files the region, its file and the buffers are, so that a revival takes no others; all 0 if unknown. Appended as
    /// well.
    /// </summary>
    public FileIdentity RegionIs, RegionFileIs, BuffersAre;
}
