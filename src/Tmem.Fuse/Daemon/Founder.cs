using Tmem.Control.Messages;
using Tmem.Fuse.Control;
using Tmem.Fuse.Keeper;
using Tmem.Fuse.Mount;
using Tmem.Fuse.Native;
using Tmem.Fuse.Session;

namespace Tmem.Fuse.Daemon;

/// <summary>
/// The process that a user starts: makes everything that must outlive a worker (region, socket, mount, clones, buffers), and
/// becomes the keeper. An error here undoes the steps before it.
/// </summary>
internal static unsafe class Founder
{
    /// <summary>How long an end waits for a log that is not read.</summary>
    public static readonly TimeSpan LogPatience = TimeSpan.FromSeconds(1);

    /// <summary>Runs until the mount is gone.</summary>
    /// <returns>The exit code: 0 after an orderly end, 1 if it could not start or the connection broke.</returns>
    public static int Run(DaemonOptions options, string? ioFlusherWarning)
    {
        Log.Level = options.LogLevel;
        LogPipe? log = null;
        (Handover Handover, string Path)? made = null;
        try
        {
            if (options.SocketGroup is { } readers) ProcessRights.Join(readers);
            var handover = Handover.Create();
            var starter = LogPipe.Create(handover, options.LogsToOutput);
            log = LogPipe.Carry(handover, starter);
            if (ioFlusherWarning is not null) Log.Warning(ioFlusherWarning);
            if (options.SettingsFiles.Length > 0) Log.Info($"settings read from {options.SettingsFiles}");
            if (options.SettingsFiles.Length > 0) MakeMountPoint(options.MountPoint);
            if (options.MountPoint.Length > 0)
                foreach (var warned in StartChecks.Run(options)) Log.Warning(warned);
            var socketPath = Path.GetFullPath(options.SocketPath);
            ControlSocket.EnsureFree(socketPath);
            if (ProcessPriority.AvoidOutOfMemoryKiller() is { } warning) Log.Warning(warning);
            var group = MemoryGroup.Read();
            ProcessRights.KeepMemoryToSelf();
            if (group.Danger is var (what, remedy)) Log.Warning($"{what}; {remedy}.");
            if (group.TooSmallFor(options.CapacityBytes) is { } tooSmall) Log.Warning(tooSmall);
            _ = LockedMemory.Lock();
            ref var page = ref handover.Page;
            page.Region = SharedMemory.Create("tmem-region", 0, out var stays, out page.RegionSegment);
            page.RegionStays = stays ? 1 : 0;
            page.RegionFile = options.RegionPath is { } file ? Keeper.RegionFile.Open(file) : -1;
            page.Buffers = RequestBuffers.Create(out page.BuffersSegment).Descriptor;
            page.DropDamaged = options.DropDamaged ? 1 : 0;
            page.Current = page.Proposed = SettingsOf(options);
            handover.SocketGroup = options.SocketGroup;
            (page.Listener, handover.SocketFile) = ControlSocket.Listen(socketPath, options.SocketGroup);
            made = (handover, socketPath);
            var connection = FuseConnection.Open(new MountWish(options.MountPoint, options.MountFlags, options.MountSource),
                options.Threads, new ControlCommand(socketPath));
            Describe(connection, ref page);
            handover.SetPaths(connection.Mount.MountPoint, socketPath, options.RegionPath is { } path ? Path.GetFullPath(path)
                : null);
            ProcessRights.EndStart();
            return Keep(handover, connection, group.AdviceFor(options.CapacityBytes));
        }
        catch (Exception e) when (e is StartupException or ControlException)
        {
            Log.Error(e.Message);
            return 1;
        }
        finally
        {
            if (made is var (page, path)) ControlSocket.Remove(path, page.SocketFile);
            log?.Finish(LogPatience);
        }
    }

    /// <summary>
    /// As a mount unit does for what is written in a file; a name that was typed may be mistyped. What is in the way is told by
    /// whoever uses it.
    /// </summary>
    private static void MakeMountPoint(string path)
    {
        try
        {
            _ = Directory.CreateDirectory(path);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            Log.Debug(e.Message);
        }
    }

    private static int Keep(Handover handover, FuseConnection connection, MemoryAdvice advice)
    {
        var exit = 1;
        try
        {
            exit = new Keeper<KeeperSystem>(handover, advice, new KeeperSystem(handover, advice)).Run();
        }
        finally
        {
            // A first worker that failed to begin leaves a mount that is never served.
            if (handover.Page.ConnectionOver == 0) _ = connection.Mount.Unmount();
            connection.Close();
        }
        return exit;
    }

    private static void Describe(FuseConnection connection, ref HandoverPage page)
    {
        page.Connection = connection.Mount.Connection;
        page.DeviceCount = connection.Devices.Count;
        for (var i = 0; i < connection.Devices.Count; i++) page.Devices[i] = connection.Devices[i].Descriptor;
        page.FirstStartUnixMilliseconds = DateTimeOffset.UtcNow.ToUnixTimeMilliseconds();
    }

    private static WorkerSettings SettingsOf(DaemonOptions options)
    {
        var settings = new WorkerSettings
        {
            CapacityBytes = options.CapacityBytes,
            Threads = options.Threads,
            SpinMicroseconds = (int)options.Spin.TotalMicroseconds,
            LogLevel = (int)options.LogLevel,
            SyncSeconds = (int)options.SyncInterval.TotalSeconds,
            HugePages = options.HugePages ? 1 : 0,
            Codec = (int)options.Codec,
        };
        ProgramFile.UseOwn(ref settings);
        return settings;
    }
}
