using Xunit;

namespace Tmem.System.Tests.Support;

/// <summary>Skips a test, with the reason, on a machine that lacks a prerequisite.</summary>
internal static class Requires
{
    /// <summary>The prerequisites of every test here: root, /dev/fuse and the built programs.</summary>
    public static void Machine()
    {
        if (Environment.UserName != "root") Assert.Skip("mounting needs root; run as root");
        if (!File.Exists("/dev/fuse")) Assert.Skip("/dev/fuse is missing; load the module fuse");
        if (!File.Exists(Built.Daemon) || !File.Exists(Built.Control))
        {
            if (Built.FolderIsGiven) Assert.Fail($"TMEM_OUT={Built.Folder} does not hold tmemd and tmemctl");
            Assert.Skip($"tmemd and tmemctl are not in {Built.Folder}; run scripts/build or set TMEM_OUT");
        }
    }

    public static void Programs(params string[] names)
    {
        foreach (var name in names)
            if (!Command.Exists(name)) Assert.Skip($"the program {name} is missing; install it");
    }

    /// <summary>Loop devices and the programs that make swap on them.</summary>
    public static void Swap()
    {
        if (!File.Exists("/dev/loop-control")) Assert.Skip("/dev/loop-control is missing; load the module loop");
        Programs("mkswap", "swapon", "swapoff", "losetup");
    }

    /// <summary>A memory cgroup hierarchy, so that a test's own process swaps and no other.</summary>
    public static void Group()
    {
        if (!MemoryGroup.IsPossible) Assert.Skip("no memory cgroup hierarchy under /sys/fs/cgroup");
    }
}
