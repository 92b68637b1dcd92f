using Tmem.Control;
using Tmem.Control.Host;
using Tmem.Control.Messages;
using Tmem.Ctl.Reload;
using Tmem.Settings;
using Tmem.Settings.Keys;
using Xunit;
using Reloads = Tmem.Ctl.Reload.Outcome;

namespace Tmem.Ctl.Tests;

/// <summary>What is written against what runs, on a fake daemon and a fake kernel.</summary>
public sealed class ReloadTests : IDisposable
{
    private readonly FakeServer _server = new();
    private readonly FakeSwapSystem _system = new();
    private readonly string _file = Path.GetTempFileName();

    // Whose command line says nothing of settings.
    public ReloadTests() => _server.Processes = _server.Processes with { KeeperPid = Environment.ProcessId };

    [Fact]
    public void What_runs_as_it_is_written_is_left_alone()
    {
        Write("");
        var run = Reload();
        Assert.Equal((0, "nothing to do: what runs is what is written\n", ""), (run.Code, run.Output, run.Error));
        Assert.All(_server.Calls, call => Assert.Contains(call, (string[])[ControlMethod.Status, ControlMethod.PoolList]));
    }

    [Fact]
    public void A_worker_with_other_settings_takes_over_once_for_all_of_them()
    {
        Write("threads = 8\nspin = 7\nlog = \"error\"\ncodec = \"zstd\"");
        var run = Reload();
        Assert.Equal((0, ""), (run.Code, run.Error));
        Assert.Equal([$"applied: threads: 4 to 8 ({_file}:5)", $"applied: codec: pool to zstd ({_file}:8)",
            $"applied: spin: {ControlProtocol.UsualSpin} to 7 ({_file}:6)", $"applied: log: info to error ({_file}:7)"],
            run.Lines);
        Assert.Equal(new UpgradeParameters { Threads = 8, Spin = 7, Log = LogWish.Error, Codec = CodecWish.Zstd },
            _server.Upgraded);
        Assert.Single(_server.Calls, ControlMethod.Upgrade);
    }

    [Fact]
    public void What_needs_a_restart_is_told_and_not_touched()
    {
        File.WriteAllText(_file, "[store]\nmount = \"/elsewhere\"\ncapacity = \"1G\"\nsocket = \"/x/y.sock\"\nhuge-pages = true");
        var run = Reload();
        Assert.Equal(0, run.Code);
        Assert.Equal([$"needs more: mount: {_server.Mount} to /elsewhere ({_file}:2): needs a restart of tmemd",
            $"needs more: socket: {_server.SocketPath} to /x/y.sock ({_file}:4): needs a restart of tmemd",
            $"needs more: huge-pages: false to true ({_file}:5): needs a restart of tmemd"], run.Lines);
        File.WriteAllText(_file, $"[store]\nmount = \"{_server.Mount}\"\ncapacity = \"1G\"\nsocket = \"{_server.SocketPath}\"\n"
            + "region = \"/var/lib/region\"");
        Assert.Equal($"needs more: region: none to /var/lib/region ({_file}:5): needs a restart of tmemd\n", Reload().Output);
        Assert.Null(_server.Upgraded);
    }

    /// <summary>Every key of [store] with another value is applied, or told with what it needs.</summary>
    [Fact]
    public void No_key_of_the_store_is_passed_over()
    {
        var mount = new MountEntry(_server.Mount, "fuse.tmem", 1, Flags: MountFlags.Usual, Source: "tmem");
        foreach (var key in KnownKeys.Of(KnownKeys.Store))
        {
            var example = key.Name switch { "capacity" => "\"3M\"", "socket-group" => "77", _ => key.Example };
            File.WriteAllText(_file, $"[store]\n{key.Name} = {example}");
            var read = SettingsReader.Read(_file, [], 1L << 40);
            Assert.True(read.Settings is not null, $"{key.Name}: {string.Join(" ", read.Faults.Select(fault => fault.Line))}");
            var status = new ControlClient(_server.SocketPath).Status().Value! with
            {
                // Where only a store with a file has an interval.
                Region = key.Name == "sync-interval" ? "/region" : "memory",
            };
            var changes = StorePlan.Of(read.Settings.Store, status, mount, _ => null, _ => null, _ => null)
                .Where(change => change.From.File is not null);
            var change = Assert.Single(changes);
            Assert.StartsWith(key.Name + ": ", change.What, StringComparison.Ordinal);
            Assert.Equal(key.Effect == Effect.Reload ? Reloads.Apply : Reloads.Later, change.Outcome);
        }
    }

