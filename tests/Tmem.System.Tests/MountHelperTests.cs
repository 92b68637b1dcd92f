using Tmem.System.Tests.Support;
using Xunit;

namespace Tmem.System.Tests;

/// <summary>mount -t tmem, umount and fstab, through mount(8) itself.</summary>
public sealed class MountHelperTests : IDisposable
{
    private const string Busy = "32 umount.fuse.tmem: $M is busy; 'fuser -vm' and /proc/swaps show who uses it";

    private readonly MountMachine _machine = new();

    public void Dispose() => _machine.Dispose();

    [Fact]
    public void What_a_region_keeps_is_there_again_after_umount_and_mount()
    {
        var lines = _machine.Run("""
            mount -t tmem none $M -o capacity=64M,region=$F/region,uid=1000,gid=1001,mode=1777,noexec,nodev
            shown
            mkdir $M/pool && echo kept > $M/pool/file
            keeper=$(served)
            test $keeper = $(cut -d' ' -f6 /proc/$keeper/stat) && echo a session of its own
            umount $M
            test ! -e /proc/$keeper/exe && echo its daemon has ended
            mount -t tmem none $M -o capacity=64M,region=$F/region
            shown
            cat $M/pool/file
            stat -c '%u %g %a' $M
            umount -v $M
            """);
        Assert.Equal(
        [
            "none fuse.tmem rw,nodev,noexec,noatime", "a session of its own", "its daemon has ended",
            "none fuse.tmem rw,noatime", "kept", "1000 1001 1777", "umount.fuse.tmem: $M is unmounted",
        ], lines);
    }

    [Fact]
    public void A_remount_changes_the_flags_and_a_successor_leaves_them()
    {
        var lines = _machine.Run("""
            mount -t tmem none $M -o capacity=64M,nosuid,relatime
            mkdir $M/pool
            mount -o remount,ro $M; shown
            tell mkdir $M/other | tr -d "‘’'"
            $CTL --mount $M upgrade >/dev/null; shown
            mount -o remount,rw $M; shown
            mkdir $M/other
            mount -o remount,noexec,relatime $M; shown
            mount -i -o remount,exec,ro $M; shown
            exec 5<$M/pool
            mount -o remount,rw $M; exec 6>$M/pool/file
            tell mount -o remount,ro $M; shown
            exec 5>&- 6>&-
            mount -t tmem none $M -o remount,ro; shown
            umount $M
            """);
        Assert.Equal(
        [
            "none fuse.tmem ro,nosuid,noatime", "1 mkdir: cannot create directory $M/other: Read-only file system",
            "none fuse.tmem ro,nosuid,noatime", "none fuse.tmem rw,nosuid,noatime", "none fuse.tmem rw,nosuid,noexec,noatime",
            "none fuse.tmem ro,nosuid,noatime", "32 mount.fuse.tmem: $M is busy: a file on it is open for writing",
            "none fuse.tmem rw,nosuid,noatime", "none fuse.tmem ro,noatime",
        ], lines);
    }

    [Fact]
    public void A_remount_changes_capacity_owner_and_mode_and_tells_what_it_leaves()
    {
        var lines = _machine.Run("""
            mount -t tmem none $M -o capacity=64M
            room() { $CTL --mount $M status --json | sed -n 's/.*"capacityBytes": *\([0-9]*\).*/\1/p'; }
            tell mount -o remount,capacity=32M,mode=1777,uid=12 $M; room; stat -c '%u %g %a' $M
            tell mount -o remount,ro,capacity=48M,gid=13 $M; room; stat -c '%u %g %a' $M; shown
            tell mount -o remount,ro,capacity=48M,gid=14 $M; stat -c '%g' $M
            tell mount -o remount,rw,capacity=48M,gid=14,threads=4,codec=pool $M; stat -c '%g' $M; shown
            tell mount -o remount,capacity=900M,noexec $M; room; shown
            mount -o remount,exec $M
            tell mount -o remount,threads=2,region=$F/r $M | sed 's/--socket [^ ]*/--socket S/'
            echo "none $M tmem capacity=48M,mode=1777,ro 0 0" > $F/fstab
            tell mount -T $F/fstab -o remount,ro $M; room; shown
            umount $M
            """);
        const string tells = "is nothing that a remount changes, and it stays";
        Assert.Collection(lines,
            line => Assert.Equal("0 ", line), line => Assert.Equal($"{32 << 20}", line), line => Assert.Equal("12 0 1777", line),
            line => Assert.Equal("0 ", line), line => Assert.Equal($"{48 << 20}", line), line => Assert.Equal("12 13 1777", line),
            line => Assert.Equal("none fuse.tmem ro,noatime", line),
            line => Assert.Equal("32 mount.fuse.tmem: uid, gid and mode are not changed while $M is for reading alone; give rw "
                + "as well", line),
            line => Assert.Equal("13", line),
            line => Assert.Equal("0 ", line), line => Assert.Equal("14", line),
            line => Assert.Equal("none fuse.tmem rw,noatime", line),
            line => Assert.StartsWith("32 mount.fuse.tmem: capacity: ", line, StringComparison.Ordinal),
            line => Assert.Equal($"{48 << 20}", line),
            line => Assert.Equal("none fuse.tmem rw,noexec,noatime", line),
            line => Assert.Equal($"32 mount.fuse.tmem: threads=2 {tells} 4; 'tmemctl --socket S upgrade --threads 2' changes "
                + "it", line),
            line => Assert.Equal($"mount.fuse.tmem: region=$F/r {tells} none; unmount it and mount it again", line),
            line => Assert.Equal("0 ", line), line => Assert.Equal($"{48 << 20}", line),
            line => Assert.Equal("none fuse.tmem ro,noatime", line));
    }

