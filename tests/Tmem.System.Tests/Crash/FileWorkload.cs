using Tmem.System.Tests.Support;
using Xunit;

namespace Tmem.System.Tests.Crash;

/// <summary>fio writing and verifying a file of the mount, over and over until it is told to finish.</summary>
internal sealed class FileWorkload : IDisposable
{
    private readonly Task _running;
    private readonly string _file;
    private volatile bool _finish;

    public FileWorkload(Daemon daemon)
    {
        Requires.Programs("fio");
        _file = Path.Combine(daemon.Mount, "crash/fio");
        _running = Task.Run(() => { do Fio().Succeeds(); while (!_finish); });
    }

    /// <summary>A failed round ends the workload with its error.</summary>
    public bool HasFailed => _running.IsFaulted;

    /// <summary>Waits for the round under way, and fails with what fio found wrong.</summary>
    public void Finish()
    {
        _finish = true;
        Assert.True(_running.Wait(TimeSpan.FromSeconds(300)), "the file workload is stuck");
    }

    public void Dispose() => _finish = true;

    private Outcome Fio() => Command.RunFor(280, "fio",
        "--name=verify", $"--filename={_file}", "--rw=randwrite", "--size=32m", "--bsrange=4k-128k", "--blockalign=4k",
        "--direct=1", "--ioengine=libaio", "--iodepth=8", "--verify=crc32c", "--do_verify=1", "--verify_fatal=1", "--loops=2",
        "--refill_buffers", "--buffer_compress_percentage=50", "--group_reporting", "--output-format=terse");
}
