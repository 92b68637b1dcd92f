using System.Diagnostics;
using Tmem.Fuse.Mount;
using Tmem.Fuse.Native;
using Xunit;

namespace Tmem.Fuse.Tests.Mount;

/// <summary>
/// Every way that the kernel knows of keeping a mount busy, on a tmpfs mount: the holder is named, and nothing else is.
/// </summary>
public sealed class MountHoldersTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("tmem-holders-").FullName;
    private readonly string _other = Directory.CreateTempSubdirectory("tmem-holders-").FullName;
    private readonly Stack<Action> _undo = [];
    private readonly int _device;

    public MountHoldersTests()
    {
        if (!Environment.IsPrivilegedProcess) Assert.Skip("Mounting needs root.");
        Done("mount", "-t", "tmpfs", "-o", "size=1m", "tmem-holders", _folder);
        _undo.Push(() => Done("umount", _folder));
        Assert.True(Libc.TryDevice(_folder, out var major, out var minor));
        Assert.Equal(0u, major);
        _device = (int)minor;
        File.WriteAllBytes(Path.Combine(_folder, "file"), new byte[65536]);
    }

    public void Dispose()
    {
        while (_undo.TryPop(out var undo)) undo();
        Directory.Delete(_folder);
        Directory.Delete(_other);
    }

    private IReadOnlyList<string> Found => MountHolders.Find(_folder, _device).Found;

    private static string Done(string program, params string[] arguments)
    {
        using var process = Process.Start(new ProcessStartInfo(program, arguments) { RedirectStandardOutput = true })!;
        var output = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        Assert.Equal(0, process.ExitCode);
        return output.Trim();
    }

    /// <summary>A process that reports when it holds the mount, and holds it until it is killed.</summary>
    private Process Holder(string script, string? directory = null)
    {
        const string stays = "\nprint(flush=True)\nimport time\ntime.sleep(600)";
        var process = Process.Start(new ProcessStartInfo("python3", ["-c", script + stays])
        {
            WorkingDirectory = directory ?? "/", RedirectStandardOutput = true,
        })!;
        _undo.Push(() =>
        {
            process.Kill();
            process.WaitForExit();
            process.Dispose();
        });
        Assert.NotNull(process.StandardOutput.ReadLine());
        return process;
    }

    private void AssertHeldBy(Process process) =>
        Assert.Equal($"process {process.Id} (python3)", Assert.Single(Found));

    [Fact]
    public void Nobody() => Assert.Empty(Found);

    [Fact]
    public void A_working_directory() => AssertHeldBy(Holder("", _folder));

    [Fact]
    public void An_open_file() => AssertHeldBy(Holder($"f = open('{_folder}/file')"));

    [Fact]
    public void A_root_directory() => AssertHeldBy(Holder($"import os; os.chroot('{_folder}'); os.chdir('/')"));

    [Fact]
    public void A_mapping_whose_descriptor_is_closed() => AssertHeldBy(
        Holder($"import mmap\nf = open('{_folder}/file', 'r+b'); m = mmap.mmap(f.fileno(), 4096); f.close()"));

    [Fact]
    public void A_mapping_of_a_file_that_was_removed()
    {
        var holder = Holder($"import mmap\nf = open('{_folder}/file', 'r+b'); m = mmap.mmap(f.fileno(), 4096); f.close()");
        File.Delete(Path.Combine(_folder, "file"));
        AssertHeldBy(holder);
    }

    [Fact]
    public void A_mount_on_it()
    {
        var below = Directory.CreateDirectory(Path.Combine(_folder, "below")).FullName;
        Done("mount", "-t", "tmpfs", "-o", "size=1m", "tmem-below", below);
        _undo.Push(() => Done("umount", below));
        Assert.Equal($"a mount on {below}", Assert.Single(Found));
    }

    [Fact]
    public void A_loop_device_on_a_file_of_it()
    {
        var loop = Done("losetup", "--find", "--show", Path.Combine(_folder, "file"));
        _undo.Push(() => Done("losetup", "--detach", loop));
        Assert.Equal($"loop device {loop}", Assert.Single(Found));
    }

    [Fact]
    public void Who_has_files_below_a_folder_is_named_with_them_and_nobody_else_is()
    {
        string[] folders = [Path.Combine(_folder, "a"), Path.Combine(_folder, "ab")];
        foreach (var folder in folders)
        {
            Directory.CreateDirectory(folder);
            File.WriteAllBytes(Path.Combine(folder, "f 1"), new byte[65536]);
        }
        Assert.Empty(MountHolders.FindBelow(folders[0], _device).Found);
        var other = Holder($"f = open('{folders[1]}/f 1')");
        Assert.Empty(MountHolders.FindBelow(folders[0], _device).Found);
        Assert.Equal([$"{folders[1]}/f 1 by process {other.Id} (python3)"], MountHolders.FindBelow(folders[1], _device).Found);
        var twice = Holder($"import mmap\nf = open('{folders[0]}/f 1', 'r+b'); m = mmap.mmap(f.fileno(), 4096)");
        Assert.Equal([$"{folders[0]}/f 1 by process {twice.Id} (python3)"], MountHolders.FindBelow(folders[0], _device).Found);
        twice.Kill();
        twice.WaitForExit();
        var mapped = Holder($"import mmap\nf = open('{folders[0]}/f 1', 'r+b'); m = mmap.mmap(f.fileno(), 4096); f.close()");
        Assert.Equal([$"{folders[0]}/f 1 by process {mapped.Id} (python3)"], MountHolders.FindBelow(folders[0], _device).Found);
        var loop = Done("losetup", "--find", "--show", Path.Combine(folders[0], "f 1"));
        _undo.Push(() => Done("losetup", "--detach", loop));
        Assert.Equal([$"{folders[0]}/f 1 by process {mapped.Id} (python3)", $"{folders[0]}/f 1 by loop device {loop}"],
            MountHolders.FindBelow(folders[0], _device).Found);
        Assert.Single(MountHolders.FindBelow(folders[0], _device, limit: 1).Found);
    }

    [Fact]
    public void A_bind_mount_elsewhere()
    {
        Done("mount", "--bind", _folder, _other);
        _undo.Push(() => Done("umount", _other));
        Assert.Contains(_other, Assert.Single(Found), StringComparison.Ordinal);
    }

    /// <summary>Another mount of the same kind, busy: it does not concern this one.</summary>
    [Fact]
    public void A_holder_of_another_mount_is_not_named()
    {
        Done("mount", "-t", "tmpfs", "-o", "size=1m", "tmem-other", _other);
        _undo.Push(() => Done("umount", _other));
        Holder("", _other);
        Assert.Empty(Found);
    }

    [Fact]
    public void No_more_are_named_than_asked_for()
    {
        for (var i = 0; i < 4; i++) Holder("", _folder);
        Assert.Equal(4, Found.Count);
        Assert.Equal(2, MountHolders.Find(_folder, _device, limit: 2).Found.Count);
    }
}
