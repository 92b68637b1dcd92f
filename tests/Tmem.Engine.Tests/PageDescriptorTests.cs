using Tmem.Engine.Pam;

namespace Tmem.Engine.Tests;

/// <summary>A damaged descriptor is no other page's.</summary>
public sealed class PageDescriptorTests
{
    private static readonly ulong[] s_words = [0, 1, 77, uint.MaxValue, ulong.MaxValue, 0x0101_0101_0101_0101, 0xDEAD_BEEF_DEAD_BEEF, 0xFFFF_0000];

    [Fact]
    public void AWordOfOnePatternComesBack()
    {
        foreach (var word in s_words)
        {
            var descriptor = PageDescriptor.FromFill(word);
            Assert.True(PageDescriptor.IsFill(descriptor) && !PageDescriptor.IsSlot(descriptor));
            Assert.Equal(word, PageDescriptor.FillWord(descriptor));
        }
        Assert.Equal(0UL, PageDescriptor.FromFill(0x1_0000_0000));
        Assert.Equal(0UL, PageDescriptor.FromFill(0x0123_4567_89AB_CDEF));
    }

    [Fact]
    public void OneOrTwoFlippedBitsMakeNoOtherFill()
    {
        foreach (var word in s_words)
        {
            var descriptor = PageDescriptor.FromFill(word);
            for (var i = 0; i < 64; i++)
            {
                for (var j = i; j < 64; j++)
                {
                    var flipped = descriptor ^ 1UL << i ^ (j > i ? 1UL << j : 0);
                    Assert.False(PageDescriptor.IsFill(flipped), $"bits {i} and {j} of {descriptor:x}");
                }
            }
        }
    }

    [Fact]
    public void AFlippedBitOfASlotMakesNoFill()
    {
        for (ulong place = 1; place < 1 << 20; place = place * 3 + 1)
        {
            for (var i = 0; i < 64; i++) Assert.False(PageDescriptor.IsFill(place ^ 1UL << i));
        }
    }
}
