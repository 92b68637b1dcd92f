using System.Diagnostics;
using Tmem.Control.Host;
using Tmem.Ctl.Native;
using Tmem.Ctl.Swap;
using Xunit;

namespace Tmem.Ctl.Tests;

/// <summary>The real kernel under a fake daemon: a tmpfs stands in for the mount, everything else is real.</summary>
public sealed class LinuxSwapTests : IDisposable
{
    private readonly FakeServer _server = new() { RealDirectories = true };
    private readonly LinuxSwapSystem _system = new();

    [Fact]
    public void Swap_goes_on_and_off_and_leaves_nothing()
    {
        using var mount = MountTmpfs();
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
        Assert.Empty(Directory.EnumerateFileSystemEntries(_server.Mount));
        Assert.Empty(_server.Pools);
    }

    [Fact]
    public void A_link_or_a_device_at_the_files_name_is_not_followed()
    {
        using var mount = MountTmpfs();
        var victim = Path.Combine(_server.Mount, "victim");
        File.WriteAllText(victim, "precious");
        var pool = Directory.CreateDirectory(Path.Combine(_server.Mount, "swap")).FullName;
        File.SetUnixFileMode(pool, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        _server.Pools["swap"] = "persistent";
        File.CreateSymbolicLink(Path.Combine(pool, SwapFile.Name), victim);
        var outcome = Ctl.Run(_system, _server.SocketPath, "swap", "on", "--size", "1M");
        Assert.Equal(ExitCode.Failed, outcome.Code);
        Assert.Contains("claim the name swapfile in pool 'swap': it is taken by something", outcome.Error);
        Assert.Equal(ExitCode.Done, Ctl.Run(_system, _server.SocketPath, "swap", "off").Code);
        Assert.Equal("precious", File.ReadAllText(victim));
        // The pool's directory itself is a link to another place.
        Directory.Delete(pool, recursive: true);
        Directory.CreateSymbolicLink(pool, Directory.CreateDirectory(Path.Combine(_server.Mount, "elsewhere")).FullName);
        Assert.Contains("open pool 'swap'", Ctl.Run(_system, _server.SocketPath, "swap", "on", "--size", "1M").Error);
        Assert.Empty(Directory.EnumerateFileSystemEntries(Path.Combine(_server.Mount, "elsewhere")));
    }

    [Fact]
    public void A_mount_with_another_over_it_is_told_by_that()
    {
        using var mount = MountTmpfs();
        var connection = _server.Connection;
        using (MountTmpfs())
        {
            _server.Connection = connection;
            Assert.Contains($"a tmpfs file system is mounted over {_server.Mount}; unmount that first",
                Ctl.Run(_system, _server.SocketPath, "swap", "on", "--size", "1M").Error);
        }
        // Not here at all: somewhere else, then.
        _server.Connection = 1 << 19;
        Assert.Contains("cannot be seen from here", Ctl.Run(_system, _server.SocketPath, "swap", "on", "--size", "1M").Error);
    }

    [Fact]
    public void A_swap_file_that_another_has_open_is_refused()
    {
        using var mount = MountTmpfs();
        Directory.CreateDirectory(Path.Combine(_server.Mount, "p"));
        Assert.Null(_system.OpenPool(new MountPlace(_server.Mount, _server.Connection, 0), "p", out var folder));
        using (folder)
        {
            Assert.Null(folder!.Create("f", 1 << 20, "mark", out var file));
            using (file)
            {
                Assert.Null(file!.RequireSole());
                using (File.Open(Path.Combine(_server.Mount, "p/f"), FileMode.Open, FileAccess.Read, FileShare.ReadWrite))
                    Assert.Equal("somebody else has it open", file.RequireSole());
                Assert.Null(file.RequireSole());
                File.SetUnixFileMode(Path.Combine(_server.Mount, "p/f"), UnixFileMode.UserRead | UnixFileMode.OtherRead);
                Assert.Contains("somebody meddles", file.RequireSole());
            }
            Assert.Equal("mark", folder.Find("f")!.Mark);
            Assert.Null(folder.Find("f/x"));
            Assert.Equal(["f"], folder.Names());
        }
    }

    [Fact]
    public void Errors_carry_the_text_of_errno()
    {
        Assert.NotNull(_system.OpenPool(new MountPlace("/", 1 << 19, 1), "x", out _));
        Assert.Contains("errno 2)", _system.SwapOff("/nonexistent/device"));
        Assert.Null(_system.DetachLoop("/dev/nonexistent-loop"));
    }

    /// <summary>
    /// A file system without a device of its own, like the real mount, and with attributes that only root can set.
    /// </summary>
    private Unmounter MountTmpfs()
    {
        if (Environment.UserName != "root") Assert.Skip("loop devices and swap need root");
        if (!File.Exists("/dev/loop-control")) Assert.Skip("/dev/loop-control is missing; load the module loop");
        using var mount = Process.Start("mount", ["-t", "tmpfs", "tmpfs", _server.Mount]);
        mount.WaitForExit();
        if (mount.ExitCode != 0) Assert.Skip("no tmpfs can be mounted");
        Assert.Equal(0, FileStatus.Of(-100, _server.Mount, 0, FileStatus.Basic, out var status));
        _server.Connection = (int)status.DeviceMinor;
        return new Unmounter(_server.Mount);
    }

    private sealed class Unmounter(string mount) : IDisposable
    {
        public void Dispose() => Machine.Unmount(mount, lazily: true);
    }

    public void Dispose() => _server.Dispose();
}