    [Fact]
    public void Flags_of_the_mount_that_were_changed_by_hand_stay_unless_others_are_written()
    {
        var mount = new MountEntry(_server.Mount, "fuse.tmem", 1, Flags: MountFlags.Usual | MountFlags.ReadOnly, Source: "tmem");
        List<Change> Plan(string text)
        {
            Write(text);
            var status = new ControlClient(_server.SocketPath).Status().Value!;
            return [.. StorePlan.Of(SettingsReader.Read(_file, [], 1L << 40).Settings!.Store, status, mount, _ => null,
                _ => null, flags => new($"{flags == MountFlags.Usual}"))];
        }
        Assert.Empty(Plan(""));
        Assert.Empty(Plan("mount-options = \"ro\""));
        var change = Assert.Single(Plan("mount-options = \"rw\""));
        Assert.Equal("mount-options: ro,nosuid,nodev,exec,symfollow to rw,nosuid,nodev,exec,symfollow", change.What);
        Assert.Equal("True", change.Do!()!.Why);
    }

    [Fact]
    public void The_capacity_is_changed_while_the_store_is_in_use()
    {
        File.WriteAllText(_file, $"[store]\nmount = \"{_server.Mount}\"\ncapacity = \"2M\"\nsocket = \"{_server.SocketPath}\"");
        var run = Reload();
        Assert.Equal((0, $"applied: capacity: 1G to 2M ({_file}:3)\n", ""), (run.Code, run.Output, run.Error));
        Assert.Single(_server.Calls, ControlMethod.Resize);
        Assert.Null(_server.Upgraded);
    }

    [Fact]
    public void Pools_that_are_missing_are_made_and_others_left_alone()
    {
        _server.Pools["mine"] = "persistent";
        _system.Folders["keep"] = (0, 0x1ED);
        Write("[[pool]]\nname = \"cache\"\nkind = \"ephemeral\"\nlimit = \"256M\"\ncodec = \"zstd\"\nowner = 12\n"
            + "mode = \"0750\"\n[[pool]]\nname = \"keep\"\nreserve = \"10%\"");
        var run = Reload();
        Assert.Equal((0, ""), (run.Code, run.Error));
        Assert.Equal([$"applied: pool 'cache': made, ephemeral, limit 256.0 MiB ({_file}:6)",
            $"applied: pool 'keep': made, persistent, limit none, 102.4 MiB reserved ({_file}:13)"], run.Lines);
        Assert.Equal([new() { Name = "cache", Ephemeral = true, Limit = 256 << 20, Codec = CodecWish.Zstd },
            new() { Name = "keep", Reserve = (1L << 30) / 10, Codec = CodecWish.Lz4 }], _server.Created);
        Assert.Equal((12u, 0x1E8u), _system.Folders["cache"]);
        Assert.Equal(["give cache"], _system.Done);
        Assert.Equal(["cache", "keep", "mine"], _server.Pools.Keys);
    }

    [Fact]
    public void Of_a_pool_that_is_there_only_what_is_written_is_compared()
    {
        _server.Pools["a"] = "persistent";
        _system.Folders["a"] = (4_000_005, 0x1C0);
        Write("[[pool]]\nname = \"a\"");
        Assert.Equal("nothing to do: what runs is what is written\n", Reload().Output);
        Write("[[pool]]\nname = \"a\"\nlimit = \"1M\"\nreserve = \"1M\"\ncodec = \"zstd\"\ngroup = 4000006");
        var run = Reload();
        Assert.Equal([$"applied: pool 'a': limit: none to 1.0 MiB ({_file}:7)",
            $"applied: pool 'a': codec: lz4 to zstd ({_file}:9)",
            $"applied: pool 'a': reserve: none to 1.0 MiB ({_file}:8)",
            "applied: pool 'a': owner 4000005, group root, mode 0700 to owner 4000005, group 4000006, mode 0700 "
                + $"({_file}:10)"], run.Lines);
        // A lower limit may be possible only with a lower reserve: all at once.
        Assert.Single(_server.Calls, ControlMethod.PoolSet);
        Assert.Equal(new PoolSetParameters { Name = "a", Limit = 1 << 20, Codec = CodecWish.Zstd, Reserve = 1 << 20 },
            _server.Set);
        Assert.Equal((4_000_005u, 0x1C0u), _system.Folders["a"]);
        Assert.Equal(4_000_006u, _system.Groups["a"]);
    }

    [Fact]
    public void A_pool_of_another_kind_is_named_with_both_and_nothing_is_applied()
    {
        _server.Pools["a"] = "persistent";
        Write("threads = 8\n[[pool]]\nname = \"b\"\n[[pool]]\nname = \"a\"\nkind = \"ephemeral\"");
        var run = Reload();
        Assert.Equal((1, ""), (run.Code, run.Output));
        Assert.Equal($"tmemctl: {_file}:10: pool 'a': kind ephemeral: the pool that is there is persistent; write that, or "
            + $"destroy the pool first with 'tmemctl --socket {_server.SocketPath} pool destroy a'\n", run.Error);
        Assert.Null(_server.Upgraded);
        Assert.Empty(_server.Created);
    }

