using System.Diagnostics;
using Tmem.Fuse.Daemon;
using Tmem.Fuse.Mount;
using Tmem.Fuse.Protocol;
using Tmem.Fuse.Session;
using Xunit;

namespace Tmem.Fuse.Tests.Session;

/// <summary>
/// The whole path through the kernel: a small in-memory file system is mounted and used. File operations run in another process where
/// one that hangs could take the test runner with it, each under a time limit.
/// </summary>
public sealed class MountedFileSystemTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("tmem-mount-").FullName;
    private readonly List<string> _faults = [];
    private readonly MemoryFileSystem _files = new(16 << 20);
    private readonly Dispatcher<MemoryFileSystem> _dispatcher;
    private readonly RequestBuffers _requests = RequestBuffers.Create(8);
    private FuseConnection? _connection;
    private ServedMount? _served;

    public MountedFileSystemTests()
    {
        _dispatcher = new Dispatcher<MemoryFileSystem>(_files, _faults.Add);
        if (!File.Exists(FuseDevice.Path)) Assert.Skip($"{FuseDevice.Path} is missing.");
        if (!Environment.IsPrivilegedProcess) Assert.Skip("Mounting needs root.");
    }

    public void Dispose()
    {
        if (_served is not null)
        {
            var refusal = _served.TryStop();
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
        _connection = FuseConnection.Open(_folder, threads);
        _served = ServedMount.Start(_dispatcher, _connection, new SessionOptions(TimeSpan.FromMicroseconds(spin), _requests));
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

    [Fact]
    public void Many_clients_at_once()
    {
        Serve(4, 100);
        Shell("""
            for i in 1 2 3 4 5 6 7 8; do
              (for j in 1 2 3 4 5; do head -c 300000 /dev/urandom > $M/f$i; a=$(md5sum < $M/f$i); dd if=$M/f$i of=$M/g$i bs=4k oflag=direct conv=sync status=none
               b=$(head -c 300000 $M/g$i | md5sum); test "$a" = "$b"; rm $M/f$i $M/g$i; done; touch $M/ok$i) &
            done; wait; test $(ls $M | wc -l) = 8
            """);
    }

    [Fact]
    public void A_busy_mount_is_kept_and_its_holder_named()
    {
        Serve();
        using var holder = Process.Start(new ProcessStartInfo("sleep", ["60"]) { WorkingDirectory = _folder })!;
        try
        {
            var refusal = _served!.TryStop();
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
        var error = Assert.Throws<StartupException>(() => FuseConnection.Open(_folder, 1));
        Assert.Contains("already a tmem mount", error.Message, StringComparison.Ordinal);
        Shell("touch $M/still-alive");
    }

    [Fact]
    public async Task An_unmount_from_outside_ends_the_session()
    {
        Serve();
        Shell("umount $M");
        Assert.Equal(SessionEnd.Unmounted, await _served!.Ended.WaitAsync(TimeSpan.FromSeconds(20), TestContext.Current.CancellationToken));
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
            Assert.Contains(says, Assert.Throws<StartupException>(() => FuseConnection.Open(directory, 1)).Message,
                StringComparison.Ordinal);
    }
}
