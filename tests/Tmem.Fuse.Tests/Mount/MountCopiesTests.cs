using Tmem.Control.Host;
using Tmem.Fuse.Mount;
using Xunit;

namespace Tmem.Fuse.Tests.Mount;

/// <summary>Which mounts of a file system stay when one is unmounted. The lines are those of a kernel, shortened.</summary>
public sealed class MountCopiesTests
{
    private const string Shared = "22 1 254:0 / / rw shared:1 - ext4 /dev/vda rw", Private =
        "22 1 254:0 / / rw - ext4 /dev/vda rw";
    private const string Ours = "40 22 0:52 / /mnt/a rw - fuse.tmem tmem rw";

    [Theory]
    [InlineData(Shared)]
    [InlineData(Private)]
    public void Our_own_mount_and_those_of_other_file_systems_are_none(string root) =>
        Assert.Empty(
            Find([root, Ours, "41 22 0:53 / /mnt/b rw - fuse.tmem tmem rw", "42 22 7:52 / /mnt/c rw - ext4 /dev/loop52 rw"]));

    [Fact]
    public void Another_directory_of_our_namespace() =>
        Assert.Equal(["the mount on /mnt/b", "the mount on /home/x y"],
            Find([Shared, Ours, "41 22 0:52 / /mnt/b rw - fuse.tmem tmem rw",
                @"42 22 0:52 /pool /home/x\040y rw - fuse.tmem tmem rw"]));

    [Fact]
    public void A_namespace_that_receives_our_unmounting_holds_nothing()
    {
        // A systemd service: everything is a dependant of our tree, at one remove and at two.
        Assert.Empty(Find([Shared, Ours],
            ["122 1 254:0 / / rw master:1 - ext4 /dev/vda rw", "140 122 0:52 / /mnt/a rw - fuse.tmem tmem rw"]));
        Assert.Empty(Find([Shared, Ours],
            ["122 1 254:0 / / rw shared:9 master:1 - ext4 /dev/vda rw", "140 122 0:52 / /mnt/a rw - fuse.tmem tmem rw"],
            ["222 1 254:0 / / rw master:9 - ext4 /dev/vda rw", "240 222 0:52 / /mnt/a rw - fuse.tmem tmem rw"]));
        // Its own root is a part of the tree.
        Assert.Empty(Find([Shared, Ours],
            ["122 1 254:0 /mnt / rw master:1 - ext4 /dev/vda rw", "140 122 0:52 / /a rw - fuse.tmem tmem rw"]));
    }

    [Fact]
    public void A_namespace_that_does_not_receive_it_does()
    {
        string[] copy = ["122 1 254:0 / / rw - ext4 /dev/vda rw", "140 122 0:52 / /mnt/a rw - fuse.tmem tmem rw"];
        Assert.Equal(["the mount on /mnt/a seen by process 1 (sh)"], Find([Shared, Ours], copy));
        Assert.Equal(["the mount on /mnt/a seen by process 1 (sh)"], Find([Private, Ours], copy));
        // A dependant, but the mount was moved there.
        Assert.Single(Find([Shared, Ours],
            ["122 1 254:0 / / rw master:1 - ext4 /dev/vda rw", "140 122 0:52 / /mnt/b rw - fuse.tmem tmem rw"]));
    }

    [Fact]
    public void All_that_others_see_stays_once_ours_is_gone() =>
        Assert.Single(
            Find([Shared], ["122 1 254:0 / / rw master:1 - ext4 /dev/vda rw", "140 122 0:52 / /mnt/a rw - fuse.tmem tmem rw"]));

    [Theory]
    [InlineData("50 40 0:60 / /mnt/a rw - tmpfs none rw", "tmpfs")]
    [InlineData("50 40 0:53 / /mnt/a rw - fuse.tmem tmem rw", "fuse.tmem")]
    [InlineData("50 40 0:60 / /mnt/a/p rw - tmpfs none rw", null)]
    [InlineData("50 40 0:52 /p /mnt/a rw - fuse.tmem tmem rw", null)]
    public void What_is_mounted_over_ours_covers_it(string line, string? cover)
    {
        Assert.Equal(cover, MountCopies.Cover("/mnt/a", 52, MountTable.Parse([Shared, Ours, line])));
        Assert.Null(MountCopies.Cover("/mnt/a", 52, MountTable.Parse([Shared, line])));
        Assert.Null(MountCopies.Cover("/mnt/a", 52, MountTable.Parse([Shared, line, Ours])));
    }

    [Fact]
    public void A_layer_of_an_overlay() =>
        Assert.Equal(["the overlay mount on /o"],
            Find([Private, Ours, "50 22 0:60 / /o rw - overlay none rw,lowerdir=/x:/mnt/a/p,upperdir=/u,workdir=/w"]));

    private static IReadOnlyList<string> Find(string[] own, params string[][] others) =>
        MountCopies.Staying("/mnt/a", 52, new MountView("", MountTable.Parse(own)),
        [.. others.Select((lines, number) => new MountView($"process {number + 1} (sh)", MountTable.Parse(lines)))]);
}
