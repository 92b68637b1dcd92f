using Mono.Unix.Native;
using Tmem.System.Tests.Support;
using Xunit;

namespace Tmem.System.Tests;

/// <summary>A real daemon that is told by files, and told anew while it serves.</summary>
public sealed class SettingsTests : IDisposable
{
    private readonly string _folder;

    public SettingsTests()
    {
        Requires.Machine();
        _folder = Daemon.NewFolder();
    }

    private string File => Path.Combine(_folder, "tmem.toml");

    public void Dispose()
    {
        if (!MachineState.IsMounted(Path.Combine(_folder, "mnt"))) Directory.Delete(_folder, recursive: true);
    }

    [Fact]
    public void A_daemon_does_what_its_files_say_and_an_option_wins()
    {
        using var daemon = Daemon.StartFrom(_folder, "capacity = \"min(ram / 2, 64M)\"\nthreads = 3\nspin = 7\nlog = \"debug\"",
            "--spin", "9");
        Assert.Equal(64L << 20, daemon.Figure("store.capacityBytes"));
        Assert.Equal(3, daemon.Figure("threads"));
        Assert.Equal(9, daemon.Figure("settings.spin"));
        Assert.Contains($"settings read from {File}", daemon.Log, StringComparison.Ordinal);

        var shown = daemon.Control("config", "show").Succeeds().Output;
        Assert.Matches($"\nthreads = 3 +# {File}:5\n", shown);
        Assert.Matches("\nspin = 9 +# --spin\n", shown);
        Assert.Equal("nothing to do: what runs is what is written\n", daemon.Control("reload").Succeeds().Output);
        daemon.Stop();
    }

    [Fact]
    public void A_mount_point_that_is_written_in_a_file_is_made()
    {
        var mount = Path.Combine(_folder, "srv", "tmem");
        global::System.IO.File.WriteAllText(File, $"[store]\nmount = \"{mount}\"\ncapacity = \"16M\"");
        // No daemon: there is no place for its socket.
        var refused = Command.Run(Built.Daemon, "--config", File, "--socket", Path.Combine(File, "socket"));
        Assert.Equal(1, refused.Code);
        Assert.True(Directory.Exists(mount), refused.All);
    }

    [Fact]
    public void A_directory_of_files_is_read_in_order_and_from_the_working_directory()
    {
        var file = Daemon.WriteSettings(_folder, "capacity = \"32M\"\nthreads = 1");
        Directory.CreateDirectory(Path.Combine(_folder, "tmem.d"));
        global::System.IO.File.WriteAllText(Path.Combine(_folder, "tmem.d", "10.toml"), "[store]\nthreads = 2");
        global::System.IO.File.WriteAllText(Path.Combine(_folder, "tmem.d", "20.toml"), "[store]\ncapacity = \"48M\"");
        using var daemon = Daemon.StartFromDirectory(_folder);
        Assert.Equal((48L << 20, 2), (daemon.Figure("store.capacityBytes"), daemon.Figure("threads")));
        Assert.Contains($"settings read from {file}, {_folder}/tmem.d/10.toml, {_folder}/tmem.d/20.toml", daemon.Log,
            StringComparison.Ordinal);
        // The daemon named the directory as "."; a reload finds it.
        Assert.Equal("nothing to do: what runs is what is written\n", daemon.Control("reload").Succeeds().Output);
        daemon.Stop();
    }

    [Fact]
    public void Descriptors_of_a_supervisor_that_lead_to_no_daemon_are_not_looked_for_twice()
    {
        Daemon.WriteSettings(_folder, "capacity = \"32M\"");
        using var daemon = Daemon.StartFromDirectory(_folder,
            "exec 3</dev/null 4</dev/null && export LISTEN_PID=$$ LISTEN_FDS=2 LISTEN_FDNAMES=one:two");
        Assert.Contains("LISTEN_PID=0", global::System.IO.File.ReadAllText($"/proc/{daemon.Id}/environ").Split('\0'));
        daemon.Stop();
    }