    [Fact]
    public void Pools_for_which_there_is_no_place_are_named_and_nothing_is_applied()
    {
        for (var i = 1; i < ControlProtocol.MaximumPools; i++) _server.Pools[$"there{i}"] = "persistent";
        Write("threads = 8\n[[pool]]\nname = \"a\"\n[[pool]]\nname = \"there7\"\n[[pool]]\nname = \"b\"");
        var run = Reload();
        Assert.Equal((1, ""), (run.Code, run.Output));
        Assert.StartsWith($"tmemctl: {_file}:11: pool 'b': made: with those that are there it is one more than the ", run.Error,
            StringComparison.Ordinal);
        Assert.Null(_server.Upgraded);
        Assert.Empty(_server.Created);
    }

    [Fact]
    public void A_page_size_that_pools_of_files_do_not_have_is_refused_before_anything_is_done()
    {
        Write("threads = 8\n[[pool]]\nname = \"b\"\npage-size = \"64K\"");
        Assert.StartsWith($"tmemctl: {_file}:8: page-size: pools of files have pages of 4K, ", Reload().Error,
            StringComparison.Ordinal);
        Assert.Null(_server.Upgraded);
    }

    [Fact]
    public void Nothing_is_applied_if_anything_is_wrong()
    {
        Write("threads = 8\nlog = \"loud\"");
        var run = Reload();
        Assert.Equal((1, ""), (run.Code, run.Output));
        Assert.StartsWith($"tmemctl: {_file}:6: log: ", run.Error, StringComparison.Ordinal);
        Assert.Null(_server.Upgraded);
    }

    [Fact]
    public void A_dry_run_says_what_would_be_done_and_does_nothing()
    {
        Write("threads = 8\n[[pool]]\nname = \"a\"\n[swap]\non = true");
        var run = Reload("--dry-run");
        Assert.Equal(0, run.Code);
        Assert.Equal(3, run.Lines.Count(line => line.StartsWith("would be applied: ", StringComparison.Ordinal)));
        Assert.Null(_server.Upgraded);
        Assert.Empty(_server.Created);
        Assert.True(_system.IsClean);
    }

    [Fact]
    public void Swap_is_turned_on_if_it_is_off_and_never_off()
    {
        Write("[swap]\non = true\nsize = \"50%\"\npriority = 7");
        var run = Reload();
        Assert.Equal((0, ""), (run.Code, run.Error));
        Assert.Equal([$"applied: swap: off to on, 512.0 MiB, priority 7, pool 'swap' ({_file}:6)"], run.Lines);
        Assert.Equal(7, _system.On["/dev/loop7"]);
        Assert.Equal(512L << 20, _system.Files["swap/swapfile"].Size);

        Write("[swap]\non = true\nsize = \"2G\"\npriority = 8");
        Assert.Equal([$"needs more: swap: priority: 7 to 8 ({_file}:8): takes effect when swap is turned on the next time"],
            Reload().Lines);
        Write("[swap]\non = false");
        Assert.Equal([$"needs more: swap: on: true to false ({_file}:6): 'tmemctl --socket {_server.SocketPath} swap off' turns "
            + "it off"], Reload().Lines);
        Assert.NotEmpty(_system.On);
    }

    [Fact]
    public void Each_swap_device_that_is_written_and_off_is_turned_on()
    {
        const string settings = "[[swap]]\npool = \"a\"\non = true\nsize = \"64M\"\n"
            + "[[swap]]\npool = \"b\"\non = true\nsize = \"64M\"\npriority = 7\n[[swap]]\npool = \"c\"";
        Write(settings);
        var run = Reload();
        Assert.Equal((0, ""), (run.Code, run.Error));
        Assert.Equal([$"applied: swap 'a': off to on, 64.0 MiB, priority 100, pool 'a' ({_file}:7)",
            $"applied: swap 'b': off to on, 64.0 MiB, priority 7, pool 'b' ({_file}:11)"], run.Lines);
        Assert.Equal(["/dev/loop7", "/dev/loop8"], _system.On.Keys);
        // The one that is off is turned on, and the other is as it was.
        Ctl.Run(_system, _server.SocketPath, "swap", "off", "a");
        Assert.Equal([$"applied: swap 'a': off to on, 64.0 MiB, priority 100, pool 'a' ({_file}:7)"],
            Reload().Lines.Where(line => line.StartsWith("applied", StringComparison.Ordinal)));
        Write(settings.Replace("pool = \"b\"\non = true", "pool = \"b\"\non = false", StringComparison.Ordinal));
        Assert.Contains($"needs more: swap 'b': on: true to false ({_file}:11): 'tmemctl --socket {_server.SocketPath} swap off "
            + "b' turns it off", Reload().Lines);
        // Neither is known to be that of [swap].
        Write("[swap]\non = true\npool = \"d\"\nsize = \"64M\"");
        Assert.Equal([$"applied: swap: off to on, 64.0 MiB, priority 100, pool 'd' ({_file}:6)"], Reload().Lines);
    }

