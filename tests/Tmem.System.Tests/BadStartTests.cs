using Tmem.System.Tests.Support;
using Xunit;

namespace Tmem.System.Tests;

/// <summary>A daemon that cannot start names what is wrong with which thing, and leaves nothing mounted.</summary>
public sealed class BadStartTests : IDisposable
{
    private readonly string _folder;

    public BadStartTests()
    {
        Requires.Machine();
        _folder = Daemon.NewFolder();
        Directory.CreateDirectory(Mount);
    }

    private string Mount => Path.Combine(_folder, "mnt");

    private string Socket => Path.Combine(_folder, "sock");

    public void Dispose()
    {
        if (MachineState.IsMounted(Mount)) Command.Run("umount", "--lazy", Mount);
        Directory.Delete(_folder, recursive: true);
    }

    [Fact]
    public void Mount_point_missing() => Refused(Path.Combine(_folder, "nowhere"), "64M").Names("nowhere");

    [Fact]
    public void The_directory_of_the_region_is_missing()
    {
        var directory = Path.Combine(_folder, "var lib");
        var outcome = Start(Mount, "64M", Socket, "--region", Path.Combine(directory, "region"));
        Assert.Equal(1, outcome.Code);
        var command = $"install -d -m 700 {directory.Replace(" ", "\\ ", StringComparison.Ordinal)}";
        Assert.EndsWith(command, outcome.Errors.TrimEnd(), StringComparison.Ordinal);
        Command.Run("sh", "-c", command).Succeeds();
        Assert.Equal("700", Command.Run("stat", "-c", "%a", directory).Output.Trim());
    }

    /// <summary>The request buffers do not fit, or, with more, the region.</summary>
    [Theory]
    [InlineData(1000)]
    [InlineData(300_000)]
    public void A_limit_on_the_size_of_files_is_named(int blocks)
    {
        var outcome = Command.Run("sh", "-c", $"ulimit -f {blocks}; exec \"$0\" \"$@\"", Built.Daemon, "--mount", Mount,
            "--capacity", "64M", "--socket", Socket, "--region", Path.Combine(_folder, "region"));
        Assert.Equal(1, outcome.Code);
        Assert.Contains($"may have files of {512L * blocks} bytes at most", outcome.Errors, StringComparison.Ordinal);
        Assert.Contains("raise that limit (ulimit -f unlimited", outcome.Errors, StringComparison.Ordinal);
    }

    [Fact]
    public void Mount_point_is_a_file()
    {
        var file = Path.Combine(_folder, "file");
        File.WriteAllText(file, "kept");
        Refused(file, "64M").Names(file).Names("directory");
        Assert.Equal("kept", File.ReadAllText(file));
    }

    [Fact]
    public void Wrong_usage_has_an_exit_code_of_its_own()
    {
        Assert.Equal(2, Start(Mount, "lots", Socket).Code);
        Assert.Equal(2, Start(Mount, "64M", Socket, "--nonsense").Code);
        Assert.Equal(1, Start(Path.Combine(_folder, "nowhere"), "64M", Socket).Code);
    }

    [Theory]
    [InlineData("--socket", "")]
    [InlineData("--socket",
        "/run/0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789012345")]
    [InlineData("--region", "")]
    [InlineData("--threads", "99999999999999999999")]
    [InlineData("--threads", "")]
    [InlineData("--capacity", "1M", "--capacity", "2M")]
    [InlineData("--log", "\e[31m")]
    [InlineData("@/etc/passwd")]
    public void Wrong_usage_is_one_line_that_says_where_help_is(params string[] arguments)
    {
        string[] needed = arguments[0] == "--capacity" ? ["--mount", Mount] : ["--mount", Mount, "--capacity", "64M"];
        var outcome = Command.RunFor(20, Built.Daemon, [.. needed, .. arguments]);
        Assert.Equal((2, ""), (outcome.Code, outcome.Output));
        Assert.Equal("see tmemd --help", Assert.Single(outcome.Errors.TrimEnd('\n').Split('\n')).Split("; ")[^1]);
        Assert.DoesNotContain('\e', outcome.Errors);
    }

    [Theory]
    [InlineData("--region=$1/reg\\351", "reg\\xe9")]
    [InlineData("--check-region=$1/reg\\303", "reg\\xc3")]
    [InlineData("--socket=$1/so\\300\\257ck", "so\\xc0\\xafck")]
    [InlineData("--mount=$1/m\\355\\240\\200", "m\\xed\\xa0\\x80")]
    public void Arguments_that_are_not_UTF8_are_refused_and_not_taken_for_others(string argument, string shown)
    {
        // After an empty one: the words are told apart by their ends.
        var outcome = Command.Run("sh", "-c", $"exec \"$0\" --capacity 64M --log '' \"$(printf -- \"{argument}\")\"",
            Built.Daemon, _folder);
        Assert.Equal((2, ""), (outcome.Code, outcome.Output));
        Assert.EndsWith($"{shown}' is not; give a name that is; see tmemd --help",
            Assert.Single(outcome.Errors.TrimEnd('\n').Split('\n')), StringComparison.Ordinal);
        Assert.Equal([Mount], Directory.GetFileSystemEntries(_folder));
    }

