using CsCheck;
using Tmem.Control.Host;
using Tmem.Ctl.Mounts;
using Xunit;

namespace Tmem.Ctl.Tests;

/// <summary>The options of mount -t tmem, as mount(8) passes them on.</summary>
public class MountOptionsTests
{
    private static MountWish Read(string list)
    {
        var wish = MountOptions.Read(list, isSloppy: false, out var problem);
        Assert.True(wish is not null, problem);
        return wish;
    }

    private static string Refused(string list)
    {
        Assert.Null(MountOptions.Read(list, isSloppy: false, out var problem));
        return problem;
    }

    [Fact]
    public void A_line_of_fstab_as_mount_passes_it()
    {
        var wish = Read("ro,nosuid,nodev,noexec,capacity=2G,region=/var/lib/tmem/x,sync-interval=30,threads=2,spin=0,"
            + "log-level=warning,uid=5,gid=0,mode=1777,socket=/run/tmem/x.sock,log=/var/log/x,nofail,_netdev,"
            + "user=joe,x-systemd.automount,comment=a");
        Assert.Equal(MountFlags.Usual | MountFlags.ReadOnly | MountFlags.NoExecute, wish.Flags);
        Assert.Equal((2L << 30, 5u, 0u, 0x3FFu, "/run/tmem/x.sock", "/var/log/x"),
            (wish.Capacity, wish.Owner!.Value, wish.Group!.Value, wish.Mode!.Value, wish.Socket, wish.Log));
        Assert.Equal("--region /var/lib/tmem/x --sync-interval 30 --threads 2 --spin 0 --log warning",
            string.Join(' ', wish.Daemon));
        Assert.Empty(wish.Notes);
        Assert.False(wish.IsRemount);
    }

    [Theory]
    [InlineData("")]
    [InlineData("rw")]
    [InlineData("defaults")]
    public void Without_options_a_mount_is_as_mount_says_it_is(string list)
    {
        var wish = Read(list);
        Assert.Equal(MountFlags.NoAccessTimes, wish.Flags);
        Assert.Null(wish.Capacity);
        Assert.Empty(wish.Daemon);
    }

    [Fact]
    public void A_remount_takes_what_the_mount_table_has()
    {
        var wish = Read("ro,nosuid,nodev,noatime,remount,user_id=0,group_id=0,default_permissions,allow_other");
        Assert.True(wish.IsRemount);
        Assert.Equal(MountFlags.Usual | MountFlags.ReadOnly, wish.Flags);
        Assert.Equal("user_id, allow_other and the like are the kernel's own, and cannot be asked for",
            Refused("user_id=0,allow_other"));
    }

    [Fact]
    public void A_value_with_commas_stands_in_quotes()
    {
        var wish = Read("region=\"/a,b\",capacity=\"min(2G, 512M)\",ro");
        Assert.Equal(["--region", "/a,b"], wish.Daemon);
        Assert.Equal((512L << 20, MountFlags.ReadOnly | MountFlags.NoAccessTimes), (wish.Capacity!.Value, wish.Flags));
    }

    /// <summary>mount(8) joins the line of fstab and the command line, in that order.</summary>
    [Fact]
    public void Of_an_option_that_is_given_again_the_last_counts()
    {
        string[] Words(string value) =>
        [
            $"capacity={value}M", $"region=/r{value}", $"sync-interval={value}", "drop-damaged", "huge-pages", $"threads={value}",
            $"spin={value}", $"codec={(value == "2" ? "lz4" : "zstd")}", $"recompress={value}", $"recompress-level={value}",
            $"uid={value}", $"gid={value}", $"mode={value}", $"socket=/s{value}", $"log=/l{value}",
            $"log-level={(value == "2" ? "info" : "debug")}", "relatime",
        ];
        Assert.Equal(MountOptions.All.Where(option => option.Argument is [not '[', ..])
            .Select(option => option.Names[0]), Words("2").Select(word => word.Split('=')).Where(word => word.Length == 2)
            .Select(word => word[0]));
        var (once, again) = (Read(string.Join(',', Words("3"))), Read(string.Join(',', [.. Words("2"), .. Words("3")])));
        Assert.Equal(once.Daemon, again.Daemon);
        Assert.Equal(again.Daemon.Where(word => word.StartsWith("--", StringComparison.Ordinal)).Distinct().Count(),
            again.Daemon.Count(word => word.StartsWith("--", StringComparison.Ordinal)));
        Assert.Equal((once.Capacity, once.Owner, once.Group, once.Mode, once.Socket, once.Log),
            (again.Capacity, again.Owner, again.Group, again.Mode, again.Socket, again.Log));
        Assert.Equal((3L << 20, "/s3"), (again.Capacity!.Value, again.Socket));
        Assert.Single(again.Notes);
    }

