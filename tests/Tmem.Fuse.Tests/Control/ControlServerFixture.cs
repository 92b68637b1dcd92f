using System.Collections.Concurrent;
using Tmem.Fuse.Control;
using Tmem.Fuse.Native;
using Xunit;

namespace Tmem.Fuse.Tests.Control;

/// <summary>A server on a socket of its own, over fakes.</summary>
internal sealed class ControlServerFixture : IDisposable
{
    private readonly ConcurrentBag<int> _listeners = [];

    public ControlServerFixture(ControlLimits? limits = null)
    {
        Folder = Directory.CreateTempSubdirectory("tmem-control-").FullName;
        SocketPath = Path.Combine(Folder, "run", "sock");
        Server = ControlServer.Start(SocketPath, Listen(SocketPath), Daemon, Store, Store, Lines,
            limits ?? new ControlLimits(), Calls);
    }

    public string Folder { get; }
    public string SocketPath { get; }
    public FakeDaemon Daemon { get; } = new();
    public FakeStore Store { get; } = new();
    /// <summary>Warnings but those of acts that were refused.</summary>
    public ConcurrentQueue<string> Log { get; } = new();
    /// <summary>Lines about acts, the level first.</summary>
    public ConcurrentQueue<string> Acts { get; } = new();
    public ControlGate Calls { get; } = new();
    public ControlServer Server { get; }

    private ControlLog Lines => new(line => Acts.Enqueue("info " + line), line =>
    {
        if (line.Contains(": refused: ", StringComparison.Ordinal)) Acts.Enqueue("warning " + line);
        else Log.Enqueue(line);
    });

    /// <summary>A listening socket that lives as long as the fixture.</summary>
    public int Listen(string path)
    {
        var listener = ControlSocket.Listen(path).Descriptor;
        _listeners.Add(listener);
        return listener;
    }

    /// <summary>Another server over the same fakes.</summary>
    public ControlServer Serve(string path, int listener) =>
        ControlServer.Start(path, listener, Daemon, Store, Store, Lines, new ControlLimits());

    public Peer Connect() => new(SocketPath);

    /// <summary>A peer whose call is in progress until <paramref name="hold"/> is set.</summary>
    public Peer ConnectAndCheck(ManualResetEventSlim hold)
    {
        Store.HoldVerify = hold;
        var peer = Connect();
        peer.Send("""{"jsonrpc":"2.0","id":1,"method":"check"}""" + "\n");
        Store.VerifyBegun.Wait(TestContext.Current.CancellationToken);
        return peer;
    }

    /// <summary>Starts an action that has to wait for another, and returns once it waits.</summary>
    public static Thread StartWaiting(Action wait)
    {
        var thread = new Thread(() => wait());
        thread.Start();
        SpinWait.SpinUntil(() => thread.ThreadState.HasFlag(ThreadState.WaitSleepJoin), TimeSpan.FromSeconds(10));
        return thread;
    }

    public void Dispose()
    {
        Server.Dispose();
        foreach (var listener in _listeners) _ = Libc.close(listener);
        Directory.Delete(Folder, recursive: true);
    }
}
