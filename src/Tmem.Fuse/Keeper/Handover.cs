using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Text;
using Tmem.Control.Host;
using Tmem.Control.Messages;
using Tmem.Fuse.Native;

namespace Tmem.Fuse.Keeper;

/// <summary>Settings that may change from one worker to the next.</summary>
[StructLayout(LayoutKind.Sequential)]
internal unsafe struct WorkerSettings
{
    public long CapacityBytes;
    public int Threads;
    public int SpinMicroseconds;
    public int LogLevel;
    public int SyncSeconds;
    /// <summary>The codec of new pages: the engine's number plus one; 0 is each pool's own.</summary>
    public int Codec;
    /// <summary>1 to hold the region in pages of 2 MiB.</summary>
    public int HugePages;
    /// <summary>The program's descriptor: a copy in memory where possible, executed through /proc/self/fd.</summary>
    public int Program;
    /// <summary>The file that it was copied from.</summary>
    public ProgramIdentity Identity;
    /// <summary>That file's path as it was given, a C string.</summary>
    public fixed byte ProgramPath[HandoverPage.PathBytes];
}

/// <summary>Identity of a file and its contents.</summary>
[StructLayout(LayoutKind.Sequential)]
internal record struct ProgramIdentity
{
    public ulong Device;
    public ulong Inode;
    public long Size;
    public long ChangedSeconds;
    public long ChangedNanoseconds;
}

/// <summary>How a worker ended.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct WorkerDeath
{
    public int Process;
    /// <summary>An exit code, or a signal's number; -1 if it is unknown because the worker was not the keeper's child.</summary>
    public int Number;
    public int BySignal;
    /// <summary>Whether it had served before.</summary>
    public int HadServed;
    public long UnixMilliseconds;
    public long ServedMilliseconds;

    /// <summary>
    /// Whether it died by itself: of a signal that a program's own fault raises, or with an exit code. Signals that other
    /// processes may send, above all SIGKILL, which the out-of-memory killer uses too, tell nothing of what it was doing.
    /// </summary>
    public readonly bool IsFault => BySignal == 0 ? Number > 0 : Number is 4 or 5 or 6 or 7 or 8 or 11 or 31;
}

/// <summary>The last deaths, each in the slot of its number. Process 0: none yet, or being written.</summary>
[InlineArray(Length)]
internal struct RecentDeaths
{
    public const int Length = 16;

    private WorkerDeath _first;
}

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

    public ulong Magic;
    public uint Version;

    public int KeeperProcess;
    public int WorkerProcess;
    /// <summary>
    /// The worker that has begun to read requests: this shows at once that it has served, before its message arrives.
    /// </summary>
    public int ServingProcess;
    /// <summary>Its thread that notifies the kernel: it may wait there for replies that only a successor gives.</summary>
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
}

/// <summary>The shared page, mapped.</summary>
internal sealed unsafe class Handover
{
    private static readonly int s_size = (sizeof(HandoverPage) + 4095) & -4096;
    private readonly HandoverPage* _page;

    private Handover(int descriptor, HandoverPage* page)
    {
        Descriptor = descriptor;
        _page = page;
    }

    public int Descriptor { get; }

    public ref HandoverPage Page => ref *_page;

    /// <summary>The word that shows whether the worker lives.</summary>
    public RobustWord Life => new(&_page->Life);

    public string MountPoint => Text(_page->MountPoint, HandoverPage.PathBytes);

    public string SocketPath => Text(_page->SocketPath, HandoverPage.PathBytes);

    /// <summary>Command lines that address this daemon.</summary>
    public ControlCommand Tmemctl => new(SocketPath);

    /// <summary>The region's file; null for memory.</summary>
    public string? RegionPath => Text(_page->RegionPath, HandoverPage.PathBytes) is { Length: > 0 } path ? path : null;

    /// <exception cref="StartupException">No memory.</exception>
    public static Handover Create()
    {
        var descriptor = SharedMemory.Create("tmem-handover", s_size, out _, out var segment);
        var handover = Map(descriptor);
        handover.Page.PageSegment = segment;
        handover.Page.Magic = HandoverPage.ExpectedMagic;
        handover.Page.Version = HandoverPage.ExpectedVersion;
        return handover;
    }

