using System.Diagnostics;
using System.Net.Sockets;
using Tmem.Control.Messages;
using Tmem.Engine;
using Tmem.Fuse.Filesystem;
using Tmem.Fuse.Native;

namespace Tmem.Fuse.Control;

/// <summary>Limits that guard the server; the defaults are the daemon's, tests use shorter times.</summary>
internal sealed record ControlLimits
{
    /// <summary>
    /// Connections served at once; each costs a thread of <see cref="ControlServer.StackSize"/>, which is locked memory.
    /// </summary>
    public int Connections { get; init; } = 16;

    /// <summary>A connection that is silent for this long is closed.</summary>
    public TimeSpan Idle { get; init; } = TimeSpan.FromMinutes(1);

    /// <summary>A line must be complete this long after its first byte.</summary>
    public TimeSpan Line { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>A peer that has not taken its reply after this long is dropped.</summary>
    public TimeSpan Send { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>The group whose members may ask for figures; null for none.</summary>
    public uint? Readers { get; init; }

    /// <summary>What a peer may ask for; the rest is <see cref="PeerCredentials.Access"/>.</summary>
    public Func<PeerCredentials, ControlAccess>? AccessOf { get; init; }
}

/// <summary>
/// The management API's server: a Unix socket, one thread that accepts, one small thread a connection. Blocking sockets and
/// threads instead of the thread pool, whose threads and timers would stay in locked memory for good; here an idle daemon has one
/// sleeping thread.
/// </summary>
internal sealed class ControlServer : IDisposable
{
    /// <summary>Stack of each of the server's threads, in bytes.</summary>
    public const int StackSize = 256 * 1024;

    private static readonly TimeSpan Farewell = TimeSpan.FromSeconds(2);

    private readonly Socket _listener;
    private readonly RpcEndpoint _endpoint;
    private readonly ControlLimits _limits;
    private readonly ControlLog _log;
    private readonly Lock _gate = new();
    /// <summary>Held while a peer is let in, or the listener exchanged.</summary>
    private readonly Lock _door = new();
    private readonly Dictionary<ControlConnection, Thread> _connections = [];
    private readonly Thread _acceptor;
    private readonly StopEvent _stop = new();
    /// <summary>
    /// Set when the listener was replaced: a thread in poll(2) looks a descriptor up again only when it is woken, and events of
    /// the descriptor's new file do not wake it.
    /// </summary>
    private volatile StopEvent _exchanged = new();
    private bool _stopping;

    private ControlServer(
        string path, int listener, ControlMethods methods, ControlGate gate, ControlLimits limits, ControlLog log)
    {
        SocketPath = path;
        _listener = new Socket(new SafeSocketHandle(listener, ownsHandle: false));
        _limits = limits;
        _log = log;
        _endpoint = new RpcEndpoint(methods, gate, log);
        _acceptor = new Thread(Accept, StackSize) { IsBackground = true, Name = "control" };
    }

    public string SocketPath { get; }

    /// <summary>Serves a socket until disposed.</summary>
    /// <param name="path">The socket's absolute path.</param>
    /// <param name="listener">The listening socket: other processes may share it, and it stays open.</param>
    /// <param name="daemon">The daemon.</param>
    /// <param name="engine">The engine.</param>
    /// <param name="directory">The pools.</param>
    /// <param name="gate">The gate of the calls.</param>
    /// <param name="readers">The group whose members may ask for figures; null for none.</param>
    /// <param name="log">Gets a line for each act, and for each event worth a warning.</param>
    public static ControlServer Start(
        string path, int listener, IDaemon daemon, TmemEngine engine, IPoolDirectory directory, ControlGate gate, uint? readers,
            ControlLog log) =>
        Start(path, listener, daemon, new EngineView(engine), directory, log, new ControlLimits { Readers = readers }, gate);

    /// <inheritdoc cref="Start(string, int, IDaemon, TmemEngine, IPoolDirectory, ControlGate, uint?, ControlLog)"/>
    public static ControlServer Start(
        string path, int listener, IDaemon daemon, IEngineView engine, IPoolDirectory directory, ControlLog log,
        ControlLimits limits, ControlGate? gate = null)
    {
        var methods = new ControlMethods(path, daemon, engine, directory);
        var server = new ControlServer(path, listener, methods, gate ?? new ControlGate(), limits, log);
        server._acceptor.Start();
        return server;
    }

    /// <summary>
    /// Switches to another listening socket, under the old one's descriptor. Conversations continue; connections that wait at the
    /// old socket are accepted.
    /// </summary>
    /// <param name="listener">The new socket; the caller closes it.</param>
    /// <param name="handOn">Run once the descriptor is switched, before the old socket is closed.</param>
    public void ListenOn(int listener, Action handOn)
    {
        lock (_door)
        {
            var number = (int)_listener.Handle;
            while (HasPeer()) Admit(_listener.Accept());
            var before = NativeProcess.fcntl(number, NativeProcess.F_DUPFD_CLOEXEC, 0);
            _ = NativeProcess.dup3(listener, number, NativeProcess.O_CLOEXEC);
            handOn();
            var told = _exchanged;
            _exchanged = new StopEvent();
            told.Set();
            // In all processes that share it, and for clients that found it by another name.
            _ = NativeProcess.shutdown(before, NativeProcess.SHUT_RDWR);
            _ = Libc.close(before);
        }
    }

    /// <summary>
    /// Stops accepting and gives replies under way two seconds to leave: the answer to <c>stop</c> is one of them. Later
    /// connections wait for the next process that serves the socket.
    /// </summary>
    public void Dispose()
    {
        KeyValuePair<ControlConnection, Thread>[] open;
        lock (_gate)
        {
            if (_stopping) return;
            _stopping = true;
            open = [.. _connections];
        }
        _stop.Set();
        foreach (var (connection, _) in open) connection.ReadNoMore();
        var deadline = DateTime.UtcNow + Farewell;
        foreach (var (connection, thread) in open)
        {
            var left = deadline - DateTime.UtcNow;
            if (thread == Thread.CurrentThread || thread.Join(left > TimeSpan.Zero ? left : TimeSpan.Zero)) continue;
            connection.Dispose();
        }
        if (_acceptor == Thread.CurrentThread || !_acceptor.Join(Farewell)) return;
        _stop.Dispose();
        _exchanged.Dispose();
    }

    private void Accept()
    {
        var complained = false;
        while (true)
        {
            try
            {
                // Not in accept(2): only shutting the socket down, in every process that shares it, would end that wait.
                if (!WaitForPeer()) return;
                lock (_door)
                {
                    if (!HasPeer()) continue;
                    var socket = _listener.Accept();
                    complained = false;
                    Admit(socket);
                }
            }
            catch (Exception error)
            {
                lock (_gate)
                    if (_stopping) return;
                // Out of descriptors or memory: management pauses, the data path does not.
                if (!complained) _log.Warning($"control: cannot accept a connection on {SocketPath}: {error.Message}; going on");
                complained = true;
                Thread.Sleep(100);
            }
        }
    }

    private unsafe bool WaitForPeer()
    {
        var exchanged = _exchanged;
        var polls = stackalloc PollDescriptor[3];
        polls[0] = new PollDescriptor { Descriptor = (int)_listener.Handle, Events = Libc.POLLIN };
        polls[1] = new PollDescriptor { Descriptor = _stop.Descriptor, Events = Libc.POLLIN };
        polls[2] = new PollDescriptor { Descriptor = exchanged.Descriptor, Events = Libc.POLLIN };
        while (!_stop.IsSet && !exchanged.IsSet && polls[0].Returned == 0) _ = Libc.poll(polls, 3, -1);
        if (exchanged.IsSet) exchanged.Dispose();
        return !_stop.IsSet;
    }

    private unsafe bool HasPeer()
    {
        var poll = new PollDescriptor { Descriptor = (int)_listener.Handle, Events = Libc.POLLIN };
        return Libc.poll(&poll, 1, 0) > 0;
    }

    private void Admit(Socket socket)
    {
        var peer = PeerOf(socket);
        var connection = new ControlConnection(socket, peer, _endpoint, _limits);
        if (Refusal(peer) is { } refusal)
        {
            connection.Refuse(refusal);
            return;
        }
        var thread = new Thread(() => Serve(connection), StackSize) { IsBackground = true, Name = "control peer" };
        var served = false;
        for (var began = Stopwatch.GetTimestamp(); !served && Stopwatch.GetElapsedTime(began) < Farewell; Thread.Sleep(1))
        {
            lock (_gate)
            {
                if (_stopping)
                {
                    connection.Refuse(RpcAnswer.Fail(ControlErrorCode.NotBegun, "this worker ends, or gives way to another one",
                        SocketPath, "ask again in a moment"));
                    return;
                }
                var place = FindPlace();
                if (place == Place.None) break;
                // Started under the lock, because Dispose joins every thread that it finds here.
                served = place == Place.Free;
                if (served) Start(connection, thread);
            }
            if (served) return;
        }
        connection.Refuse(RpcAnswer.Fail(ControlErrorCode.TooManyConnections,
            $"{_limits.Connections} requests are under way already", SocketPath,
            "try again when one of them is done"));
    }

    /// <summary>
    /// Whether one more can be served. With all places taken, the peer that has been silent for longest is evicted: a new one is
    /// about to speak. An evicted peer counts until its thread has ended, so that the number of threads is bounded whatever the
    /// peers do.
    /// </summary>
    private Place FindPlace()
    {
        if (_connections.Count < _limits.Connections) return Place.Free;
        if (_connections.Count < 2 * _limits.Connections)
        {
            var silent = _connections.Keys.Where(peer => peer.WaitsSince is not null).MinBy(peer => peer.WaitsSince);
            if (silent?.TryEvict() ?? false) return Place.Free;
        }
        return _connections.Keys.Any(peer => peer.IsEnding) ? Place.Soon : Place.None;
    }

    private void Start(ControlConnection connection, Thread thread)
    {
        try
        {
            thread.Start();
            _connections.Add(connection, thread);
        }
        catch
        {
            connection.Dispose();
            throw;
        }
    }

    private ControlPeer PeerOf(Socket socket)
    {
        var who = PeerCredentials.Of(socket);
        return new ControlPeer(who, _limits.AccessOf?.Invoke(who)
            ?? who.Access(Tmds.Linux.LibC.geteuid(), _limits.Readers, group => PeerCredentials.IsMember(socket, group)));
    }

    private RpcAnswer? Refusal(ControlPeer peer)
    {
        if (peer.Access != ControlAccess.None) return null;
        _log.Warning($"control: {peer}: refused on {SocketPath}");
        return RpcAnswer.Fail(ControlErrorCode.NotPermitted, $"user {peer.Who.Uid} may not manage this daemon", SocketPath,
            "run as root or as the daemon's own user" + (_limits.Readers is { } group
                ? $"; members of group {group} may ask for figures" : ""));
    }

    private void Serve(ControlConnection connection)
    {
        try
        {
            connection.Run();
        }
        catch (Exception error)
        {
            _log.Warning($"control: a connection failed: {error}");
        }
        finally
        {
            // In this order: a peer that sees its conversation end finds its place free.
            lock (_gate) _connections.Remove(connection);
            connection.Dispose();
        }
    }

    private enum Place
    {
        Free,
        Soon,
        None,
    }
}
