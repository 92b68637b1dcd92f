using Tmem.Fuse.Filesystem;
using Xunit;

namespace Tmem.Fuse.Tests.Filesystem;

/// <summary>
/// The vectors of the paper and of its reference program: the key is 00 01 .. 0f, the input 00 01 .. of each length.
/// </summary>
public sealed class SipHashTests
{
    [Theory]
    [InlineData(0, 0x726fdb47dd0e0e31UL)]
    [InlineData(1, 0x74f839c593dc67fdUL)]
    [InlineData(7, 0xab0200f58b01d137UL)]
    [InlineData(8, 0x93f5f5799a932462UL)]
    [InlineData(15, 0xa129ca6149be45e5UL)]
    public void It_is_sip_hash_24(int length, ulong expected)
    {
        var key = new SipKey { First = 0x0706050403020100UL, Second = 0x0f0e0d0c0b0a0908UL };
        Assert.Equal(expected, SipHash.Of(in key, [.. Enumerable.Range(0, length).Select(i => (byte)i)]));
    }

    /// <summary>The visible part of the hash differs between regions, and no region's key is empty.</summary>
    [Fact]
    public void Each_region_has_a_key_of_its_own()
    {
        using var one = new TestVolume();
        using var two = new TestVolume();
        var pools = (one.Pool(), two.Pool());
        one.File(pools.Item1, "a");
        two.File(pools.Item2, "a");
        Assert.NotEqual(one.List(pools.Item1)[0].Cookie, two.List(pools.Item2)[0].Cookie);
        ref var root = ref one.Engine.Records.Get<RootRecord>(one.Engine.Records.Root);
        Assert.NotEqual(0UL, root.HashKey.First);
        Assert.NotEqual(0UL, root.HashKey.Second);
    }
}
