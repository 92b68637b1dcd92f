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
    /// <summary>Runs until the mount is gone.</summary>
    /// <returns>The exit code: see <see cref="KeeperRun.Run"/>.</returns>
    public static int Run(DaemonOptions options, string? ioFlusherWarning)
    {
        Log.Level = options.LogLevel;
        return KeeperRun.Run(run =>
        {
            run.Warn(ioFlusherWarning);
            return Run(run, options);
        });
    }

    private static int Run(KeeperRun run, DaemonOptions options)
    {
        if (options.SocketGroup is { } readers) ProcessRights.Join(readers);
        var handover = Handover.Create();
        run.CarryLog(handover, LogPipe.Create(handover, options.LogsToOutput));
        handover.Page.RemovesLog = options.RemovesLog ? 1 : 0;
        if (options.SettingsFiles.Length > 0) Log.Info($"settings read from {options.SettingsFiles}");
        if (options.SettingsFiles.Length > 0) MakeMountPoint(options.MountPoint);
        if (options.MountPoint.Length > 0)
            foreach (var warning in StartChecks.Run(options)) run.Warn(warning);
        var socketPath = Path.GetFullPath(options.SocketPath);
        ControlSocket.EnsureFree(socketPath);
        run.Warn(ProcessPriority.AvoidOutOfMemoryKiller());
        var group = run.Secure();
        if (group.Danger is var (what, remedy)) run.Warn($"{what}; {remedy}.");
        run.Warn(group.TooSmallFor(options.CapacityBytes));
        ref var page = ref handover.Page;
        page.Region = SharedMemory.Create("tmem-region", 0, out var stays, out page.RegionSegment);
        page.RegionStays = stays ? 1 : 0;
        page.RegionFile = options.RegionPath is { } file ? Keeper.RegionFile.Open(file) : -1;
        page.Buffers = RequestBuffers.Create(out page.BuffersSegment).Descriptor;
        page.DropDamaged = options.DropDamaged ? 1 : 0;
        page.Current = page.Proposed = SettingsOf(options);
        handover.SocketGroup = options.SocketGroup;
        (page.Listener, handover.SocketFile) = ControlSocket.Listen(socketPath, options.SocketGroup);
        try
        {
            var connection = FuseConnection.Open(new MountWish(options.MountPoint, options.MountFlags, options.MountSource),
                options.Threads, new ControlCommand(socketPath));
            Describe(connection, ref page);
            handover.SetPaths(connection.Mount.MountPoint, socketPath, options.RegionPath is { } path ? Path.GetFullPath(path)
                : null);
            ProcessRights.EndStart();
            return Keep(run, handover, connection, group);
        }
        finally
        {
            ControlSocket.Remove(socketPath, handover.SocketFile);
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

    private static int Keep(KeeperRun run, Handover handover, FuseConnection connection, MemoryGroup group)
    {
        try
        {
            return run.Keep(handover, group, Link.None);
        }
        finally
        {
            // A first worker that failed to begin leaves a mount that is never served.
            if (handover.Page.ConnectionOver == 0) _ = connection.Mount.Unmount();
            connection.Close();
        }
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
            Recompression = options.Recompression.Word,
        };
        ProgramFile.UseOwn(ref settings);
        return settings;
    }
}
