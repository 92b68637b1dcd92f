using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Tmem.Fuse.Keeper;
using Tmem.Fuse.Native;
using Xunit;

namespace Tmem.Fuse.Tests.Keeper;

/// <summary>The page that keeper and workers share, across versions of the program.</summary>
public sealed class HandoverTests
{
    /// <summary>
    /// What an earlier program of the same version made is as long as what is mapped here: a field beyond its end must lie in the
    /// same page of memory, where it is 0.
    /// </summary>
    [Fact]
    public void Fields_that_were_added_lie_in_memory_that_an_earlier_keeper_made()
    {
        var firstAdded = (int)Marshal.OffsetOf<HandoverPage>(nameof(HandoverPage.Life));
        Assert.Equal((firstAdded + 4095) / 4096, (Unsafe.SizeOf<HandoverPage>() + 4095) / 4096);
    }

    [Theory]
    [InlineData(Stored.Region)]
    [InlineData(Stored.RegionFile)]
    [InlineData(Stored.Buffers)]
    public void What_is_kept_of_another_daemon_is_refused_by_name(int place)
    {
        var handover = Handover.Create();
        handover.SetPaths("/mnt/tmem", "/run/tmem/tmemd.sock", null);
        ref var page = ref handover.Page;
        foreach (var made in (int[])[Stored.Region, Stored.RegionFile, Stored.Buffers]) Stored.In(ref page, made) = File();
        handover.NoteParts();
        int[] own = [.. Enumerable.Range(0, Stored.FirstDevice).Select(kept => Stored.DescriptorOf(handover, kept))];
        handover.Check(kept => own[kept]);
        var foreign = File();
        var refusal = Assert.Throws<StartupException>(() => handover.Check(kept => kept == place ? foreign : own[kept]));
        Assert.Contains($"kept as {Stored.NameOf(place)} is not what /mnt/tmem was served with", refusal.Message,
            StringComparison.Ordinal);
        Assert.Equal((own[place], 0), (Stored.In(ref page, place), page.Term));
        // An earlier keeper has noted nothing.
        Stored.IdentityOf(ref page, place) = default;
        handover.Check(kept => kept == place ? foreign : own[kept]);

        static int File() => SharedMemory.Create("tmem-test", 4096, out _, out _);
    }
}
