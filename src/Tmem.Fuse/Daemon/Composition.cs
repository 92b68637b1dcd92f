using Tmem.Control.Messages;
using Tmem.Engine;
using Tmem.Engine.Native;
using Tmem.Fuse.Control;
using Tmem.Fuse.Filesystem;
using Tmem.Fuse.Keeper;
using Tmem.Fuse.Native;
using Tmem.Fuse.Protocol;

namespace Tmem.Fuse.Daemon;

/// <summary>The parts of a daemon, put together in one place. Disposing it closes the store.</summary>
internal sealed class Composition : IDisposable
{
    /// <summary>The file system's number among the engine's clients; it finds its pools after an attach by this number.</summary>
    public static TmemClientId FileSystemClient { get; } = new(1);

    private static readonly TimeSpan s_lastChance = TimeSpan.FromSeconds(60);
    private static readonly TimeSpan s_betweenTries = TimeSpan.FromSeconds(1);

    private readonly TmemEngine _engine;
    private readonly TmemFileSystem _fileSystem;

    private readonly Handover _handover;

    private Composition(TmemEngine engine, TmemFileSystem fileSystem, Handover handover)
    {
        _engine = engine;
        _fileSystem = fileSystem;
        _handover = handover;
        Handler = new Dispatcher<TmemFileSystem>(fileSystem, Log.Error, handover.Tmemctl, AgreedParameters.Read(handover),
            parameters => AgreedParameters.Note(handover, parameters));
        RegionName = NameOf(handover);
    }

    /// <summary>The protocol over the file system.</summary>
    public IRequestHandler Handler { get; }

    /// <summary>The region as shown to people: a file's path, or its kind.</summary>
    public string RegionName { get; }

    /// <summary>Run on each thread before it serves requests.</summary>
    public void PrepareThread() => _engine.PrepareThread(codec: CodecOf(_handover.Page.Current) ?? TmemCodec.Page);

    /// <summary>The codec of new pages in the settings; null for each pool's own.</summary>
    public static TmemCodec? CodecOf(in WorkerSettings settings) => settings.Codec == 0 ? null : (TmemCodec)(settings.Codec - 1);

    /// <summary>How many file handles are open now, as the kernel has told.</summary>
    public long OpenFiles() => _fileSystem.OpenFiles();

    /// <summary>Whether what the region's file lacks is given up: its end then waits for nothing.</summary>
    public bool IsGivenUp { get; set; }

    /// <summary>
    /// Makes the region's file durable. Returns why that fails, with the remedy, and what would be lost; or null.
    /// </summary>
    public (string Why, long LostBytes)? MakeDurable()
    {
        var status = _engine.Sync();
        if (status == TmemStatus.Ok) return null;
        var statistics = _engine.Statistics();
        var lost = status == TmemStatus.FileRemoved ? statistics.UsedBytes : statistics.Durability.BytesBehind;
        var bytes = ByteSize.Format(lost);
        var discard = $"'{_handover.Tmemctl.Line("stop --discard")}'";
        return (status switch
        {
            TmemStatus.FileRemoved =>
                $"region file {RegionName} has been removed or replaced, and all that is stored, {bytes}, would be lost; copy "
                + $"what is needed out of {_handover.MountPoint}, or save the removed file, which is still written, by way of "
                + $"{RemovedFile}, and stop with {discard}",
            TmemStatus.DiskFull =>
                $"the disk of {RegionName} has no room for what has changed since it was last written, {bytes} of the region, "
                + "once for the journal and once where the image has no place for it yet, and that would be lost; "
                + (FileSizeLimit.Bytes is null ? "make room on that disk" : $"make room on that disk or {FileSizeLimit.Remedy}")
                + $", or delete files of the store, and stop again, or lose it with {discard}",
            _ => $"{RegionName} cannot be written, and {bytes} of the region that it lacks would be lost; see to its disk, and "
                + $"stop again, or lose it with {discard}",
        }, lost);
    }

    /// <summary>Where the region's file can be read after its removal.</summary>
    private string RemovedFile => $"/proc/{Environment.ProcessId}/fd/{_handover.Page.RegionFile}";

    /// <summary>Opens the store and puts the file system on it.</summary>
    /// <param name="handover">What the keeper holds.</param>
    /// <param name="memory">The locked memory of this process.</param>
    /// <param name="prepared">The result of <see cref="Prepare"/>, if there was time for it.</param>
    /// <exception cref="StartupException">The region cannot be opened; the message names the obstacle and the remedy.</exception>
    public static Composition Create(Handover handover, LockedMemory memory, RegionTakeover? prepared)
    {
        var options = OptionsOf(handover, handover.Page.Current, memory.IsLocked);
        var engine = Sparse(memory, () => prepared?.OpenWith(options.CapacityBytes) ?? TmemEngine.Open(options));
        try
        {
            Log.Info((engine.Attached ? $"attached to the store in {NameOf(handover)}" : $"new store in {NameOf(handover)}")
                + Tracking(engine));
            var fileSystem = new TmemFileSystem(engine, engine.Client(FileSystemClient));
            foreach (var line in DamageWords.Of(engine, fileSystem, NameOf(handover), handover.Tmemctl)) Log.Error(line);
            if (fileSystem.RemovalsLeft > 0)
                Log.Info(
                    $"a removal was cut short: it goes on beside what is served, files and directories that "
                    + $"are there yet: {fileSystem.Inodes}");
            // A new connection: nobody will ever forget or release what an earlier one had looked up or opened.
            if (handover.Page.ConnectionUsed == 0) fileSystem.DropKernelReferences();
            // A worker that takes over does not report it again.
            if (handover.Page.RegionReady == 0
                && OverReserved.Of(engine.Statistics(), fileSystem.Pools(), handover.Tmemctl) is var (what, remedy))
                Log.Warning($"{what}; {remedy}");
            handover.NoteRegion();
            return new Composition(engine, fileSystem, handover);
        }
        catch (RegionException e)
        {
            engine.Dispose();
            throw new StartupException(e.Message, e);
        }
        catch
        {
            engine.Dispose();
            throw;
        }
    }