    [Fact]
    public void The_log_of_a_mount_goes_with_an_orderly_end_and_stays_after_another()
    {
        if (File.Exists("/run/systemd/journal/stdout")) Assert.Skip("the log goes to the journal here");
        var lines = _machine.Run("""
            log() { ls /run/tmem/mount-*$(basename $F | sed 's/-/\\\\x2d/g')*.log 2>/dev/null | wc -l; }
            mount -t tmem none $M -o capacity=64M; log
            $CTL --mount $M upgrade >/dev/null; log
            umount $M; log
            mount -t tmem none $M -o capacity=64M,log=$F/mine
            umount $M; grep -c 'is unmounted; ending' $F/mine
            echo junk > $F/junk; chmod 600 $F/junk
            mount -t tmem none $M -o capacity=64M,region=$F/junk 2>/dev/null || log
            mount -t tmem none $M -o capacity=64M,region=$F/junk,log=$F/theirs 2>/dev/null || grep -c junk $F/theirs
            mount -t tmem none $M -o capacity=64M; echo 1 > /sys/fs/fuse/connections/$(stat -c %d $M)/abort
            while pgrep -f "tmemd --mount $M" >/dev/null; do sleep 0.1; done; log
            mount -t tmem none $M -o capacity=64M; umount -l $M
            while pgrep -f "tmemd --mount $M" >/dev/null; do sleep 0.1; done; log
            """);
        Assert.Equal(["1", "1", "0", "1", "0", "1", "1", "0"], lines);
    }

    [Fact]
    public void A_directory_that_is_not_UTF8_is_shown_and_refused()
    {
        var lines = _machine.Run("""
            bad=$(printf "$F/caf\\351"); mkdir "$bad"; ln -s "$bad" $F/link
            tell mount -t tmem none "$bad" -o capacity=64M
            tell mount.tmem none $F/link -o capacity=64M
            D=$(dirname $CTL)/tmemd
            tell $D --mount "$bad" --capacity 64M --socket $F/s
            tell $D --mount $F/link --capacity 64M --socket $F/s | sed -n 's/.*Z error //p'
            cd "$bad"; mkdir sub
            tell $D --mount sub --capacity 64M --socket $F/s | sed -n 's/.*Z error //p'
            tell $CTL --mount "$bad" status
            cd /; rm -r "$bad"
            """);
        const string theirs = "The mount point is '$F/caf\\xe9', and names of mount points are UTF-8. Rename that directory, or "
            + "choose another one.";
        Assert.Equal(
        [
            "1 mount.tmem: names are UTF-8, and '$F/caf\\xe9' is not; choose a directory of another name",
            "32 mount.tmem: " + theirs[..^1],
            "2 tmemd: arguments are UTF-8, and '$F/caf\\xe9' is not; give a name that is; see tmemd --help",
            theirs, theirs.Replace("xe9'", "xe9/sub'", StringComparison.Ordinal),
            "2 tmemctl status: arguments are UTF-8, and '$F/caf\\xe9' is not; give a name that is; see tmemctl status --help",
        ], lines);
    }

