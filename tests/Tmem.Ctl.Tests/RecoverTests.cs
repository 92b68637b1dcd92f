using Tmem.Ctl.Output;
using Tmem.Ctl.Recover;
using Xunit;

namespace Tmem.Ctl.Tests;

/// <summary>What recover takes away, in which order, and what it leaves alone.</summary>
public sealed class RecoverTests
{
    private readonly FakeSwapSystem _swap = new();
    private readonly FakeMounts _mounts = new();

    [Fact]
    public void A_dead_mount_goes_with_everything_on_it_in_order()
    {
        _mounts.All.Add(new TmemMount("/mnt/a", 40, [], false));
        _swap.Attached.Add("/dev/loop7", "/mnt/a/swap/swapfile");
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
        _mounts.All.Add(new TmemMount("/mnt/a", 40, ["tmemd (process 7)"], true));
        _mounts.All.Add(new TmemMount("/mnt/b", 41, [], false));
        _mounts.Answering.Add("/mnt/b");
        _swap.Attached.Add("/dev/loop7", "/mnt/a/swap/swapfile");
        _swap.On.Add("/dev/loop7", 5);
        var (code, output) = Run(null);
        Assert.Equal(ExitCode.Done, code);
        Assert.Empty(_swap.Done);
        Assert.Empty(_mounts.Done);
        Assert.Contains("tmemd (process 7): not touched", output);
        Assert.Contains("/mnt/b still answers: not touched", output);
    }

    [Fact]
    public void A_connection_that_only_a_stranger_keeps_open_is_aborted()
    {
        _mounts.All.Add(new TmemMount("/mnt/a", 40, ["sleep (process 7)"], false));
        Assert.Equal(ExitCode.Done, Run("/mnt/a/").Code);
        Assert.Equal(["abort 40", "unmount /mnt/a"], _mounts.Done);
    }

    [Fact]
    public void What_the_kernel_does_not_let_go_is_left_with_its_remedy_and_nothing_under_it_is_taken_away()
    {
        _mounts.All.Add(new TmemMount("/mnt/a", 40, [], false));
        _swap.Attached.Add("/dev/loop7", "/mnt/a/swap/swapfile");
        _swap.On.Add("/dev/loop7", 5);
        _swap.FailAt = "swapoff";
        var (code, output) = Run(null);
        Assert.Equal(ExitCode.Failed, code);
        Assert.Contains("left: swap on /dev/loop7 stays", output);
        Assert.Empty(_mounts.Done);
    }

    [Fact]
    public void A_busy_mount_is_unmounted_lazily()
    {
        _mounts.All.Add(new TmemMount("/mnt/a", 40, [], false));
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

    private (int Code, string Output) Run(string? only)
    {
        using var output = new StringWriter();
        using var error = new StringWriter();
        return (new Recovery(_swap, _mounts, new Terminal(output, error, json: false)).Run(only, "/run/s"), output.ToString());
    }

    private sealed class FakeMounts : IMountSystem
    {
        public List<TmemMount> All { get; } = [];
        public HashSet<string> Answering { get; } = [];
        public List<string> Done { get; } = [];
        public bool Busy { get; set; }
        public bool Socket { get; set; }

        public IReadOnlyList<TmemMount> Mounts() => All;
        public bool IsDead(string mountPoint) => !Answering.Contains(mountPoint);
        public bool RemoveStaleSocket(string path) => Socket;

        public string? Abort(int connection)
        {
            Done.Add($"abort {connection}");
            return null;
        }

        public string? Unmount(string mountPoint, bool lazily)
        {
            if (Busy && !lazily) return "busy";
            Done.Add($"unmount {(lazily ? "lazily " : "")}{mountPoint}");
            return null;
        }
    }
}
