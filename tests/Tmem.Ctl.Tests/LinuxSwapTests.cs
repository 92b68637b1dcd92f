using Tmem.Ctl.Swap;
using Xunit;

namespace Tmem.Ctl.Tests;

/// <summary>The real kernel under a fake daemon: an ordinary directory stands for the mount, everything else is real.</summary>
public sealed class LinuxSwapTests : IDisposable
{
    private readonly FakeServer _server = new() { RealDirectories = true };
    private readonly LinuxSwapSystem _system = new();

    [Fact]
    public void Swap_goes_on_and_off_and_leaves_nothing()
    {
        RequireLoop();
        try
        {
            var on = Ctl.Run(_system, _server.SocketPath, "swap", "on", "--size", "16M", "--priority", "0", "--json");
            Assert.True(on.Code == ExitCode.Done, on.Error);
            var device = on.Json["device"]!.GetValue<string>();
            Assert.Equal((16L << 20) - 4096, _system.Swaps().Single(entry => entry.Device == device).SizeBytes);
            Assert.Equal("1", LoopDevice.Read(device, "loop/dio"));
            Assert.Equal("4096", LoopDevice.Read(device, "queue/logical_block_size"));
            Assert.True(int.Parse(LoopDevice.Read(device, "queue/max_sectors_kb")!) <= 1024);
            Assert.Equal(ExitCode.Failed, Ctl.Run(_system, _server.SocketPath, "swap", "on").Code);
            var off = Ctl.Run(_system, _server.SocketPath, "swap", "off");
            Assert.True(off.Code == ExitCode.Done, off.Error);
            Assert.DoesNotContain(_system.Swaps(), entry => entry.Device == device);
        }
        finally
        {
            Ctl.Run(_system, _server.SocketPath, "swap", "off");
        }
        Assert.Empty(SwapFile.Find(_system, _server.Mount));
        Assert.Empty(Directory.EnumerateFileSystemEntries(_server.Mount));
        Assert.Empty(_server.Pools);
    }

    [Fact]
    public void Errors_carry_the_text_of_errno()
    {
        Assert.Contains("(errno 2)", _system.CreateFile("/nonexistent/file", 4096));
        Assert.Contains("(errno 17)", _system.CreateFile("/proc/version", 4096));
        Assert.Contains("errno 2)", _system.SwapOn("/nonexistent/device", 0));
        Assert.Null(_system.RemoveFile("/nonexistent/file"));
        Assert.Null(_system.DetachLoop("/dev/nonexistent-loop"));
        Assert.Null(_system.Mark("/nonexistent/file"));
    }

    private void RequireLoop()
    {
        if (Environment.UserName != "root") Assert.Skip("loop devices and swap need root");
        if (!File.Exists("/dev/loop-control")) Assert.Skip("/dev/loop-control is missing; load the module loop");
        var probe = Path.Combine(_server.Mount, "probe");
        var problem = _system.CreateFile(probe, 4096) ?? _system.SetMark(probe, "x");
        _system.RemoveFile(probe);
        if (problem is not null) Assert.Skip($"the temporary directory takes no extended attributes: {problem}");
    }

    public void Dispose() => _server.Dispose();
}
