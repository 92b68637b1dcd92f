using Tmem.Engine;
using Tmem.Fuse.Keeper;
using Tmem.Fuse.Protocol;

namespace Tmem.Fuse.Daemon;

/// <summary>What a daemon is made of, put together in one place. Disposing it closes the store.</summary>
internal sealed class Composition : IDisposable
{
    private readonly TmemEngine _engine;

    private Composition(TmemEngine engine, IRequestHandler handler, string regionName)
    {
        _engine = engine;
        Handler = handler;
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
            var regionName = options.RegionPath is { } path ? Path.GetFullPath(path) : "anonymous memory";
            Log.Info(engine.Attached ? $"attached to the store in {regionName}" : $"new store in {regionName}");
            return new Composition(engine, CreateFileSystem(engine), regionName);
        }
        catch
        {
            engine.Dispose();
            throw;
        }
    }

    /// <summary>Starts what manages a daemon that serves; disposing it ends that.</summary>
    public IDisposable StartControl(DaemonProcess daemon, string socketPath) => throw new NotImplementedException();

    /// <inheritdoc/>
    public void Dispose() => _engine.Dispose();

    private static IRequestHandler CreateFileSystem(TmemEngine engine) => throw new NotImplementedException();

    private static TmemEngine OpenEngine(DaemonOptions options, LockedMemory memory)
    {
        memory.BeginSparse();
        try
        {
            return TmemEngine.Open(new EngineOptions
            {
                CapacityBytes = options.CapacityBytes,
                RegionPath = options.RegionPath,
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
