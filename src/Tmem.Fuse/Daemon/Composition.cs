using Tmem.Engine;
using Tmem.Fuse.Control;
using Tmem.Fuse.Filesystem;
using Tmem.Fuse.Keeper;
using Tmem.Fuse.Protocol;

namespace Tmem.Fuse.Daemon;

/// <summary>What a daemon is made of, put together in one place. Disposing it closes the store.</summary>
internal sealed class Composition : IDisposable
{
    /// <summary>The mounted file system's number among the engine's clients; its pools are found by it after an attach.</summary>
    private static readonly ClientId s_fileSystemClient = new(1);

    private readonly TmemEngine _engine;
    private readonly TmemFileSystem _fileSystem;

    private Composition(TmemEngine engine, TmemFileSystem fileSystem, string regionName)
    {
        _engine = engine;
        _fileSystem = fileSystem;
        Handler = new Dispatcher<TmemFileSystem>(fileSystem, Log.Error);
        RegionName = regionName;
    }

    /// <summary>The protocol over the file system.</summary>
    public IRequestHandler Handler { get; }

    /// <summary>The region in words: a file's path, or what it is instead.</summary>
    public string RegionName { get; }

    /// <summary>Run on each thread that will serve requests.</summary>
    public void PrepareThread() => _engine.PrepareThread();

    /// <summary>Opens the store and puts the file system on it.</summary>
    /// <exception cref="StartupException">The region cannot be opened; says why and what to do.</exception>
    public static Composition Create(DaemonOptions options, LockedMemory memory)
    {
        var engine = OpenEngine(options, memory);
        try
        {
            var regionName = options.RegionPath is { } path ? Path.GetFullPath(path) : "memory";
            Log.Info(engine.Attached ? $"attached to the store in {regionName}" : $"new store in {regionName}");
            var fileSystem = new TmemFileSystem(engine, engine.Client(s_fileSystemClient));
            // What is mounted next is a new connection: nobody will ever forget or release what an earlier one had looked up or opened.
            fileSystem.DropKernelReferences();
            return new Composition(engine, fileSystem, regionName);
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

    /// <summary>Refuses a socket that another daemon serves before a region is opened or a directory mounted for nothing.</summary>
    /// <exception cref="StartupException">The socket is served by another daemon, or cannot be opened.</exception>
    public static void EnsureSocketFree(string socketPath)
    {
        try
        {
            ControlSocket.EnsureFree(Path.GetFullPath(socketPath));
        }
        catch (ControlException e)
        {
            throw new StartupException(e.Message, e);
        }
    }

    /// <summary>Starts what manages a daemon that serves; disposing it ends that.</summary>
    /// <exception cref="StartupException">The socket is served by another daemon, or cannot be opened.</exception>
    public ControlServer StartControl(DaemonProcess daemon, string socketPath)
    {
        try
        {
            return ControlServer.Start(Path.GetFullPath(socketPath), daemon, _engine, _fileSystem, Log.Warning);
        }
        catch (ControlException e)
        {
            throw new StartupException(e.Message, e);
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        var status = _engine.Sync();
        if (status != TmemStatus.Ok)
            Log.Error($"{RegionName} could not be written ({status}): it holds the store as it was when it last could. Make room on its disk, or replace it.");
        _engine.Dispose();
    }

    private static TmemEngine OpenEngine(DaemonOptions options, LockedMemory memory)
    {
        memory.BeginSparse();
        try
        {
            return TmemEngine.Open(new EngineOptions
            {
                CapacityBytes = options.CapacityBytes,
                RegionPath = options.RegionPath,
                RegionDescriptor = options.RegionPath is null ? MemoryRegion.Create() : -1,
                SyncInterval = options.SyncInterval,
                LockMemory = memory.IsLocked,
            });
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
