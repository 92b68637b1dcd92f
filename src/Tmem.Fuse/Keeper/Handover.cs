using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Text;
using Tmem.Control.Host;
using Tmem.Control.Messages;
using Tmem.Fuse.Native;

namespace Tmem.Fuse.Keeper;

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

    /// <summary>The term in which this process has the page, and starts others: see <see cref="Tenure"/>.</summary>
    public int Term { get; private set; }

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
    /// <param name="descriptor">The page.</param>
    /// <param name="term">The term that this process was started in.</param>
    /// <returns>Null if it is in other hands by now: this process must end, and nothing has been touched.</returns>
    /// <exception cref="StartupException">It is not a handover page, or of another version.</exception>
    public static Handover? Adopt(int descriptor, int term)
    {
        var handover = Look(descriptor);
        if (!handover.IsKnown)
        {
            throw new StartupException($"The running tmemd hands over in version {handover.Page.Version} and this program knows "
                + $"version {HandoverPage.ExpectedVersion}: turn swap off, stop it and start this program instead.");
        }
        if (!Tenure.TryBegin(ref handover.Page, term, Environment.ProcessId))
        {
            Log.Info($"{handover.MountPoint} is in the hands of another keeper, {handover.Page.KeeperProcess}: this process was "
                + "started before that, and ends");
            return null;
        }
        handover.Term = term == Tenure.Unknown ? handover.Page.Term : term;
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
    /// Checks what a page whose processes are all dead is to go on with. The page stays as it is: a supervisor starts the daemon
    /// again unasked, and what is missing then is missing still.
    /// </summary>
    /// <param name="find">The number of the descriptor at a place of <see cref="Stored"/>; -1 if there is none.</param>
    /// <exception cref="StartupException">
    /// Something is missing without which nothing can be served, or is another daemon's.
    /// </exception>
    public void Check(Func<int, int> find)
    {
        for (var place = Stored.Region; place < Stored.FirstDevice + _page->DeviceCount; place++)
        {
            if (find(place) < 0 && Stored.In(ref *_page, place) >= 0 && !Stored.CanBeMade(place))
                throw new StartupException($"The supervisor has not kept {Stored.NameOf(place)}, without which {MountPoint} "
                    + $"cannot be served any more. Run '{Tmemctl.Line("recover --mount", MountPoint)}', then start tmemd again.");
            if (!Belongs(place, find(place)))
                throw new StartupException($"What the supervisor has kept as {Stored.NameOf(place)} is not what {MountPoint} was "
                    + "served with: it is another daemon's, or of another time. Start tmemd with what belongs together, or run "
                    + $"'{Tmemctl.Line("recover --mount", MountPoint)}' and start it with nothing kept.");
        }
    }

    /// <summary>Notes what the page is served with. Called by each keeper: the one before may not have known that.</summary>
    public void NoteParts()
    {
        for (var place = Stored.Region; place <= Stored.Buffers; place++)
            Stored.IdentityOf(ref *_page, place) = IdentityOf(Stored.In(ref *_page, place));
    }

    /// <summary>Whether a descriptor is what the page was served with, as far as that can be known.</summary>
    private bool Belongs(int place, int descriptor)
    {
        if (descriptor < 0 || Stored.CanBeMade(place)) return true;
        if (Stored.In(ref *_page, place) < 0) return false;
        if (place >= Stored.FirstDevice)
        {
            var connection = FuseDescriptor.ConnectionOf(descriptor) ?? _page->Connection;
            return connection == _page->Connection || _page->Connection < 0;
        }
        ref var noted = ref Stored.IdentityOf(ref *_page, place);
        return Unsafe.IsNullRef(ref noted) || noted == default || noted == IdentityOf(descriptor);
    }

    private static FileIdentity IdentityOf(int descriptor) =>
        descriptor >= 0 && FileStatus.Of(descriptor, "", FileStatus.OfDescriptor | FileStatus.WithoutAsking, FileStatus.Basic,
            out var status) == 0 ? status.Identity : default;

    /// <summary>
    /// Takes over a page whose processes are all dead, with descriptors that have other numbers now; they are closed on exec.
    /// </summary>
    /// <param name="find">As for <see cref="Check"/>, which has been called.</param>
    /// <param name="lives">Whether a process lives that the page names.</param>
    /// <returns>False if one does after all: the page is as it was.</returns>
    public bool TryRevive(Func<int, int> find, Func<int, bool> lives)
    {
        if (!Tenure.TryTake(ref *_page, lives)) return false;
        Term = _page->Term;
        for (var place = Stored.Region; place < Stored.FirstDevice + _page->DeviceCount; place++)
            Stored.In(ref *_page, place) = find(place);
        Hold();
        return true;
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

    /// <summary>The keeper's program; null if it is one that does not tell.</summary>
    public string? KeeperVersion
    {
        get => Text(_page->KeeperVersion, HandoverPage.VersionBytes) is { Length: > 0 } version ? version : null;
        set => SetText(_page->KeeperVersion, HandoverPage.VersionBytes, value ?? "");
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
