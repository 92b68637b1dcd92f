using System.Runtime.InteropServices;
using Tmds.Linux;
using Tmem.Engine;
using Tmem.Engine.Records;
using Tmem.Fuse.Abi;
using Tmem.Fuse.Filesystem;
using Tmem.Fuse.Native;
using Tmem.Fuse.Protocol;
using Xunit;
using Answer = Tmem.Fuse.Tests.Protocol.Answer;

namespace Tmem.Fuse.Tests.Crash;

/// <summary>
/// A file system in a memory file, served one request at a time through the dispatcher. It can be killed at any store that
/// counts, and taken over by an engine and a file system that know only the region. A kill is an exception out of the store; from
/// then on every store throws, so that no cleanup on the way out changes anything.
/// </summary>
internal sealed class CrashVolume : IDisposable
{
    private readonly int _descriptor = SharedMemory.Create("test-region", 0, out _, out _);
    private readonly byte[] _reply = new byte[16 + (1 << 20)];
    private TmemEngine? _engine;
    private TmemFileSystem? _files;
    private Dispatcher<TmemFileSystem>? _dispatcher;
    private int _stores;
    private int _killAt;
    private ulong _unique;

    public CrashVolume()
    {
        Open();
        // Two volumes list the same names in the same order.
        ref var root = ref Records.Get<RootRecord>(Records.Root);
        root.HashKey = new SipKey { First = 1 };
        Volume.Seal(ref root);
        Reopen();
    }

    public TmemEngine Engine => _engine!;
    public TmemFileSystem Files => _files!;
    public RecordStore Records => Engine.Records;

    /// <summary>The point of the next kill: before this store or allocation, counted from 1 and from here; 0: none.</summary>
    public int KillAt
    {
        set => (_killAt, _stores) = (value, 0);
    }

    public void Dispose()
    {
        KillAt = 0;
        Engine.Dispose();
        _ = LibC.close(_descriptor);
    }

    /// <summary>Attaches to the region as the next process does. May be killed itself; then it must be called again.</summary>
    public void Reopen()
    {
        Engine.Dispose();
        Open();
    }

    private void Open()
    {
        _engine = TmemEngine.Open(new EngineOptions
        {
            CapacityBytes = 4 << 20, RegionDescriptor = LibC.dup(_descriptor), CompactInBackground = false,
        });
        _engine.Records.BeforeStore = Count;
        _engine.Slabs.FaultInjector = () =>
        {
            Count();
            return false;
        };
        _files = new TmemFileSystem(_engine, _engine.Client(new TmemClientId(1)));
        // The dispatcher catches and reports what a bug in an operation throws: a kill is rethrown from there.
        _dispatcher = new Dispatcher<TmemFileSystem>(_files,
            fault => throw (fault.Contains(nameof(Killed), StringComparison.Ordinal) ? new Killed()
                : new InvalidOperationException(fault)), Tmemctl.Default, default(SessionParameters));
    }

    private void Count()
    {
        if (_killAt != 0 && ++_stores >= _killAt) throw new Killed();
    }

    public ulong NextUnique() => _unique += 2;

    /// <summary>Sends a message and ignores the answer.</summary>
    public int Dispatch(byte[] message, int thread = 0) => _dispatcher!.Dispatch(message, _reply, thread, out _);

    public int Repeat(byte[] message, int thread = 0) => _dispatcher!.Repeat(message, _reply, thread, out _);

    public Answer Send(byte[] message, int thread = 0)
    {
        var length = Dispatch(message, thread);
        if (length == 0) return new Answer(0, Errno.Ok, 0, []);
        var header = MemoryMarshal.Read<FuseOutHeader>(_reply);
        return new Answer(length, (Errno)(-header.Error), header.Unique, _reply[16..length]);
    }

    /// <summary>Sends a message again as the kernel does after RESEND, or as the successor does with forgets.</summary>
    public Answer SendAgain(byte[] message, int thread = 0)
    {
        var header = MemoryMarshal.Read<FuseInHeader>(message);
        if (header.Opcode is FuseOpcode.Forget or FuseOpcode.BatchForget)
        {
            // The buffer that holds it is longer than the message.
            Repeat([.. message, .. new byte[100]]);
            return new Answer(0, Errno.Ok, 0, []);
        }
        header.Unique |= FuseProtocol.UniqueResend;
        var again = message.ToArray();
        MemoryMarshal.Write(again, in header);
        var answer = Send(again, thread);
        Assert.Equal(header.Unique, answer.Unique);
        return answer with { Unique = answer.Unique & ~FuseProtocol.UniqueResend };
    }

    /// <summary>The node of a path from the root, found without counting a lookup.</summary>
    public ulong Node(string path)
    {
        if (path.Length == 0) return 1;
        var directories = Snapshot.Directories(this);
        return path.Split('/', StringSplitOptions.RemoveEmptyEntries)
            .Aggregate(Records.Get<RootRecord>(Records.Root).RootInode, (at, name) => directories[at][name]);
    }

    public void AssertSound()
    {
        Assert.Empty(Files.Verify());
        var report = Engine.Verify(quiescent: true);
        Assert.True(report.Clean, string.Join(Environment.NewLine, report.Problems));
    }
}
