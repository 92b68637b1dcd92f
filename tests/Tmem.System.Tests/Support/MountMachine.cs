using Mono.Unix.Native;
using Xunit;

namespace Tmem.System.Tests.Support;

/// <summary>
/// A machine on which mount -t tmem works, for one test: the helpers are laid over /sbin in a mount namespace that ends with the
/// test's script. Whatever is left of a daemon that the script has started is killed in the end.
/// </summary>
internal sealed class MountMachine : IDisposable
{
    private const string Begin = """
        set -e
        layer=$F/layer; mkdir -p $layer $M
        mount -t tmpfs layer $layer && mkdir $layer/up $layer/work
        mount -t overlay layer /usr/sbin -o lowerdir=/usr/sbin,upperdir=$layer/up,workdir=$layer/work || exit 77
        # Where mount(8) keeps its notes.
        mkdir -p /run/mount && mount -t tmpfs notes /run/mount
        # Over those of an installed package, too.
        for name in mount.tmem mount.fuse.tmem umount.fuse.tmem; do ln -sf $CTL /usr/sbin/$name; done
        shown() { grep " $M " /proc/mounts | cut -d' ' -f1,3,4 | sed 's/,user_id.*//'; }
        served() { $CTL --mount $M status --json | sed -n 's/.*"keeperPid": *\([0-9]*\).*/\1/p'; }
        # What a command says, and its exit code, in a line.
        tell() { code=0; said=$("$@" 2>&1) || code=$?; echo "$code $said"; }
        """;

    public MountMachine()
    {
        Requires.Machine();
        Requires.Programs("unshare", "mount", "umount");
    }

    public string Folder { get; } = Daemon.NewFolder();

    public string Mount => Path.Combine(Folder, "mnt");

    /// <summary>
    /// Runs a script: $M is an empty directory to mount on, $F the folder it is in, $CTL tmemctl. Returns its lines.
    /// </summary>
    public string[] Run(string script)
    {
        var outcome = Command.RunIn(null, 120, "unshare",
            ["--mount", "--propagation", "private", "sh", "-c", Begin + "\n" + script],
            ("F", Folder), ("M", Mount), ("CTL", Built.Control));
        if (outcome.Code == 77) Assert.Skip("no overlay can be mounted over /usr/sbin here");
        return outcome.Succeeds().Output.Replace(Mount, "$M", StringComparison.Ordinal)
            .Replace(Folder, "$F", StringComparison.Ordinal).Split('\n', StringSplitOptions.RemoveEmptyEntries);
    }

    public void Dispose()
    {
        foreach (var process in MachineState.ProcessesOf(Folder)) Syscall.kill(process, Signum.SIGKILL);
        for (var tries = 0; MachineState.ProcessesOf(Folder).Length > 0 && tries < 200; tries++) Thread.Sleep(50);
        Directory.Delete(Folder, recursive: true);
        var place = Path.GetFileName(Folder).Replace("-", @"\x2d", StringComparison.Ordinal);
        foreach (var left in Directory.EnumerateFiles("/run/tmem").Where(file => file.Contains(place, StringComparison.Ordinal)))
            File.Delete(left);
    }
}