    [Fact]
    public void A_reload_changes_threads_and_makes_pools_while_a_file_is_in_use()
    {
        using var daemon = Daemon.StartFrom(_folder, "capacity = \"64M\"\nthreads = 2");
        var path = Path.Combine(daemon.Pool("used"), "file");
        var bytes = new byte[1 << 20];
        new Random(1).NextBytes(bytes);
        Bounded.Run(() =>
        {
            using var stream = new FileStream(path, FileMode.CreateNew, FileAccess.ReadWrite);
            stream.Write(bytes);
            Daemon.WriteSettings(_folder, "capacity = \"96M\"\nthreads = 5\nlog = \"error\"\n[[pool]]\nname = \"cache\"\n"
                + "kind = \"ephemeral\"\nlimit = \"8M\"\ncodec = \"zstd\"\ngroup = 12\nmode = \"0750\"\n[[pool]]\n"
                + "name = \"used\"\nreserve = \"16M\"");

            Assert.All(daemon.Control("reload", "--dry-run").Succeeds().Output.TrimEnd().Split('\n'), line =>
                Assert.StartsWith("would be applied: ", line, StringComparison.Ordinal));
            Assert.Equal(2, daemon.Figure("threads"));

            Assert.Equal([$"applied: capacity: 64M to 96M ({File}:4)", $"applied: threads: 2 to 5 ({File}:5)",
                $"applied: log: info to error ({File}:6)",
                $"applied: pool 'cache': made, ephemeral, limit 8.0 MiB ({File}:8)",
                $"applied: pool 'used': reserve: none to 16.0 MiB ({File}:16)"],
                daemon.Control("reload").Succeeds().Output.TrimEnd().Split('\n'));
            stream.Position = 0;
            var again = new byte[bytes.Length];
            stream.ReadExactly(again);
            Assert.Equal(bytes, again);
        });
        Assert.Equal(5, daemon.Figure("threads"));
        Assert.Equal("12 750", Command.Run("stat", "-c", "%g %a", Path.Combine(daemon.Mount, "cache")).Output.Trim());
        Assert.Contains("\"codec\": \"zstd\"", daemon.Control("pool", "show", "cache", "--json").Output,
            StringComparison.Ordinal);
        Assert.Equal(96L << 20, daemon.Figure("store.capacityBytes"));
        Assert.Equal("nothing to do: what runs is what is written\n", daemon.Control("reload").Succeeds().Output);
        Daemon.WriteSettings(_folder, "capacity = \"96M\"\nthreads = 5\nlog = \"error\"\n[[pool]]\nname = \"cache\"\n"
            + "kind = \"ephemeral\"\nlimit = \"4M\"\ncodec = \"lz4\"");
        Assert.Equal([$"applied: pool 'cache': limit: 8.0 MiB to 4.0 MiB ({File}:10)",
            $"applied: pool 'cache': codec: zstd to lz4 ({File}:11)"],
            daemon.Control("reload").Succeeds().Output.TrimEnd().Split('\n'));
        daemon.Control("check").Succeeds();
        daemon.Stop();
    }

    [Fact]
    public void A_pool_of_another_kind_than_the_files_say_stops_a_reload_before_anything_is_done()
    {
        using var daemon = Daemon.StartFrom(_folder, "capacity = \"64M\"\nthreads = 2");
        daemon.Pool("here");
        Daemon.WriteSettings(_folder, "capacity = \"64M\"\nthreads = 5\n[[pool]]\nname = \"there\"\n[[pool]]\nname = \"here\"\n"
            + "kind = \"ephemeral\"");
        var outcome = daemon.Control("reload");
        Assert.Equal((1, ""), (outcome.Code, outcome.Output));
        Assert.StartsWith($"tmemctl: {File}:10: pool 'here': kind ephemeral: the pool that is there is persistent",
            outcome.Errors, StringComparison.Ordinal);
        Assert.Equal(2, daemon.Figure("threads"));
        Assert.False(Directory.Exists(Path.Combine(daemon.Mount, "there")));
        daemon.Stop();
    }

