using Tmem.Fuse.Daemon;
using Tmem.Fuse.Native;
using Xunit;

namespace Tmem.Fuse.Tests.Daemon;

/// <summary>How a process ends that was to become a keeper and has nothing to keep yet.</summary>
public sealed class KeeperRunTests
{
    /// <summary>As one that is started with the page of a daemon that has ended in order.</summary>
    [Fact]
    public void Without_anything_to_keep_it_ends_in_order() => Assert.Equal(0, KeeperRun.Run(_ => 0));

    [Fact]
    public void A_beginning_that_fails_is_told_and_answered_with_1() =>
        Assert.Equal(1, KeeperRun.Run(_ => throw new StartupException("Nothing to keep.")));
}
