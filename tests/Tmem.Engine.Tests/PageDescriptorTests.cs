using Tmem.Engine.Format;

namespace Tmem.Engine.Tests;

/// <summary>A damaged descriptor never becomes another page's.</summary>
public sealed class PageDescriptorTests
{
    private static readonly ulong[] s_words =
        [0, 1, 77, uint.MaxValue, ulong.MaxValue, 0x0101_0101_0101_0101, 0xDEAD_BEEF_DEAD_BEEF, 0xFFFF_0000];

    [Fact]
    public void A_word_of_one_pattern_comes_back()
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
    public void One_or_two_flipped_bits_make_no_other_fill()
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
    public void A_slot_comes_back_with_what_is_stored_in_it()
    {
        foreach (var place in (ulong[])[16, 1 << 20, RegionLayout.MaximumBytes - 16])
        foreach (var length in (int[])[1, 2, 4096, 65535, 65536])
        for (var format = 0; format < 8; format++)
        {
            var descriptor = PageDescriptor.FromSlot(place, length, format);
            Assert.True(PageDescriptor.IsSlot(descriptor) && !PageDescriptor.IsFill(descriptor)
                && PageDescriptor.IsAt(descriptor, place));
            Assert.Equal((place, length, format), Parts(descriptor));
            var moved = PageDescriptor.MovedTo(descriptor, 32);
            Assert.Equal((32UL, length, format), Parts(moved));
            Assert.False(PageDescriptor.IsAt(moved, place));
        }
        Assert.False(PageDescriptor.IsSlot(0));
        Assert.False(PageDescriptor.IsSlot(PageDescriptor.FromSlot(0, 100, 1)));
        Assert.False(PageDescriptor.IsAt(PageDescriptor.FromFill(0) | 2, 32));

        static (ulong, int, int) Parts(ulong descriptor) =>
            (PageDescriptor.Slot(descriptor), PageDescriptor.Length(descriptor), PageDescriptor.Format(descriptor));
    }

    [Fact]
    public void A_flipped_bit_of_a_slot_makes_no_fill()
    {
        for (ulong place = 16; place < 1 << 24; place = place * 3 + 16)
        {
            for (var i = 0; i < 64; i++)
                Assert.False(PageDescriptor.IsFill(PageDescriptor.FromSlot(place, (int)(place >> 8) + 1, 1) ^ 1UL << i));
        }
    }
}
