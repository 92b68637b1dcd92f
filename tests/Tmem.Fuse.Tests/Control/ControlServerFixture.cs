using System.Collections.Concurrent;
using System.Net.Sockets;
using Tmem.Fuse.Control;

namespace Tmem.Fuse.Tests.Control;

/// <summary>A server on a socket of its own, over fakes.</summary>
internal sealed class ControlServerFixture : IDisposable
{
    private readonly ConcurrentBag<Socket> _listeners = [];

    public ControlServerFixture(ControlLimits? limits = null)
    {
        Folder = Directory.CreateTempSubdirectory("tmem-control-").FullName;
        SocketPath = Path.Combine(Folder, "run", "sock");
        Server = ControlServer.Start(SocketPath, Listen(SocketPath), Daemon, Store, Store, Log.Enqueue, limits ?? new ControlLimits(), Calls);
    }

    public string Folder { get; }
    public string SocketPath { get; }
    public FakeDaemon Daemon { get; } = new();
    public FakeStore Store { get; } = new();
    public ConcurrentQueue<string> Log { get; } = new();
    public ControlGate Calls { get; } = new();
    public ControlServer Server { get; }

    /// <summary>A listening socket that lives as long as the fixture.</summary>
    public Socket Listen(string path)
    {
        var listener = ControlSocket.Listen(path);
        _listeners.Add(listener);
        return listener;
    }

    /// <summary>Another server over the same fakes.</summary>
    public ControlServer Serve(string path, Socket listener) => ControlServer.Start(path, listener, Daemon, Store, Store, Log.Enqueue, new ControlLimits());

    public Peer Connect() => new(SocketPath);

    public void Dispose()
    {
        Server.Dispose();
        foreach (var listener in _listeners) listener.Dispose();
        Directory.Delete(Folder, recursive: true);
    }
}