    /// <summary>Takes over an inherited page.</summary>
    /// <exception cref="StartupException">It is not a handover page, or of another version.</exception>
    public static Handover Adopt(int descriptor)
    {
        var handover = Look(descriptor);
        if (!handover.IsKnown)
        {
            throw new StartupException($"The running tmemd hands over in version {handover.Page.Version} and this program knows "
                + $"version {HandoverPage.ExpectedVersion}: turn swap off, stop it and start this program instead.");
        }
        handover.Hold();
        return handover;
    }

    /// <summary>An inherited page, of whatever version.</summary>
    /// <exception cref="StartupException">It is not a handover page.</exception>
    public static Handover Look(int descriptor)
    {
        var handover = Map(descriptor);
        return handover.Page.Magic == HandoverPage.ExpectedMagic ? handover : throw new StartupException(
            $"Descriptor {descriptor} is no handover page. Start tmemd without {Launcher.RoleVariable} in its environment.");
    }

    /// <summary>Whether it is of the version of this program: only then do the other fields mean anything.</summary>
    public bool IsKnown => _page->Version == HandoverPage.ExpectedVersion;

    /// <summary>Whether its mount is gone.</summary>
    public bool IsOver => IsKnown && _page->ConnectionOver != 0;

    /// <summary>
    /// Takes over a page whose processes are all dead, with descriptors that have other numbers now; they are closed on exec.
    /// </summary>
    /// <param name="find">The number of the descriptor at a place of <see cref="Stored"/>; -1 if there is none.</param>
    /// <exception cref="StartupException">Something is missing without which nothing can be served.</exception>
    public void Revive(Func<int, int> find)
    {
        for (var place = Stored.Region; place < Stored.FirstDevice + _page->DeviceCount; place++)
        {
            ref var number = ref Stored.In(ref *_page, place);
            var had = number >= 0;
            number = find(place);
            if (number < 0 && had && !Stored.CanBeMade(place))
                throw new StartupException($"The supervisor has not kept {Stored.NameOf(place)}, without which {MountPoint} "
                    + $"cannot be served any more. Run '{Tmemctl.Line("recover")}', then start tmemd again.");
        }
        Hold();
    }

    /// <summary>Whichever process dies: the shared memory stays while one of them lives.</summary>
    private void Hold()
    {
        if (!LockedSegment.Hold(_page->PageSegment, Descriptor)) _page->PageSegment = LockedSegment.None;
        if (!LockedSegment.Hold(_page->BuffersSegment, _page->Buffers)) _page->BuffersSegment = LockedSegment.None;
        if (LockedSegment.Hold(_page->RegionSegment, _page->Region)) return;
        // From now on the workers' locks, as where there are no segments.
        (_page->RegionSegment, _page->RegionStays) = (LockedSegment.None, 0);
    }

    /// <summary>
    /// Puts a new listening socket in the place of the old one, under the descriptor that the next process inherits.
    /// </summary>
    public void TakeListener(int listener)
    {
        if (listener < 0) return;
        _ = NativeProcess.dup3(listener, _page->Listener, NativeProcess.O_CLOEXEC);
        _ = Libc.close(listener);
    }

    /// <summary>Notes a death where present and future workers find it.</summary>
    public void NoteDeath(in WorkerDeath death)
    {
        _page->LastDeath = death;
        ref var place = ref _page->Deaths[_page->DeathCount++ % RecentDeaths.Length];
        Volatile.Write(ref place.Process, 0);
        place = death with { Process = 0 };
        Volatile.Write(ref place.Process, death.Process);
    }

    /// <summary>Whether a worker died of a fault of its own; null if its death is not known, or not yet.</summary>
    public bool? WasFault(int process)
    {
        foreach (ref var death in (Span<WorkerDeath>)_page->Deaths)
            if (Volatile.Read(ref death.Process) == process) return death.IsFault;
        return null;
    }