    [Fact]
    public void A_pool_whose_name_is_not_UTF8_is_not_taken_for_the_one_that_is_called_so()
    {
        using var daemon = Daemon.Start("64M");
        Command.Run("sh", "-c", "mkdir \"$0/$(printf 'caf\\351')\" \"$0/$(printf 'caf\\357\\277\\275')\"", daemon.Mount)
            .Succeeds();
        foreach (var command in new[] { "show", "destroy --force", "reserve" })
        {
            var outcome = Command.Run("sh", "-c", $"exec \"$0\" --socket \"$1\" pool {command} \"$(printf 'caf\\351')\" "
                + (command.StartsWith('r') ? "1M" : ""), Built.Control, daemon.Socket);
            var name = command.Split(' ')[0];
            Assert.Equal((2, "", $"tmemctl pool {name}: arguments are UTF-8, and 'caf\\xe9' is not; reach a pool of such a name "
                + $"through the mount; see tmemctl pool {name} --help\n"), (outcome.Code, outcome.Output, outcome.Errors));
        }
        Assert.Equal(2, Bounded.Run(() => Directory.GetDirectories(daemon.Mount).Length));
        // A U+FFFD that is typed stands for itself.
        daemon.Control("pool", "destroy", "--force", "caf\uFFFD").Succeeds();
        Assert.Equal("caf\\351", Command.Run("ls", "-b", daemon.Mount).Output.Trim());
    }

    [Fact]
    public void Control_characters_of_a_name_reach_no_terminal()
    {
        var region = Directory.CreateDirectory(Path.Combine(_folder, "a\e[31mb")).FullName;
        var outcome = Start(Mount, "64M", Socket, "--region", region);
        Assert.Equal(1, outcome.Code);
        Assert.Contains("a\\x1b[31mb", outcome.All, StringComparison.Ordinal);
        Assert.DoesNotContain('\e', outcome.All);
    }

    [Fact]
    public void Socket_or_region_below_the_mount_point()
    {
        var below = Path.Combine(Mount, "tmemd.sock");
        var outcome = Start(Mount, "64M", below);
        Assert.Equal(1, outcome.Code);
        Assert.Contains(below, outcome.All, StringComparison.Ordinal);
        Refused(Mount, "64M", "--region", Path.Combine(Mount, "region")).Names("below the mount point");
    }

    [Fact]
    public void A_mount_point_that_is_not_empty_is_warned_of()
    {
        File.WriteAllText(Path.Combine(Mount, "hidden"), "kept");
        using (var daemon = Daemon.Start("64M", _folder))
            daemon.AwaitLog($"warning {Mount} is not empty");
        Assert.Equal("kept", File.ReadAllText(Path.Combine(Mount, "hidden")));
    }

    /// <summary>The founder finds the first to be wrong, and a worker the second.</summary>
    [Theory]
    [InlineData("none/region")]
    [InlineData("notes.txt")]
    public void A_start_that_fails_says_why_and_warns_of_nothing(string region)
    {
        File.WriteAllText(Path.Combine(Mount, "hidden"), "kept");
        File.WriteAllBytes(Path.Combine(_folder, "notes.txt"), new byte[1 << 20].Select((_, at) => (byte)at).ToArray());
        var outcome = Start(Mount, "64M", Socket, "--region", Path.Combine(_folder, region));
        Assert.Equal(1, outcome.Code);
        Assert.Contains($" error ", Assert.Single(outcome.Errors.TrimEnd('\n').Split('\n')), StringComparison.Ordinal);
    }

    [Fact]
    public void Capacity_zero() => Refused(Mount, "0").Names("capacity");

    [Fact]
    public void Capacity_above_the_memory_there_is() => Refused(Mount, "900T").Names("capacity");

    [Fact]
    public void Capacity_that_is_no_size() => Refused(Mount, "lots").Names("lots");

    [Fact]
    public void Foreign_region_file_stays_as_it_was()
    {
        var region = Path.Combine(_folder, "notes.txt");
        var bytes = new byte[1 << 20];
        new Random(5).NextBytes(bytes);
        File.WriteAllBytes(region, bytes);
        Refused(Mount, "64M", "--region", region).Names("notes.txt");
        Assert.True(File.ReadAllBytes(region).AsSpan().SequenceEqual(bytes), "the foreign file was changed");
    }

