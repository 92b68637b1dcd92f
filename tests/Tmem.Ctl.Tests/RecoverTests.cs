using Tmem.Control.Host;
using Tmem.Control.Messages;
using Tmem.Ctl.Output;
using Tmem.Ctl.Recover;
using Xunit;

namespace Tmem.Ctl.Tests;

/// <summary>What recover tears down, in which order, and what it leaves alone.</summary>
public sealed class RecoverTests
{
    private readonly FakeSwapSystem _swap = new();
    private readonly FakeMounts _mounts = new();

    [Fact]
    public void A_dead_mount_goes_with_everything_on_it_in_order()
    {
        _mounts.All.Add(new TmemMount("/mnt/a", 40, []));
        _swap.Attach("/dev/loop7", "/mnt/a/swap/swapfile", null);
        _swap.On.Add("/dev/loop7", 5);
        _mounts.Socket = true;
        var (code, output) = Run(null);
        Assert.Equal(ExitCode.Done, code);
        Assert.Equal(["swapoff", "detach"], _swap.Done);
        Assert.Equal(["unmount /mnt/a"], _mounts.Done);
        Assert.Contains("lost: up to 100.0 MiB that had been swapped to /dev/loop7", output);
        Assert.Contains("removed the socket /run/s", output);
    }

    [Fact]
    public void A_mount_that_is_served_or_answers_is_not_touched()
    {
        _mounts.All.Add(new TmemMount("/mnt/a", 40, ["tmemd (process 7)"]));
        _mounts.All.Add(new TmemMount("/mnt/b", 41, []));
        _mounts.States["/mnt/a"] = _mounts.States["/mnt/b"] = MountState.Answers;
        _swap.Attach("/dev/loop7", "/mnt/a/swap/swapfile", null);
        _swap.On.Add("/dev/loop7", 5);
        var (code, output) = Run(null);
        Assert.Equal(ExitCode.Done, code);
        Assert.Empty(_swap.Done);
        Assert.Empty(_mounts.Done);
        Assert.Contains("/mnt/a answers: not touched", output);
        Assert.Contains("/mnt/b answers: not touched", output);
    }

    [Theory]
    [InlineData("sleep (process 7) has its connection open", "sleep (process 7)")]
    [InlineData("sleep (process 7), sh (process 8) and tmemd (process 9) have its connection open: let them go on, or end them",
        "sleep (process 7)", "sh (process 8)", "tmemd (process 9)")]
    [InlineData("tmemd-other (process 9) has its connection open", "tmemd-other (process 9)")]
    [InlineData("another PID namespace")]
    public void What_neither_answers_nor_is_dead_is_left_and_said(string says, params string[] holders)
    {
        _mounts.All.Add(new TmemMount("/mnt/a", 40, holders));
        _mounts.States["/mnt/a"] = MountState.Silent;
        _swap.Attach("/dev/loop7", "/mnt/a/swap/swapfile", null);
        _swap.On.Add("/dev/loop7", 5);
        var (code, output) = Run("/mnt/a/");
        Assert.Equal(ExitCode.Failed, code);
        Assert.Contains(says, output);
        Assert.Empty(_swap.Done);
        Assert.Empty(_mounts.Done);
    }

    [Fact]
    public void A_dead_mount_with_another_over_or_below_it_is_left()
    {
        _mounts.All.Add(new TmemMount("/mnt/a", 40, []));
        _mounts.Obstacle = "a ext4 file system is mounted on /mnt/a/x; unmount that first";
        var (code, output) = Run(null);
        Assert.Equal(ExitCode.Failed, code);
        Assert.Contains("left: /mnt/a is dead and stays: a ext4 file system is mounted on /mnt/a/x", output);
        Assert.Empty(_mounts.Done);
        (_mounts.IsOver, _mounts.States["/mnt/a"]) = (true, MountState.Answers);
        Assert.Contains("left: /mnt/a cannot be asked and stays: ", Run(null).Output);
    }

    [Fact]
    public void A_dead_connection_is_recovered_whoever_has_a_device_open_and_whatever_he_is_called()
    {
        _mounts.All.Add(new TmemMount("/mnt/a", 40, ["tmemd-other (process 9)"]));
        Assert.Equal(ExitCode.Done, Run(null).Code);
        Assert.Equal(["unmount /mnt/a"], _mounts.Done);
    }

    [Fact]
    public void What_lies_in_the_sockets_place_and_is_none_is_left()
    {
        _mounts.SocketLeft = "/run/s is no socket: not touched";
        var (code, output) = Run(null);
        Assert.Equal(ExitCode.Failed, code);
        Assert.Contains("left: /run/s is no socket", output);
    }

    [Fact]
    public void What_the_kernel_does_not_let_go_is_left_with_its_remedy_and_nothing_under_it_is_taken_away()
    {
        _mounts.All.Add(new TmemMount("/mnt/a", 40, []));
        _swap.Attach("/dev/loop7", "/mnt/a/swap/swapfile", null);
        _swap.On.Add("/dev/loop7", 5);
        _swap.FailAt = "swapoff";
        var (code, output) = Run(null);
        Assert.Equal(ExitCode.Failed, code);
        Assert.Contains("left: swap on /dev/loop7 stays", output);
        Assert.Empty(_mounts.Done);
    }