    [Fact]
    public void A_line_of_fstab_is_mounted_once_and_remounted_by_its_directory()
    {
        var lines = _machine.Run("""
            echo "none $M tmem capacity=64M,mode=1777,ro,nosuid,nodev,nofail,x-systemd.device-timeout=5,comment=a 0 0" > $F/fstab
            mount -a -T $F/fstab; shown; first=$(served)
            mount -a -T $F/fstab; test $first = $(served) && echo the same
            stat -c %a $M
            mount -T $F/fstab -o remount,rw $M; shown
            umount $M
            """);
        Assert.Equal(
            ["none fuse.tmem ro,nosuid,nodev,noatime", "the same", "1777", "none fuse.tmem rw,nosuid,nodev,noatime"], lines);
    }

    [Fact]
    public void Each_obstacle_is_a_line_with_the_exit_code_of_mount()
    {
        var lines = _machine.Run("""
            tell mount -t tmem none $M -o capacty=64M
            tell mount -t tmem none $M -o capacity=900P
            tell mount -t tmem none $M -o remount,ro
            tell mount.tmem none $F/none -o capacity=64M
            tell mount -t tmem none $M -o capacity=64M,region=$F/none/region
            echo junk > $F/junk; chmod 600 $F/junk
            tell mount -t tmem none $M -o capacity=64M,region=$F/junk
            shown; served || true
            tell mount -f -t tmem none $M -o capacity=64M; shown
            tell mount -s -t tmem none $M -o capacity=64M,foo=bar,region=$F/region
            tell mount.tmem other $M -o capacity=64M
            mkdir $F/second
            tell mount -t tmem none $F/second -o capacity=64M,region=$F/region
            tell setpriv --reuid 1000 --clear-groups mount.tmem none $M
            umount $M
            tell umount.fuse.tmem $M
            """);
        Assert.Collection(lines,
            line => Assert.Equal("1 mount.tmem: there is no option 'capacty'; did you mean capacity?", line),
            line => Assert.Matches("^1 mount.tmem: capacity: '900P' is more than the .* that this machine has; give less$",
                line),
            line => Assert.Equal("32 mount.tmem: $M is no tmem mount; leave remount out to make one", line),
            line => Assert.Equal("32 mount.tmem: $F/none does not exist. Make it first: mkdir -p $F/none", line),
            line => Assert.Matches(@"^32 mount.tmem: .*\$F/none/region' cannot be .*$", line),
            line => Assert.Matches(@"^32 mount.tmem: .*\$F/junk.*$", line),
            line => Assert.Equal("0 ", line),
            line => Assert.Equal("0 ", line),
            line => Assert.Equal(
                "32 mount.tmem: $M is a tmem mount already; unmount it first, or change it (-o remount)", line),
            line => Assert.Matches(@"^32 mount.tmem: .*\$F/region' is in use by another process", line),
            line => Assert.Equal("1 mount.tmem: only root can do that; use sudo", line),
            line => Assert.Equal("32 umount.fuse.tmem: $M is no tmem mount", line));
    }

    [Fact]
    public void A_mount_in_use_is_not_unmounted_unless_lazily()
    {
        var lines = _machine.Run("""
            mount -t tmem none $M -o capacity=64M,log=$F/log
            mkdir $M/pool; exec 5>$M/pool/file
            tell umount $M; tell umount -r $M; shown
            umount -l $M; shown
            exec 5>&-
            while pgrep -f "tmemd --mount $M" >/dev/null; do sleep 0.1; done
            grep -c 'is unmounted; ending' $F/log
            """);
        Assert.Equal(
        [
            Busy, Busy, "none fuse.tmem rw,noatime", "1",
        ], lines);
    }

    [Fact]
    public void Unmounting_a_copy_in_another_namespace_leaves_the_daemon()
    {
        var lines = _machine.Run("""
            mount -t tmem none $M -o capacity=64M
            unshare --mount --propagation private umount $M
            shown
            served | grep -c .
            umount $M
            """);
        Assert.Equal(["none fuse.tmem rw,noatime", "1"], lines);
    }

    [Fact]
    public void Swap_on_it_keeps_it_mounted()
    {
        Requires.Swap();
        var lines = _machine.Run("""
            mount -t tmem none $M -o capacity=64M
            $CTL --mount $M swap on --size 16M >/dev/null
            tell umount $M
            $CTL --mount $M swap off >/dev/null
            umount $M
            shown
            """);
        Assert.Equal([Busy], lines);
    }
}