    [Fact]
    public void Region_of_another_version()
    {
        // The superblock: the magic, then the version (docs/region-format.md).
        var region = Path.Combine(_folder, "newer.region");
        using (var file = File.Create(region))
        {
            file.Write("TMEMREGN"u8);
            file.Write(BitConverter.GetBytes(4711));
            file.SetLength(1 << 20);
        }
        Refused(Mount, "64M", "--region", region).Names("version 4711");
    }

    [Fact]
    public void Region_that_is_a_directory() => Refused(Mount, "64M", "--region", _folder).Names(_folder);

    [Fact]
    public void Second_daemon_on_one_socket()
    {
        using var first = Daemon.Start("64M");
        var second = Start(Mount, "64M", first.Socket);
        Assert.NotEqual(0, second.Code);
        Assert.Contains(first.Socket, second.All, StringComparison.Ordinal);
        Assert.False(MachineState.IsMounted(Mount));
        first.Control("status").Succeeds();
    }

    [Fact]
    public void Mount_point_that_is_a_tmem_mount()
    {
        using var first = Daemon.Start("64M");
        var second = Start(first.Mount, "64M", Socket);
        Assert.True(second.Code > 0, second.All);
        Assert.Contains(first.Mount, second.All, StringComparison.Ordinal);
        Assert.False(File.Exists(Socket));
        first.Control("status").Succeeds();
        first.Stop();
    }

    [Fact]
    public void Without_privileges()
    {
        Requires.Programs("setpriv");
        Command.Run("chmod", "0777", _folder, Mount).Succeeds();
        var copy = Path.Combine(_folder, "tmemd");
        File.Copy(Built.Daemon, copy);
        Command.Run("chmod", "0755", copy).Succeeds();
        var outcome = Command.RunFor(20, "setpriv", "--reuid=65534", "--regid=65534", "--clear-groups",
            copy, "--mount", Mount, "--socket", Socket, "--capacity", "64M");
        Assert.True(outcome.Code > 0, outcome.All);
        Assert.Matches("root|privilege|/dev/fuse", outcome.All);
    }

    [Fact]
    public void A_socket_of_another_user_is_not_to_be_removed()
    {
        Requires.Programs("setpriv");
        using var daemon = Daemon.Start("64M");
        Command.Run("chmod", "0777", _folder, Mount, daemon.Folder).Succeeds();
        var copy = Path.Combine(_folder, "tmemd");
        File.Copy(Built.Daemon, copy);
        Command.Run("chmod", "0755", copy).Succeeds();
        var outcome = Command.RunFor(20, "setpriv", "--reuid=65534", "--regid=65534", "--clear-groups",
            copy, "--mount", Mount, "--socket", Path.Combine(daemon.Folder, "sock"), "--capacity", "64M");
        Assert.True(outcome.Code > 0, outcome.All);
        Assert.DoesNotContain("remove the file", outcome.All, StringComparison.Ordinal);
        Command.Run("chmod", "0700", daemon.Folder).Succeeds();
        daemon.Control("status").Succeeds();
        daemon.Stop();
    }

    [Fact]
    public void Without_dev_fuse()
    {
        Requires.Programs("unshare");
        const string Script =
            "mount -t tmpfs none /dev && mknod -m 666 /dev/null c 1 3 && mknod -m 666 /dev/urandom c 1 9 && exec \"$@\"";
        var outcome = Command.RunFor(20, "unshare", "--mount", "--propagation", "private", "sh", "-c", Script, "sh",
            Built.Daemon, "--mount", Mount, "--socket", Socket, "--capacity", "64M");
        Assert.True(outcome.Code > 0, outcome.All);
        Assert.Contains("/dev/fuse", outcome.All, StringComparison.Ordinal);
    }

    private Refusal Refused(string mount, string capacity, params string[] more)
    {
        var outcome = Start(mount, capacity, Socket, more);
        // 128 and above would be a signal: a crash is not a refusal.
        Assert.True(outcome.Code is > 0 and < 128, $"exit code {outcome.Code}\n{outcome.All}");
        Assert.DoesNotContain("Unhandled exception", outcome.All, StringComparison.OrdinalIgnoreCase);
        Assert.DoesNotContain("   at ", outcome.All, StringComparison.Ordinal);
        Assert.False(File.Exists(mount) is false && MachineState.IsMounted(mount));
        Assert.False(File.Exists(Socket), "a socket was left behind");
        return new Refusal(outcome.All);
    }

    private static Outcome Start(string mount, string capacity, string socket, params string[] more) =>
        Command.RunFor(20, Built.Daemon, ["--mount", mount, "--capacity", capacity, "--socket", socket, .. more]);

    private sealed record Refusal(string Said)
    {
        public Refusal Names(string thing)
        {
            Assert.Contains(thing, Said, StringComparison.OrdinalIgnoreCase);
            return this;
        }
    }
}
