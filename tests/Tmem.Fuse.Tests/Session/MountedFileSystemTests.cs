using System.Diagnostics;
using Tmem.Control.Host;
using Tmem.Control.Messages;
using Tmem.Fuse.Daemon;
using Tmem.Fuse.Mount;
using Tmem.Fuse.Native;
using Tmem.Fuse.Protocol;
using Tmem.Fuse.Session;
using Xunit;

namespace Tmem.Fuse.Tests.Session;

/// <summary>
/// The whole path through the kernel: mounts a small in-memory file system and uses it. File operations that could hang, and take
/// the test runner with them, run in another process, each under a time limit.
/// </summary>
public sealed class MountedFileSystemTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("tmem-mount-").FullName;
    private readonly List<string> _faults = [];
    private readonly MemoryFileSystem _files = new(16 << 20);
    private readonly Dispatcher<MemoryFileSystem> _dispatcher;
    private readonly RequestBuffers _requests = RequestBuffers.Create(out _);
    private FuseConnection? _connection;
    private ServedMount? _served;

    public MountedFileSystemTests()
    {
        _dispatcher = new Dispatcher<MemoryFileSystem>(_files, _faults.Add, Tmemctl.Default);
        if (!File.Exists(FuseDevice.Path)) Assert.Skip($"{FuseDevice.Path} is missing.");
        if (!Environment.IsPrivilegedProcess) Assert.Skip("Mounting needs root.");
    }

    public void Dispose()
    {
        if (_served is not null)
        {
            var refusal = _served.TryStop(() => 0, () => true);
            Assert.True(_served.Ended.Wait(TimeSpan.FromSeconds(20)), refusal ?? "the session did not end");
            _served.Dispose();
            _connection!.Close();
        }
        Assert.Equal(0, Libc.close(_requests.Descriptor));
        Directory.Delete(_folder);
        Assert.Empty(_faults);
    }

    private void Serve(int threads = 4, double spin = 0)
    {
        _connection = FuseConnection.Open(new MountWish(_folder), threads, Tmemctl.Default);
        Go(_connection, spin);
    }

    private void Go(FuseConnection connection, double spin = 0)
    {
        var deferred = new DeferredReplies(_requests.MapTable(), connection.Devices, _dispatcher);
        deferred.Start();
        _served = ServedMount.Start(_dispatcher, connection,
            new SessionOptions(TimeSpan.FromMicroseconds(spin), _requests, deferred));
    }

    private string Shell(string script, int expected = 0)
    {
        using var shell = Process.Start(new ProcessStartInfo("timeout", ["60", "sh", "-ec", script])
        {
            RedirectStandardOutput = true, RedirectStandardError = true, Environment = { ["M"] = _folder },
        })!;
        var error = shell.StandardError.ReadToEndAsync(TestContext.Current.CancellationToken);
        var output = shell.StandardOutput.ReadToEnd();
        shell.WaitForExit();
        Assert.True(shell.ExitCode == expected, $"exit {shell.ExitCode}: {error.Result}");
        return output.Trim();
    }

    [Theory]
    [InlineData(1, 0)]
    [InlineData(4, 0)]
    [InlineData(4, 100)]
    public void Files_are_written_read_and_removed(int threads, int spin)
    {
        Serve(threads, spin);
        Shell("""
            head -c 10000000 /dev/urandom > /tmp/.tmem-$$; trap 'rm -f /tmp/.tmem-$$' EXIT
            cp /tmp/.tmem-$$ $M/data; cmp /tmp/.tmem-$$ $M/data
            dd if=$M/data of=/dev/null bs=1M iflag=direct status=none
            dd if=/tmp/.tmem-$$ of=$M/direct bs=1M oflag=direct status=none count=8; cmp -n 8388608 /tmp/.tmem-$$ $M/direct
            mv $M/data $M/moved; test ! -e $M/data; truncate -s 5 $M/moved; test "$(stat -c %s $M/moved)" = 5
            ls $M | grep -q moved; rm $M/moved $M/direct; test -z "$(ls $M)"
            """);
    }

    [Fact]
    public void The_kernel_agreed_on_what_swap_needs()
    {
        Serve();
        Shell("stat -f $M");
        var parameters = _dispatcher.Parameters!.Value;
        Assert.True(parameters.Has(Tmem.Fuse.Abi.FuseInitFlags.AsyncDio | Tmem.Fuse.Abi.FuseInitFlags.BigWrites));
        Assert.True(_served!.Connection > 0);
        Assert.Equal("fuse.tmem", MountTable.At(_folder, MountTable.Read())!.Value.FileSystemType);
    }

    /// <summary>The answer to a CREATE of a file that has come to exist: the kernel then opens it, and empties it.</summary>
    [Fact]
    public void The_kernel_looks_up_again_what_it_could_not_create()
    {
        Serve();
        _files.IsLate = true;
        _files.Recording = true;
        Shell("printf new > $M/f; test \"$(cat $M/f)\" = new");
        _files.Recording = false;
        Assert.Single(_files.Calls, call => call.StartsWith("create ", StringComparison.Ordinal));
        Assert.Single(_files.Calls, call => call.StartsWith("setattr ", StringComparison.Ordinal) && call.Contains("Size"));
    }

    [Fact]
    public void Many_clients_at_once()
    {
        Serve(4, 100);
        Shell("""
            for i in 1 2 3 4 5 6 7 8; do
              (for j in 1 2 3 4 5; do
                head -c 300000 /dev/urandom > $M/f$i; a=$(md5sum < $M/f$i)
                dd if=$M/f$i of=$M/g$i bs=4k oflag=direct conv=sync status=none
               b=$(head -c 300000 $M/g$i | md5sum); test "$a" = "$b"; rm $M/f$i $M/g$i; done; touch $M/ok$i) &
            done; wait; test $(ls $M | wc -l) = 8
            """);
    }

    /// <summary>More callers of fsync than there are threads, on a disk that blocks until the test releases it.</summary>
    [Theory]
    [InlineData(1)]
    [InlineData(4)]
    public async Task Requests_that_wait_for_a_disk_hold_no_thread(int threads)
    {
        using var disk = new ManualResetEventSlim();
        var (writes, answer) = (0, Errno.Ok);
        _files.OnMakeDurable = () =>
        {
            disk.Wait(TestContext.Current.CancellationToken);
            Interlocked.Increment(ref writes);
            return answer;
        };
        Serve(threads, 100);
        Shell("head -c 300000 /dev/urandom > $M/data; for i in 0 1 2 3 4 5 6 7 8 9 10 11; do mkdir $M/d$i; done");
        var callers = Enumerable.Range(0, 12).Select(number => Task.Factory.StartNew(
            () => Shell(number % 2 == 0 ? "dd if=/dev/zero of=$M/f$$ bs=4k count=1 conv=fsync status=none"
                : $"sync $M/d{number}"), TaskCreationOptions.LongRunning)).ToList();
        AwaitWaiting(12);
        Shell("""
            a=$(md5sum < $M/data)
            for i in 1 2 3 4 5 6 7 8; do
              dd if=$M/data of=$M/copy bs=64k iflag=direct oflag=direct conv=sync status=none
            test "$(head -c 300000 $M/copy | md5sum)" = "$a"; mv $M/copy $M/moved; rm $M/moved; done
            """);
        Assert.All(callers, caller => Assert.False(caller.IsCompleted));
        disk.Set();
        await Task.WhenAll(callers).WaitAsync(TimeSpan.FromSeconds(60), TestContext.Current.CancellationToken);
        // The first one's write, and one for all that came meanwhile.
        Assert.InRange(writes, 1, 3);
        answer = Errno.ENOSPC;
        Assert.Contains("No space left", Shell("sync $M/d1 2>&1 || true"), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_session_that_makes_room_waits_for_no_disk_and_leaves_what_waits_to_the_next()
    {
        using var disk = new ManualResetEventSlim();
        _files.OnMakeDurable = () =>
        {
            disk.Wait(TestContext.Current.CancellationToken);
            return Errno.Ok;
        };
        Serve(2);
        Shell("touch $M/f");
        var caller = Task.Factory.StartNew(() => Shell("sync $M/f"), TaskCreationOptions.LongRunning);
        AwaitWaiting(1);
        _served!.Quiesce();
        Assert.Equal(SessionEnd.Quiesced,
            await _served.Ended.WaitAsync(TimeSpan.FromSeconds(20), TestContext.Current.CancellationToken));
        Assert.False(caller.IsCompleted);
        disk.Set();
        _served.Dispose();
        Assert.False(caller.IsCompleted);

        // As on a kernel that cannot resend it.
        Go(_connection!);
        await caller.WaitAsync(TimeSpan.FromSeconds(20), TestContext.Current.CancellationToken);
        AwaitWaiting(0);
    }

    /// <summary>
    /// A write that bypasses the page cache, beside a reader that uses it. One through the cache locks its pages itself: nothing
    /// may be invalidated for it.
    /// </summary>
    [Fact]
    public void A_direct_write_is_answered_after_the_kernel_has_let_go_of_its_pages()
    {
        Serve(2);
        Shell("printf %4096s old > $M/f");
        _files.OnWrite = (node, offset, length) => Deferral.Invalidated(node, offset, length);
        Shell("""
            exec 3< $M/f; test "$(dd bs=4096 count=1 status=none <&3 | tail -c 3)" = old
            printf %4096s new | dd of=$M/f bs=4096 conv=notrunc oflag=direct status=none
            exec 4< /dev/fd/3; test "$(dd bs=4096 count=1 status=none <&4 | tail -c 3)" = new
            """);
        AwaitWaiting(0);
    }

    private void AwaitWaiting(int count)
    {
        using var table = _requests.MapTable();
        for (var tries = 0; Waiting(table) != count; tries++)
        {
            Assert.True(tries < 1000, $"{Waiting(table)} answers wait instead of {count}");
            Thread.Sleep(20);
        }
    }

    private static int Waiting(DeferredTable table)
    {
        var waiting = 0;
        for (var entry = table.NextInUse(0); entry != DeferredReply.Nobody; entry = table.NextInUse(entry + 1)) waiting++;
        return waiting;
    }

    [Fact]
    public void A_busy_mount_is_kept_and_its_holder_named()
    {
        Serve();
        using var holder = Process.Start(new ProcessStartInfo("sleep", ["60"]) { WorkingDirectory = _folder })!;
        try
        {
            var refusal = _served!.TryStop(() => 0, () => true);
            Assert.Contains($"process {holder.Id} (sleep)", refusal, StringComparison.Ordinal);
            Shell("touch $M/still-alive");
        }
        finally
        {
            holder.Kill();
            holder.WaitForExit();
        }
    }

    [Fact]
    public void A_second_mount_on_the_same_place_is_refused_and_the_first_lives()
    {
        Serve();
        var error = Assert.Throws<StartupException>(
            () => FuseConnection.Open(new MountWish(_folder), 1, new ControlCommand("/run/2.sock")));
        Assert.Contains("already a tmem mount", error.Message, StringComparison.Ordinal);
        Assert.Contains($"tmemctl --socket /run/2.sock recover --mount {_folder}", error.Message, StringComparison.Ordinal);
        Shell("touch $M/still-alive");
    }

    [Fact]
    public async Task An_unmount_from_outside_ends_the_session()
    {
        Serve();
        Shell("umount $M");
        Assert.Equal(SessionEnd.Unmounted,
            await _served!.Ended.WaitAsync(TimeSpan.FromSeconds(20), TestContext.Current.CancellationToken));
    }

    [Theory]
    [InlineData(MountFlags.Usual, "rw,nosuid,nodev,noatime")]
    [InlineData(MountFlags.NoAccessTimes, "rw,noatime")]
    [InlineData(MountFlags.Usual | MountFlags.ReadOnly | MountFlags.NoExecute | MountFlags.NoLinks,
        "ro,nosuid,nodev,noexec,noatime,nosymfollow")]
    public void The_mount_table_shows_the_flags_that_were_asked_for(uint flags, string shown)
    {
        using var device = FuseDevice.Open();
        var mount = FuseMount.Create(device, new MountWish(_folder, flags, "a name"), Tmemctl.Default);
        try
        {
            var line = File.ReadLines("/proc/mounts").Single(line => line.Contains($" {_folder} ", StringComparison.Ordinal));
            Assert.StartsWith($@"a\040name {_folder} fuse.tmem {shown},user_id=0", line, StringComparison.Ordinal);
        }
        finally
        {
            Assert.Equal(Errno.Ok, mount.Unmount());
        }
    }

    [Theory]
    [InlineData("755", null)]
    [InlineData("777", "others may write to")]
    public void A_link_to_a_mount_point_is_followed_where_nobody_else_could_turn_it(string mode, string? refusal)
    {
        var links = Directory.CreateTempSubdirectory("tmem-links-").FullName;
        try
        {
            Shell($"chmod {mode} {links} && ln -s {_folder} {links}/way");
            using var device = FuseDevice.Open();
            FuseMount Mount() => FuseMount.Create(device, new MountWish(links + "/way"), Tmemctl.Default);
            if (refusal is not null)
            {
                var message = Assert.Throws<StartupException>(Mount).Message;
                Assert.Contains($"{links}/way is a symbolic link, and {refusal} {links}", message, StringComparison.Ordinal);
                return;
            }
            var mount = Mount();
            Assert.Equal((_folder, Errno.Ok), (mount.MountPoint, mount.Unmount()));
        }
        finally
        {
            Directory.Delete(links, recursive: true);
        }
    }

    [Fact]
    public void Mount_points_that_cannot_be()
    {
        var file = Path.Combine(_folder, "file");
        File.WriteAllText(file, "");
        try
        {
            Refused("does not exist", Path.Combine(_folder, "missing"));
            Refused("not a directory", file);
            Refused("busy", "/proc");
            Refused("empty", "");
        }
        finally
        {
            File.Delete(file);
        }

        void Refused(string says, string directory) =>
            Assert.Contains(says, Assert.Throws<StartupException>(
                () => FuseConnection.Open(new MountWish(directory), 1, Tmemctl.Default)).Message, StringComparison.Ordinal);
    }
}
