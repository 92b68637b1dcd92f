using Mono.Unix.Native;
using Tmem.System.Tests.Support;
using Xunit;

namespace Tmem.System.Tests;

/// <summary>
/// Pools are saved to a stream and restored from it, here or elsewhere: everything a file is comes back, or nothing has the
/// pool's name.
/// </summary>
public class SaveRestoreTests
{
    private const string Contents = """
        set -e; cd "$1"
        mkdir -p d/e/f; head -c 3000000 /dev/urandom >d/file
        printf x | dd of=sparse bs=1 seek=30000000 status=none; truncate -s 40M sparse
        ln d/file hard; ln d/file d/e/hard2; ln -s d/file link; mkfifo fifo; mknod device c 1 3; : >empty
        printf odd >"$(printf 'a\377b')"; for i in $(seq 300); do head -c $((i * 50)) /dev/urandom >d/e/f/$i; done
        chown 12:34 d/file d; chmod 4755 d/file; chmod 2770 d/e
        touch -d '2001-02-03 04:05:06.789' d/file d/e; touch -h -d 2002-02-03 link
        """;

    /// <summary>Names, kinds, modes, owners, links, sizes, times and contents of everything in a pool.</summary>
    private const string List = """
        cd "$1" && find . -printf '%p %y %m %U %G %n %s %T@ %l\n' | sort && find . -type f -print0 | sort -z | xargs -0 md5sum
        """;

    private static Outcome Shell(string script, params string[] arguments) =>
        Command.RunFor(60, "bash", ["-c", script, "sh", .. arguments]);

    private static string Listed(Daemon daemon, string pool) =>
        Shell(List, Path.Combine(daemon.Mount, pool)).Succeeds().Output;

    private static string[] Pools(Daemon daemon) => [.. daemon.Control("pool", "list").Succeeds().Output.TrimEnd().Split('\n')
        .Skip(1).Select(line => line.Split(' ')[0])];

    private static Daemon WithPools(out string before, out string stream)
    {
        var daemon = Daemon.Start("256M");
        daemon.Control("pool", "create", "p", "--codec", "zstd", "--limit", "100M", "--owner", "7", "--mode", "0750").Succeeds();
        daemon.Control("pool", "create", "cache", "--ephemeral").Succeeds();
        Shell(Contents, Path.Combine(daemon.Mount, "p")).Succeeds();
        Assert.Equal(0, Syscall.setxattr(Path.Combine(daemon.Mount, "p/d/file"), "user.note", [1, 2, 3]));
        Assert.Equal(0, Syscall.setxattr(Path.Combine(daemon.Mount, "p"), "user.top", [4]));
        Bounded.Run(() => File.WriteAllBytes(Path.Combine(daemon.Mount, "cache/f"), new byte[100_000]));
        before = Listed(daemon, "p");
        stream = Path.Combine(daemon.Folder, "saved");
        daemon.Control("save", "p", "cache", stream).Succeeds();
        return daemon;
    }

    private static void Destroy(Daemon daemon)
    {
        daemon.Control("pool", "destroy", "p", "--force").Succeeds();
        daemon.Control("pool", "destroy", "cache", "--force").Succeeds();
    }

    [Fact]
    public void A_reader_that_has_gone_is_an_error_and_nothing_but_a_file_is_written_over()
    {
        using var daemon = WithPools(out _, out _);
        var gone = Shell("\"$1\" --socket \"$2\" save p - | true; exit ${PIPESTATUS[0]}", Built.Control, daemon.Socket);
        Assert.Equal(1, gone.Code);
        Assert.Contains("tmemctl: standard output cannot be written: Broken pipe (errno 32); ", gone.Errors,
            StringComparison.Ordinal);
        var link = Path.Combine(daemon.Folder, "link");
        File.CreateSymbolicLink(link, Path.Combine(daemon.Folder, "victim"));
        (string Place, string Is)[] others =
            [("/dev/full", "no ordinary file"), (link, "a link")];
        foreach (var (place, what) in others)
        foreach (var command in new[] { new[] { "save", "p", place }, ["metrics", "--textfile", place] })
            Assert.Contains($"{place} cannot be written: it is {what};", daemon.Control(command).Errors,
                StringComparison.Ordinal);
        Assert.Contains($"{daemon.Folder} is a directory; ", daemon.Control("save", "p", daemon.Folder).Errors,
            StringComparison.Ordinal);
        Assert.Equal("tmemctl: /proc/x cannot be written: no file can be made there; see to it, and try again\n",
            daemon.Control("save", "p", "/proc/x").Errors);
        Assert.Equal("tmemctl: standard output cannot be written: it is closed; see to it, and try again\n",
            Shell("exec \"$1\" --socket \"$2\" save p - >&-", Built.Control, daemon.Socket).Errors);
        Assert.Single(Directory.GetFiles(daemon.Folder, "saved*"));
        var folder = Path.Combine(daemon.Folder, "folder");
        Directory.CreateDirectory(folder);
        Assert.Equal($"tmemctl: {folder} is a directory; name a file in it, as in {folder}/p.tmem\n",
            daemon.Control("save", "p", folder).Errors);
        Assert.Equal($"tmemctl: {folder} is a directory; name the file in it that 'save' has written\n",
            daemon.Control("restore", folder).Errors);
        Assert.Equal($"tmemctl: there is no file {folder}/none; name the one that 'save' has written\n",
            daemon.Control("restore", folder + "/none").Errors);
        Assert.Equal($"tmemctl: there is no directory {folder}/none; make it first: mkdir -p {folder}/none\n",
            daemon.Control("save", "p", folder + "/none/p").Errors);
        daemon.Stop();
    }

