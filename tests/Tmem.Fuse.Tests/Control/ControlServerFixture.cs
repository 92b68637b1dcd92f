using System.Collections.Concurrent;
using Tmem.Fuse.Control;

namespace Tmem.Fuse.Tests.Control;

/// <summary>A server on a socket of its own, over fakes.</summary>
internal sealed class ControlServerFixture : IDisposable
{
    public ControlServerFixture(ControlLimits? limits = null)
    {
        Folder = Directory.CreateTempSubdirectory("tmem-control-").FullName;
        SocketPath = Path.Combine(Folder, "run", "sock");
        Server = ControlServer.Start(SocketPath, Daemon, Store, Store, Log.Enqueue, limits ?? new ControlLimits());
    }

    public string Folder { get; }
    public string SocketPath { get; }
    public FakeDaemon Daemon { get; } = new();
    public FakeStore Store { get; } = new();
    public ConcurrentQueue<string> Log { get; } = new();
    public ControlServer Server { get; }

    public Peer Connect() => new(SocketPath);

    public void Dispose()
    {
        Server.Dispose();
        Directory.Delete(Folder, recursive: true);
    }
}