    /// <summary>Checks whether this program could serve the region, and maps it ahead; touches nothing in it.</summary>
    /// <exception cref="StartupException">It could not; the message names the obstacle and the remedy.</exception>
    public static RegionTakeover Prepare(Handover handover, in WorkerSettings settings, LockedMemory memory)
    {
        var options = OptionsOf(handover, settings, memory.IsLocked);
        return Sparse(memory, () => RegionTakeover.Prepare(options));
    }

    /// <summary>Starts the management server of a serving daemon.</summary>
    public ControlServer StartControl(IDaemon daemon, Handover handover, ControlGate gate) =>
        ControlServer.Start(handover.SocketPath, handover.Page.Listener, daemon, _engine, _fileSystem, gate,
            handover.SocketGroup, new ControlLog(Log.Info, Log.Warning));

    /// <summary>
    /// Leaves the region to a successor, once no request is served any more; false if only the end of the process releases it.
    /// </summary>
    public bool TryRest()
    {
        if (_handover.RegionPath is not null) return false;
        _engine.Rest();
        return true;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        AwaitDurable();
        _engine.Dispose();
    }

    /// <summary>
    /// After an unmount that did not pass through the daemon (umount): keeps trying to make durable what is in memory alone, so
    /// that a reader of the log can make room.
    /// </summary>
    private void AwaitDurable()
    {
        var status = _engine.Sync();
        if (status == TmemStatus.Ok || IsGivenUp) return;
        if (status == TmemStatus.FileRemoved)
        {
            Log.Error(
                $"region file {RegionName} has been removed or replaced, and is gone with this process: {RemovedFile} can be "
                + $"opened for {s_lastChance.TotalSeconds:0} s, and copied then");
            Thread.Sleep(s_lastChance);
            return;
        }
        Log.Error(
            $"{RegionName} cannot be written ({status}), and this process has what it lacks: it tries again for "
            + $"{s_lastChance.TotalSeconds:0} s and then ends without. "
            + "Make room on its disk now");
        for (var until = Environment.TickCount64 + (long)s_lastChance.TotalMilliseconds; status != TmemStatus.Ok
            && Environment.TickCount64 < until; status = _engine.Sync())
            Thread.Sleep(s_betweenTries);
        if (status == TmemStatus.Ok) Log.Info($"{RegionName} is written");
        else Log.Error($"{RegionName} could not be written ({status}): it holds the store as it was when it last could");
    }

    private static EngineOptions OptionsOf(Handover handover, in WorkerSettings settings, bool lockMemory) => new()
    {
        CapacityBytes = settings.CapacityBytes,
        RegionDescriptor = handover.Page.Region,
        RegionFileDescriptor = handover.Page.RegionFile,
        RegionPath = handover.RegionPath,
        SyncInterval = TimeSpan.FromSeconds(settings.SyncSeconds),
        // Locking costs half as much again as populating, and doubles the time in which the process ends.
        LockMemory = lockMemory && handover.Page.RegionStays == 0,
        HugePages = settings.HugePages != 0,
        NewPagesCodec = CodecOf(settings),
        RecompressInBackground = RecompressionWish.Of(settings.Recompression).Percent > 0,
        RecompressionLevel = RecompressionWish.Of(settings.Recompression).Level,
        RecompressionShare = Math.Max(1, RecompressionWish.Of(settings.Recompression).Percent) / 100.0,
        // Once: later damage is not dropped unasked.
        DropDamaged = handover.Page.DropDamaged != 0 && handover.Page.RegionReady == 0,
        IsSuccessor = handover.Page.RegionReady != 0,
        PeakWord = handover.PeakWord,
        Notice = Tell,
    };

    /// <summary>Logs the engine's notices.</summary>
    public static void Tell(TmemNotice notice)
    {
        if (notice.IsFailure) Log.Error(notice.Sentence);
        else if (notice.IsProblem) Log.Warning(notice.Sentence);
        else Log.Info(notice.Sentence);
    }

    private static string Tracking(TmemEngine engine) => engine.Statistics().Durability.Tracking switch
    {
        ChangeTracking.WriteProtection => "; the kernel tells what is written to it",
        ChangeTracking.Hashes =>
            "; this kernel or sandbox cannot tell what is written to it (Linux 6.7 and userfaultfd can), so each sync reads all "
            + "of it",
        _ => "",
    };

    private static string NameOf(Handover handover) => handover.RegionPath ?? "memory";

    /// <summary>Runs code that maps the region: its pages are locked as they are touched, if at all.</summary>
    private static T Sparse<T>(LockedMemory memory, Func<T> open)
    {
        memory.BeginSparse();
        try
        {
            return open();
        }
        catch (RegionException e)
        {
            throw new StartupException(e.Message, e);
        }
        finally
        {
            memory.EndSparse();
        }
    }
}