    [Theory]
    [InlineData("relatime")]
    [InlineData("strictatime,noexec")]
    public void That_access_times_are_not_kept_is_said(string list) =>
        Assert.Equal("access times are not kept: the mount is noatime", Assert.Single(Read(list).Notes));

    [Theory]
    [InlineData("capacty=1G", "there is no option 'capacty'; did you mean capacity?")]
    [InlineData("read-only", "there is no option 'read-only'; see mount.tmem(8)")]
    [InlineData("=5", "there is no option ''; see mount.tmem(8)")]
    [InlineData("capacity", "capacity needs a value")]
    [InlineData("ro=1", "ro takes no value, and '1' was given")]
    [InlineData("capacity=much",
        "capacity: 'much' cannot be read from 'much' on; write it as 512M, 2GiB, 25% or min(ram / 2, 4G)")]
    [InlineData("capacity=1K", "capacity: '1K' is too small; the least is 1.0 MiB")]
    [InlineData("threads=0", "threads: '0' is not a whole number from 1 to 64")]
    [InlineData("mode=788", "mode: '788' is not an octal number up to 7777")]
    [InlineData("mode=77777777777777777777",
        "mode: '77777777777777777777' is not an octal number up to 7777")]
    [InlineData("mode=", "mode: '' is not an octal number up to 7777")]
    [InlineData("uid=no-such-user", "uid: 'no-such-user' is no user of this machine; give one, or a number")]
    [InlineData("gid=4294967295", "gid: '4294967295' is no group of this machine; give one, or a number")]
    [InlineData("region=", "region: '' is empty; give a path")]
    [InlineData("region=x/y", "region: 'x/y' does not begin with '/', and fstab does not know where it would be read from; give "
        + "the whole path")]
    [InlineData("socket=", "socket: '' is empty; give a path")]
    [InlineData("log=", "log: '' is empty; give a path")]
    [InlineData("log-level=loud", "log-level: 'loud' is not known; give debug, info, warning or error")]
    public void Each_fault_is_named(string list, string problem) => Assert.Equal(problem, Refused("rw," + list));

    [Fact]
    public void More_than_the_machine_has_is_refused() =>
        Assert.Matches(@"^capacity: '900%' is more than the .*iB of memory that this machine has; give less$",
            Refused("capacity=900%"));

    [Fact]
    public void Sloppy_ignores_what_it_does_not_know_and_nothing_else()
    {
        Assert.Equal(5u, MountOptions.Read("foo=1,bar,uid=5,fd=3", isSloppy: true, out _)!.Owner);
        Assert.Null(MountOptions.Read("foo=1,threads=0", isSloppy: true, out _));
    }

    [Fact]
    public void The_table_has_each_name_once_and_says_what_it_does()
    {
        Assert.Equal(MountOptions.Names.Distinct(), MountOptions.Names);
        Assert.All(MountOptions.All, option => Assert.EndsWith(".", option.Description, StringComparison.Ordinal));
    }

    /// <summary>Whatever stands in fstab is read as the last word on each flag, or refused in one line.</summary>
    [Fact]
    public void Any_list_is_read_or_refused_in_a_line()
    {
        string[] known = [.. MountOptions.Names, "", "x-y", "\"", "ro", "rw", "remount"];
        string[] signs = ["", "", "=", "=1", "=\"a,b\"", "=1G", "=-1", "=root"];
        var words = Gen.OneOf(Gen.Int[0, known.Length - 1].Select(i => known[i]),
            Gen.Char[" -=,\"\n\\aé"].Array[0, 4].Select(letters => new string(letters)));
        var values = Gen.Int[0, signs.Length - 1].Select(i => signs[i]);
        Gen.Select(words, values, (word, value) => word + value).Array[0, 8].Sample(list =>
        {
            var wish = MountOptions.Read(string.Join(',', list), isSloppy: false, out var problem);
            if (wish is null) Assert.NotEqual("", problem);
            else if (list.LastOrDefault(word => word is "ro" or "rw") is { } last
                && !list.Any(word => word.Contains('"', StringComparison.Ordinal)))
                Assert.Equal(last == "ro", (wish.Flags & MountFlags.ReadOnly) != 0);
        });
    }
}