    [Fact]
    public void A_pool_that_somebody_has_named_like_one_under_way_stays()
    {
        using var daemon = WithPools(out _, out var stream);
        Bounded.Run(() => File.WriteAllText(Path.Combine(daemon.Pool(".restoring-mine"), "f"), "mine"));
        Destroy(daemon);
        daemon.Control("restore", stream).Succeeds();
        Assert.Equal("mine", Bounded.Run(() => File.ReadAllText(Path.Combine(daemon.Mount, ".restoring-mine", "f"))));
        daemon.Stop();
    }

    [Fact]
    public void Everything_that_a_pool_of_files_is_comes_back()
    {
        using var daemon = WithPools(out var before, out var stream);
        Assert.Contains("there is a pool 'p' already", daemon.Control("restore", stream).Errors, StringComparison.Ordinal);
        Assert.Equal(["cache", "p"], Pools(daemon));
        Destroy(daemon);
        daemon.Control("restore", stream).Succeeds();
        Assert.Equal(before, Listed(daemon, "p"));
        var value = new byte[10];
        Assert.Equal(3, Syscall.getxattr(Path.Combine(daemon.Mount, "p/d/file"), "user.note", value));
        Assert.Equal(1, Syscall.getxattr(Path.Combine(daemon.Mount, "p"), "user.top", value));
        // A page of it is stored, and the rest is a hole.
        Assert.Equal("8", Shell("stat -c %b \"$1\"", Path.Combine(daemon.Mount, "p/sparse")).Output.Trim());
        var shown = daemon.Control("pool", "show", "p").Succeeds().Output;
        Assert.Matches("limit +100.0 MiB", shown);
        Assert.Matches("codec +zstd", shown);
        Assert.Matches("owner +(7|[a-z]+):root, mode 0750", shown);
        Assert.Equal(new byte[100_000], Bounded.Run(() => File.ReadAllBytes(Path.Combine(daemon.Mount, "cache/f"))));
        daemon.Control("check").Succeeds();
        // Through a pipe into another store.
        using var other = Daemon.Start("256M");
        Shell("\"$1\" --socket \"$2\" save p - | gzip -1 | gunzip | \"$1\" --socket \"$3\" restore -", Built.Control,
            daemon.Socket, other.Socket).Succeeds();
        Assert.Equal(before, Listed(other, "p"));
        other.Stop();
        daemon.Stop();
    }

    [Fact]
    public void A_stream_that_is_cut_or_damaged_is_refused_and_leaves_nothing()
    {
        using var daemon = WithPools(out _, out var stream);
        Destroy(daemon);
        var bytes = File.ReadAllBytes(stream);
        var random = new Random(1);
        foreach (var length in new[] { 0, 10, 16, 20, bytes.Length - 8, bytes.Length - 1, random.Next(bytes.Length) })
        {
            File.WriteAllBytes(stream + "2", bytes[..length]);
            var refused = daemon.Control("restore", stream + "2");
            Assert.Equal(1, refused.Code);
            Assert.Contains("is cut short: it ends at byte", refused.Errors, StringComparison.Ordinal);
            Assert.Empty(Pools(daemon));
        }
        foreach (var place in new[] { 3, 9, 17, 60, bytes.Length / 2, bytes.Length - 4, random.Next(bytes.Length) })
        {
            var damaged = bytes.ToArray();
            damaged[place] ^= 1;
            File.WriteAllBytes(stream + "2", damaged);
            Assert.Equal(1, daemon.Control("restore", stream + "2").Code);
            Assert.Empty(Pools(daemon));
        }
        daemon.Control("check").Succeeds();
        daemon.Stop();
    }

