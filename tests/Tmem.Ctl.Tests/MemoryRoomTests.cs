using Tmem.Ctl.Swap;
using Xunit;

namespace Tmem.Ctl.Tests;

/// <summary>How much memory is missing to turn swap off: only what is certainly missing.</summary>
public sealed class MemoryRoomTests
{
    private const long MiB = 1 << 20;

    private static readonly SwapEntry s_device = new("/dev/loop7", 1000 * MiB, 300 * MiB, 100);

    [Theory]
    [InlineData(100, 0, 0, true)]
    [InlineData(300, 0, 0, false)]
    [InlineData(100, 200, 0, false)] // the store gives it back
    [InlineData(100, 0, 200, false)] // other swap has room
    [InlineData(100, 50, 149, true)]
    public void The_machine(long available, long stored, long free, bool isShort)
    {
        var room = new MemoryRoom(available * MiB, []);
        Assert.Equal(isShort, room.Shortage([s_device], [s_device, new SwapEntry("/dev/sda2", free * MiB, 0, -2)], stored * MiB)
            is not null);
    }

    [Theory]
    [InlineData(100, 100, 1, 0, true)]
    [InlineData(100, 99, 1, 0, false)]
    [InlineData(100, 100, 50, 50, false)] // it may all be on the other device
    [InlineData(100, 100, 51, 50, true)]
    [InlineData(100, 200, 10, 0, true)] // above its limit already
    public void A_group(long limit, long used, long swapped, long elsewhere, bool isShort)
    {
        var room = new MemoryRoom(1L << 40, [new GroupRoom("/g", limit * MiB, used * MiB, swapped * MiB)]);
        var other = new SwapEntry("/dev/sda2", elsewhere * MiB, elsewhere * MiB, -2);
        Assert.Equal(isShort,
            room.Shortage([s_device], [s_device, other], 0)?.Contains("memory group /g", StringComparison.Ordinal) == true);
    }

    [Theory]
    [InlineData(true, false)]
    [InlineData(false, true)]
    public void What_the_store_gives_back_is_room_in_its_own_group_alone(bool hasStore, bool isShort)
    {
        var room = new MemoryRoom(1L << 40, [new GroupRoom("/g", 100 * MiB, 100 * MiB, 10 * MiB, hasStore)]);
        Assert.Equal(isShort, room.Shortage([s_device], [s_device], 10 * MiB) is not null);
    }

    [Fact]
    public void Shared_memory_is_not_room()
    {
        var folder = Directory.CreateTempSubdirectory("tmem-group-").FullName;
        try
        {
            File.WriteAllText(Path.Combine(folder, "memory.limit_in_bytes"), "1000\n");
            File.WriteAllText(Path.Combine(folder, "memory.max"), "1000\n");
            File.WriteAllText(Path.Combine(folder, "memory.swap.current"), "7\n");
            File.WriteAllText(Path.Combine(folder, "memory.stat"), "cache 900\nrss 1\nshmem 30\nanon 200\nfile 900\n"
                + "file_mapped 9\nkernel_stack 4\npagetables 5\nslab_unreclaimable 6\nslab_reclaimable 50\nshmem_thp 800\n"
                + "total_cache 900\ntotal_rss 400\ntotal_rss_huge 300\ntotal_shmem 50\ntotal_swap 70\n");
            Assert.Equal(new GroupRoom(folder, 1000, 450, 70), MemoryRoom.OfOne(folder));
            Assert.Equal(new GroupRoom(folder, 1000, 245, 7), MemoryRoom.OfTwo(folder));
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    [Fact]
    public void What_this_machine_says_can_be_read()
    {
        var room = MemoryRoom.Read(Environment.ProcessId);
        Assert.True(room.Available > 0);
        Assert.All(room.Groups, group => Assert.True(group.Limit < 1L << 60 && group.Swapped > 0));
    }
}