    [Fact]
    public void A_device_that_the_kernel_can_still_tell_the_file_of_is_found_whatever_its_path()
    {
        _mounts.All.Add(new TmemMount("/mnt/a", 40, []));
        _swap.Attach("/dev/loop7", "/swap/renamed", new FileIdentity(0, 40, 7));
        _swap.Attach("/dev/loop8", "/mnt/a/swap/swapfile", new FileIdentity(0, 41, 7));
        Assert.Equal(ExitCode.Done, Run(null).Code);
        Assert.Equal(["/dev/loop8"], _swap.Attached.Keys);
    }

    [Fact]
    public void A_busy_mount_is_unmounted_lazily()
    {
        _mounts.All.Add(new TmemMount("/mnt/a", 40, []));
        _mounts.Busy = true;
        Assert.Equal(ExitCode.Done, Run(null).Code);
        Assert.Equal(["unmount lazily /mnt/a"], _mounts.Done);
    }

    [Fact]
    public void With_nothing_dead_there_is_nothing_to_do_and_a_name_that_is_no_mount_is_an_error()
    {
        Assert.Equal((ExitCode.Done, "nothing to recover: no tmem mount is dead\n"), Run(null));
        Assert.Equal(ExitCode.Failed, Run("/mnt/x").Code);
    }

    [Fact]
    public void A_named_socket_confines_it_to_the_mount_that_the_name_tells()
    {
        _mounts.All.Add(new TmemMount("/mnt/a", 40, []));
        _mounts.All.Add(new TmemMount("/mnt/stranger", 41, []));
        _mounts.Socket = true;
        var (code, output) = Run(null, mount => mount.MountPoint == "/mnt/a");
        Assert.Equal(ExitCode.Done, code);
        Assert.Equal(["unmount /mnt/a"], _mounts.Done);
        Assert.Contains("removed the socket /run/s", output);
        Assert.DoesNotContain("stranger", output);
    }

    [Fact]
    public void Where_a_named_socket_tells_no_mount_dead_ones_are_named_and_nothing_is_done()
    {
        _mounts.All.Add(new TmemMount("/mnt/a", 40, []));
        _mounts.All.Add(new TmemMount("/mnt/b", 41, []));
        _mounts.All.Add(new TmemMount("/mnt/lives", 42, []));
        _mounts.States["/mnt/lives"] = MountState.Answers;
        _mounts.Socket = true;
        var (code, output) = Run(null, _ => false);
        Assert.Equal(ExitCode.Failed, code);
        Assert.Empty(_mounts.Done);
        Assert.Equal(2, output.TrimEnd('\n').Split('\n').Length);
        foreach (var mount in (string[])["/mnt/a", "/mnt/b"])
            Assert.Contains($"left: {mount} is dead, and whether its daemon had that socket cannot be told: not touched; if it "
                + $"is yours, run 'tmemctl --socket /run/s recover --mount {mount}'\n", output);
        _mounts.States["/mnt/a"] = _mounts.States["/mnt/b"] = MountState.Answers;
        Assert.Equal((ExitCode.Done, "removed the socket /run/s, which nobody listened on\n"), Run(null, _ => false));
    }

    [Fact]
    public void What_has_vanished_meanwhile_is_no_leftover()
    {
        _mounts.All.Add(new TmemMount("/mnt/a", 40, []));
        _mounts.Vanished = true;
        Assert.Equal(ExitCode.Done, Run(null).Code);
        (_mounts.IsOver, _mounts.Obstacle) = (true, "it is not mounted any more");
        Assert.Equal((ExitCode.Done, "nothing to recover: no tmem mount is dead\n"), Run(null));
    }

    private (int Code, string Output) Run(string? only, Func<TmemMount, bool>? isItsOwn = null)
    {
        using var output = new StringWriter();
        using var error = new StringWriter();
        return (new Recovery(_swap, _mounts, new Terminal(output, error, json: false),
            new ControlCommand("/run/s")).Run(only, "/run/s", isItsOwn), output.ToString());
    }

    private sealed class FakeMounts : IMountSystem
    {
        public List<TmemMount> All { get; } = [];
        public Dictionary<string, MountState> States { get; } = [];
        public bool IsOver { get; set; }
        public string? Obstacle { get; set; }
        public string? SocketLeft { get; set; }
        public List<string> Done { get; } = [];
        public bool Busy { get; set; }
        public bool Socket { get; set; }
        public bool Vanished { get; set; }

        public IReadOnlyList<TmemMount> Mounts() => All;
        public MountState State(TmemMount mount) => States.GetValueOrDefault(mount.MountPoint, MountState.Dead);
        public string? Over(TmemMount mount) => IsOver ? Obstacle : null;
        public bool IsGone(TmemMount mount) => Vanished;
        public string? Below(TmemMount mount) => IsOver ? null : Obstacle;

        public string? Leave(int connection) => null;

        public bool RemoveStaleSocket(string path, out string? left)
        {
            left = SocketLeft;
            return Socket;
        }

        public string? Unmount(TmemMount mount, bool lazily)
        {
            if (Vanished || (Busy && !lazily)) return "busy";
            Done.Add($"unmount {(lazily ? "lazily " : "")}{mount.MountPoint}");
            return null;
        }
    }
}
