using Tmem.System.Tests.Support;

namespace Tmem.System.Tests;

/// <summary>fio writes at random, reads everything back and verifies a checksum in every block.</summary>
public class FioTests
{
    private static readonly string[] Common =
    [
        "--name=verify", "--rw=randwrite", "--verify=crc32c", "--do_verify=1", "--verify_fatal=1", "--randseed=7",
        // Half of each block shrinks, and no two blocks are equal.
        "--refill_buffers", "--buffer_compress_percentage=50", "--group_reporting", "--output-format=terse",
    ];

    [Xunit.Fact]
    public void A_file_written_directly_in_mixed_sizes_reads_back_as_written()
    {
        Requires.Programs("fio");
        using var daemon = Daemon.Start();
        Fio($"--filename={daemon.Pool("p")}/direct",
            "--size=48m", "--direct=1", "--ioengine=libaio", "--iodepth=16", "--bsrange=4k-256k", "--blockalign=4k");
        daemon.Control("check").Succeeds();
    }

    [Xunit.Fact]
    public void A_file_written_through_the_page_cache_in_odd_sizes_reads_back_as_written()
    {
        Requires.Programs("fio");
        using var daemon = Daemon.Start();
        Fio($"--filename={daemon.Pool("p")}/buffered",
            "--size=48m", "--direct=0", "--ioengine=psync", "--bsrange=512-64k", "--blockalign=512", "--fsync=64",
                "--invalidate=1");
        daemon.Control("check").Succeeds();
    }

    [Xunit.Fact]
    public void A_loop_device_over_a_file_reads_back_as_written()
    {
        Requires.Programs("fio", "losetup");
        Requires.Swap();
        using var daemon = Daemon.Start();
        var file = Path.Combine(daemon.Pool("p"), "disk");
        Command.Run("truncate", "--size=64M", file).Succeeds();
        var device = Command.Run("losetup", "--find", "--show", "--direct-io=on", "--sector-size", "4096", file)
            .Succeeds().Output.Trim();
        try
        {
            Fio($"--filename={device}", "--size=64m", "--direct=1", "--ioengine=libaio", "--iodepth=32", "--bsrange=4k-512k",
                "--blockalign=4k");
        }
        finally
        {
            Command.Run("losetup", "--detach", device).Succeeds();
        }
        daemon.Control("check").Succeeds();
    }

    private static void Fio(params string[] arguments) => Command.RunFor(120, "fio", [.. Common, .. arguments]).Succeeds();
}