    [Theory]
    [InlineData("capacity = \"99999G\"", ":4: capacity: '99999G' is more than the ")]
    [InlineData("capacity = \"64M\"\nthreds = 5", ":5: threds: [store] has no such key; did you mean threads?")]
    [InlineData("capacity = \"64M\"\nregion = \"/r\"\nhuge-pages = true", ":6: huge-pages: it is for a store without a file")]
    [InlineData("capacity = \"64M\"\nsocket-group = \"no-such-group\"", ":5: socket-group: there is no group 'no-such-group'")]
    public void A_bad_file_is_refused_before_anything_is_mounted(string settings, string told)
    {
        Directory.CreateDirectory(Path.Combine(_folder, "mnt"));
        var outcome = Command.Run(Built.Daemon, "--config", Daemon.WriteSettings(_folder, settings));
        Assert.Equal((2, ""), (outcome.Code, outcome.Output));
        Assert.StartsWith($"tmemd: {File}{told}", Assert.Single(outcome.Errors.TrimEnd().Split('\n')), StringComparison.Ordinal);
        Assert.Empty(MachineState.Of(_folder));
        Assert.False(global::System.IO.File.Exists(Path.Combine(_folder, "sock")));
    }

    [Fact]
    public void A_file_that_another_user_may_write_is_refused()
    {
        Command.Run("chmod", "666", Daemon.WriteSettings(_folder, "capacity = \"64M\"")).Succeeds();
        var outcome = Command.Run(Built.Daemon, "--config", File);
        Assert.Equal(2, outcome.Code);
        Assert.Contains($"others may write to {File}", outcome.Errors, StringComparison.Ordinal);
    }

    [Fact]
    public void A_directory_without_files_is_refused_by_all_who_read_it_in_the_same_words()
    {
        var empty = Directory.CreateDirectory(Path.Combine(_folder, "empty")).FullName;
        var fault = $"{empty}: there is no file of settings: neither tmem.toml nor tmem.d/*.toml; write one, or give tmemd "
            + "--mount and --capacity instead\n";
        var started = Command.Run(Built.Daemon, "--config", empty, "--capacity", "64M");
        Assert.Equal((2, "tmemd: " + fault), (started.Code, started.Errors));
        foreach (var words in (string[][])[["check", empty], ["check", "--config", empty], ["show", "--config", empty]])
        {
            var looked = Command.Run(Built.Control, ["--socket", Path.Combine(_folder, "none"), "config", .. words]);
            Assert.Equal((1, "tmemctl: " + fault), (looked.Code, looked.Errors));
        }
    }

    /// <summary>With the options that it was started with, which may contradict its files.</summary>
    [Fact]
    public void A_check_is_of_what_the_daemon_reads_as_a_reload_is()
    {
        using var daemon = Daemon.StartFrom(_folder, "capacity = \"64M\"\nthreads = 2", "--huge-pages");
        Assert.Equal($"nothing is wrong in {File}\n", daemon.Control("config", "check").Succeeds().Output);
        Daemon.WriteSettings(_folder, $"capacity = \"64M\"\nregion = \"{_folder}/region\"");
        var reload = daemon.Control("reload");
        Assert.Contains("huge-pages: it is for a store without a file, and region is set", reload.Errors,
            StringComparison.Ordinal);
        Assert.Equal((1, reload.Errors), daemon.Control("config", "check") is var check ? (check.Code, check.Errors) : default);
        Assert.Equal(reload.Errors, daemon.Control("config", "check", "--config", File).Errors);
        Assert.Equal(reload.Errors, daemon.Control("config", "show").Errors);
        // By itself it is in order.
        daemon.Control("config", "check", File).Succeeds();
        daemon.Stop();
    }

    [Fact]
    public void A_hang_up_reads_no_files_and_names_what_does()
    {
        using var daemon = Daemon.StartFrom(_folder, "capacity = \"64M\"\nthreads = 2");
        Daemon.WriteSettings(_folder, "capacity = \"64M\"\nthreads = 5");
        daemon.Signal(Signum.SIGHUP);
        daemon.AwaitLog($"'tmemctl --socket {daemon.Socket} reload' applies them");
        Assert.Equal(2, daemon.Figure("threads"));
        daemon.Stop();
    }