    /// <summary>
    /// Called once the region has its length and a store: locks its segment, if it has one, and marks the region ready.
    /// </summary>
    public void NoteRegion()
    {
        if (_page->RegionStays == 0 && LockedSegment.TryLock(_page->RegionSegment)) _page->RegionStays = 1;
        _page->RegionReady = 1;
    }

    public void SetPaths(string mountPoint, string socketPath, string? regionPath)
    {
        SetText(_page->MountPoint, HandoverPage.PathBytes, mountPoint);
        SetText(_page->SocketPath, HandoverPage.PathBytes, socketPath);
        SetText(_page->RegionPath, HandoverPage.PathBytes, regionPath ?? "");
    }

    /// <summary>The path of the program in settings.</summary>
    public static string ProgramPathOf(in WorkerSettings settings)
    {
        fixed (byte* start = settings.ProgramPath) return Text(start, HandoverPage.PathBytes);
    }

    /// <summary>The same as bytes, without the terminating zero.</summary>
    public static ReadOnlySpan<byte> ProgramPathBytes(ref WorkerSettings settings)
    {
        ReadOnlySpan<byte> path = MemoryMarshal.CreateReadOnlySpan(ref settings.ProgramPath[0], HandoverPage.PathBytes);
        return path[..Math.Max(0, path.IndexOf((byte)0))];
    }

    /// <summary>Notes a program's path.</summary>
    public static void SetProgramPath(ref WorkerSettings settings, string path)
    {
        fixed (byte* start = settings.ProgramPath) SetText(start, HandoverPage.PathBytes, path);
    }

    /// <summary>Where the peak of the store's memory is kept.</summary>
    public nint PeakWord => (nint)(&_page->PeakUsedBytes);

    /// <summary>Where lost lines of the log are counted.</summary>
    public int* LogLost => &_page->LogLost;

    /// <summary>The file that the listener is bound to.</summary>
    public FileIdentity SocketFile
    {
        get => new(_page->SocketMajor, _page->SocketMinor, _page->SocketInode);
        set => (_page->SocketMajor, _page->SocketMinor, _page->SocketInode) = (value.Major, value.Minor, value.Inode);
    }

    /// <summary>The group whose members may ask for figures; null for none.</summary>
    public uint? SocketGroup
    {
        get => _page->SocketGroup == 0 ? null : (uint)(_page->SocketGroup - 1);
        set => _page->SocketGroup = value is { } group ? group + 1L : 0;
    }

    public string UpgradeProblem
    {
        get => Text(_page->UpgradeProblem, HandoverPage.TextBytes);
        set => SetText(_page->UpgradeProblem, HandoverPage.TextBytes, value);
    }

    /// <summary>Room for <see cref="UpgradeProblem"/> as bytes, the terminating zero included.</summary>
    public Span<byte> UpgradeProblemBytes => new(_page->UpgradeProblem, HandoverPage.TextBytes);

    private static Handover Map(int descriptor)
    {
        var address = Libc.mmap(null, (nuint)s_size, Libc.PROT_READ | Libc.PROT_WRITE, Libc.MAP_SHARED | Libc.MAP_POPULATE,
            descriptor, 0);
        if ((nint)address != -1)
        {
            _ = Libc.madvise(address, (nuint)s_size, Libc.MADV_DONTDUMP);
            return new Handover(descriptor, (HandoverPage*)address);
        }
        throw new StartupException($"The page that keeper and worker share cannot be mapped: {Libc.Describe(Libc.LastError)}.");
    }

    private static string Text(byte* start, int room)
    {
        var bytes = new ReadOnlySpan<byte>(start, room);
        var end = bytes.IndexOf((byte)0);
        return Encoding.UTF8.GetString(end < 0 ? bytes : bytes[..end]);
    }

    private static void SetText(byte* start, int room, string text)
    {
        var bytes = new Span<byte>(start, room);
        bytes.Clear();
        // Whole characters, and always a zero at the end.
        Encoding.UTF8.GetEncoder().Convert(text, bytes[..^1], flush: true, out _, out _, out _);
    }
}