    [Fact]
    public void The_only_device_is_that_of_swap_even_if_another_pool_is_written_there_now()
    {
        Ctl.Run(_system, _server.SocketPath, "swap", "on", "--size", "64M");
        Write("[swap]\non = true\npool = \"d\"");
        Assert.Equal([$"needs more: swap: pool: 'swap' to 'd' ({_file}:7): takes effect when swap is turned on the next time"],
            Reload().Lines);
    }

    [Fact]
    public void The_first_change_that_fails_is_named_and_none_after_it_is_begun()
    {
        _server.CreateError = new(ControlErrorCode.NoRoom, "there is no room", new("a", "destroy another one"));
        Write("threads = 8\n[[pool]]\nname = \"a\"\n[swap]\non = true");
        var run = Reload();
        Assert.Equal(1, run.Code);
        Assert.Equal([$"applied: threads: 4 to 8 ({_file}:5)"], run.Lines);
        Assert.Equal($"tmemctl: pool 'a': made, persistent, limit none ({_file}:7): there is no room; destroy another one; "
            + "correct it and reload again: 1 change after it was not begun\n", run.Error);
        Assert.True(_system.IsClean);
    }

    [Theory]
    [InlineData(true, 5, "; run it again: 1 change after it was not begun\n")]
    [InlineData(false, 1, "; ask again in a moment; run it again: 1 change after it was not begun\n")]
    public void Where_nothing_is_to_be_corrected_it_says_to_run_it_again(bool dies, int code, string says)
    {
        if (dies) _server.DiesAt = ControlMethod.PoolCreate;
        else _server.CreateError = new(ControlErrorCode.Busy, "an upgrade is under way", new("a", "ask again in a moment"));
        Write("threads = 8\n[[pool]]\nname = \"a\"\n[swap]\non = true");
        var run = Reload();
        Assert.Equal(code, run.Code);
        Assert.Equal([$"applied: threads: 4 to 8 ({_file}:5)"], run.Lines);
        Assert.EndsWith(says, run.Error, StringComparison.Ordinal);
        Assert.DoesNotContain("correct", run.Error, StringComparison.Ordinal);
        Assert.Equal(dies ? "unknown" : "failed", Reload("--json").Json["changes"]![1]!["state"]!.GetValue<string>());
    }

    [Fact]
    public void An_upgrade_that_is_not_answered_may_have_been_done()
    {
        _server.DiesAt = ControlMethod.Upgrade;
        Write("threads = 8");
        var run = Reload();
        Assert.Equal(5, run.Code);
        Assert.EndsWith("it may have been done; run it again\n", run.Error, StringComparison.Ordinal);
    }

    [Fact]
    public void Programs_get_a_list_of_changes()
    {
        Write("threads = 8");
        var change = Reload("--json").Json["changes"]![0]!;
        Assert.Equal(("applied", "threads: 4 to 8", $"{_file}:5", ""), (change["state"]!.GetValue<string>(),
            change["what"]!.GetValue<string>(), change["from"]!.GetValue<string>(), change["note"]!.GetValue<string>()));
    }

    [Fact]
    public void A_daemon_whose_command_line_says_everything_has_no_files_to_reload()
    {
        var run = Ctl.Run(_system, _server.SocketPath, "reload", "--config", "none");
        Assert.Equal(1, run.Code);
        Assert.Contains("the daemon reads no file of settings", run.Error, StringComparison.Ordinal);
    }

    public void Dispose()
    {
        _server.Dispose();
        File.Delete(_file);
    }

    /// <summary>A file for the fake daemon as it runs, with more from its fifth line on.</summary>
    private void Write(string more) => File.WriteAllText(_file,
        $"[store]\nmount = \"{_server.Mount}\"\ncapacity = \"1G\"\nsocket = \"{_server.SocketPath}\"\n{more}");

    private Outcome Reload(params string[] arguments) =>
        Ctl.Run(_system, _server.SocketPath, ["reload", "--config", _file, .. arguments]);
}