    /// <summary>Each change by itself may be impossible where all of them are possible: in every order of the file.</summary>
    [Fact]
    public void A_reload_gives_room_before_it_takes_it()
    {
        const string small = "capacity = \"64M\"\nmount-options = \"ro\"\n"
            + "[[pool]]\nname = \"a\"\nreserve = \"40M\"\nlimit = \"41M\"\nmode = \"0700\"\n"
            + "[[pool]]\nname = \"b\"\nreserve = \"4M\"\nlimit = \"5M\"\nowner = 12\n";
        const string large = "capacity = \"128M\"\nmount-options = \"rw\"\n"
            + "[[pool]]\nname = \"a\"\nreserve = \"4M\"\nlimit = \"5M\"\nmode = \"0755\"\n"
            + "[[pool]]\nname = \"b\"\nreserve = \"100M\"\nlimit = \"101M\"\nowner = 13\n";
        const string turned = "capacity = \"64M\"\nmount-options = \"rw\"\n"
            + "[[pool]]\nname = \"a\"\nreserve = \"4M\"\nlimit = \"5M\"\nmode = \"0750\"\n"
            + "[[pool]]\nname = \"b\"\nreserve = \"40M\"\nlimit = \"41M\"\nowner = 14\n";
        using var daemon = Daemon.StartFrom(_folder, "capacity = \"64M\"\n");
        foreach (var text in new[] { small, large, small, turned, small, turned, large, turned })
        {
            Daemon.WriteSettings(_folder, text);
            daemon.Control("reload").Succeeds();
            Assert.Equal("nothing to do: what runs is what is written\n", daemon.Control("reload").Succeeds().Output);
        }
        daemon.Control("check").Succeeds();
        daemon.Stop();
    }

    [Fact]
    public void Flags_source_and_group_come_from_the_files_and_a_reload_changes_the_flags()
    {
        // Its members must get to the socket.
        Command.Run("chmod", "755", _folder).Succeeds();
        using var daemon = Daemon.StartFrom(_folder,
            "capacity = \"64M\"\nmount-options = \"noexec,suid\"\nmount-source = \"fast\"\nsocket-group = 0");
        string Mount() => global::System.IO.File.ReadAllLines("/proc/mounts").Single(line => line.Contains($" {daemon.Mount} "))
            .Split(",user_id")[0];
        Assert.Equal($"fast {daemon.Mount} fuse.tmem rw,nodev,noexec,noatime", Mount());
        Assert.Equal("nothing to do: what runs is what is written\n", daemon.Control("reload").Succeeds().Output);
        Daemon.WriteSettings(_folder, "capacity = \"64M\"\nmount-options = \"ro\"\nmount-source = \"none\"");
        Assert.Equal([
            $"needs more: mount-source: fast to none ({File}:6): needs a restart of tmemd",
            "needs more: socket-group: 0 to none (default): needs a restart of tmemd",
            // Last, because what comes before may write to the mount.
            $"applied: mount-options: rw,suid,nodev,noexec,symfollow to ro,nosuid,nodev,exec,symfollow ({File}:5)",
            ], daemon.Control("reload").Succeeds().Output.TrimEnd().Split('\n'));
        Assert.Equal($"fast {daemon.Mount} fuse.tmem ro,nosuid,nodev,noatime", Mount());
        daemon.Stop();
    }

    [Fact]
    public void A_reload_turns_swap_on()
    {
        Requires.Swap();
        using var daemon = Daemon.StartFrom(_folder, "capacity = \"64M\"\n[[pool]]\nname = \"fast\"\nmode = \"0700\"\n"
            + "reserve = \"32M\"\n[swap]\non = true\nsize = \"50%\"\npriority = 3\npool = \"fast\"");
        var lines = daemon.Control("reload").Succeeds().Output.TrimEnd().Split('\n');
        Assert.Equal([$"applied: pool 'fast': made, persistent, limit none, 32.0 MiB reserved ({File}:6)",
            $"applied: swap: off to on, 32.0 MiB, priority 3, pool 'fast' ({File}:10)"], lines);
        try
        {
            Assert.Contains("\"on\": true", daemon.Control("swap", "status", "--json").Output, StringComparison.Ordinal);
            Assert.Equal("nothing to do: what runs is what is written\n", daemon.Control("reload").Succeeds().Output);
        }
        finally
        {
            daemon.Control("swap", "off").Succeeds();
        }
        daemon.Stop();
    }
}