    [Fact]
    public async Task A_restore_goes_on_over_the_death_of_workers_or_leaves_nothing_of_the_name()
    {
        using var daemon = WithPools(out var before, out var stream);
        var random = new Random(3);
        var restored = 0;
        for (var round = 0; round < 6; round++)
        {
            Destroy(daemon);
            var restarts = daemon.Figure("processes.restarts");
            var restore = Task.Run(() => daemon.Control("restore", stream), TestContext.Current.CancellationToken);
            await Task.Delay(random.Next(150), TestContext.Current.CancellationToken);
            Syscall.kill(daemon.Worker, Signum.SIGKILL);
            daemon.AwaitRestarts(restarts + 1);
            if ((await restore).Code == 0) restored++;
            else
            {
                Assert.DoesNotContain("p", Pools(daemon));
                daemon.Control("restore", stream).Succeeds();
            }
            Assert.Equal(["cache", "p"], Pools(daemon));
            Assert.Equal(before, Listed(daemon, "p"));
            daemon.Control("check").Succeeds();
        }
        Assert.InRange(restored, 1, 6);
        daemon.Stop();
    }

    [Fact]
    public void What_a_killed_restore_has_left_is_removed_by_the_next()
    {
        using var daemon = WithPools(out var before, out var stream);
        Destroy(daemon);
        // Killed when half of the stream was read.
        Shell("{ head -c 2000000 \"$3\"; sleep 2; } | timeout -s KILL 1 \"$1\" --socket \"$2\" restore -", Built.Control,
            daemon.Socket, stream);
        Assert.StartsWith(".restoring-", Assert.Single(Pools(daemon)), StringComparison.Ordinal);
        daemon.Control("restore", stream).Succeeds();
        Assert.Equal(["cache", "p"], Pools(daemon));
        Assert.Equal(before, Listed(daemon, "p"));
        daemon.Stop();
    }

    /// <summary>At some moment of the save, and last by the signal that leaves no time for anything.</summary>
    [Fact]
    public void A_save_that_is_ended_leaves_nothing_beside_its_file_for_long()
    {
        using var daemon = WithPools(out _, out var stream);
        Shell("for i in 1 2; do head -c 30000000 /dev/urandom >\"$1/$i\"; done", Path.Combine(daemon.Mount, "p"))
            .Succeeds();
        var folder = Directory.CreateDirectory(Path.Combine(daemon.Folder, "backup")).FullName;
        var file = Path.Combine(folder, new string('b', 255));
        Outcome End(string signal) => Shell("\"$1\" --socket \"$2\" save p \"$3\" & save=$!; "
            + "until [ -n \"$(ls -A \"$4\")\" ] && [ -s \"$4\"/.??* ]; do sleep 0.01; done; kill -s \"$5\" $save; wait $save",
            Built.Control, daemon.Socket, file, folder, signal);
        foreach (var signal in (string[])["TERM", "HUP"])
        {
            Assert.NotEqual(0, End(signal).Code);
            Assert.Empty(Directory.GetFileSystemEntries(folder));
        }
        Assert.NotEqual(0, End("KILL").Code);
        Assert.Single(Directory.GetFileSystemEntries(folder));
        daemon.Control("save", "p", file).Succeeds();
        Assert.Equal([file], Directory.GetFileSystemEntries(folder));
        daemon.Stop();
    }

    [Theory]
    [InlineData("TERM")]
    [InlineData("HUP")]
    public void A_restore_that_is_ended_while_nothing_comes_leaves_nothing(string signal)
    {
        using var daemon = WithPools(out _, out var stream);
        Destroy(daemon);
        var ended = Shell("mkfifo \"$5\"; exec 3<>\"$5\"; \"$1\" --socket \"$2\" restore - <\"$5\" & restore=$!; "
            + "head -c 2000000 \"$3\" >&3; until \"$1\" --socket \"$2\" pool list | grep -q restoring; do sleep 0.05; done; "
            + "kill -s \"$4\" $restore; wait $restore", Built.Control, daemon.Socket, stream, signal, stream + ".fifo");
        Assert.Equal((1, "tmemctl: interrupted: nothing was restored; restore again\n"), (ended.Code, ended.Errors));
        Assert.Empty(Pools(daemon));
        daemon.Stop();
    }

    [Fact]
    public void A_store_without_room_restores_nothing()
    {
        using var daemon = WithPools(out _, out var stream);
        using var small = Daemon.Start("2M");
        var refused = small.Control("restore", stream);
        Assert.Equal(1, refused.Code);
        Assert.Contains("cannot be restored: No space left on device", refused.Errors, StringComparison.Ordinal);
        Assert.Empty(Pools(small));
        small.Control("check").Succeeds();
        Assert.Contains("no pool 'none'", daemon.Control("save", "none", stream + "2").Errors, StringComparison.Ordinal);
        Assert.False(File.Exists(stream + "2"));
        Assert.Contains("is on the store", daemon.Control("save", "p", Path.Combine(daemon.Mount, "cache/saved")).Errors,
            StringComparison.Ordinal);
        small.Stop();
        daemon.Stop();
    }
}
