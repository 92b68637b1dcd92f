using CsCheck;
using Tmem.Control.Messages;
using Xunit;

namespace Tmem.Fuse.Tests.Control;

public sealed class ByteSizeTests
{
    [Theory]
    [InlineData("0", 0)]
    [InlineData("4096", 4096)]
    [InlineData("4096B", 4096)]
    [InlineData("512K", 512L << 10)]
    [InlineData("512M", 512L << 20)]
    [InlineData("512MiB", 512L << 20)]
    [InlineData("512.0 MiB", 512L << 20)]
    [InlineData("2G", 2L << 30)]
    [InlineData("2gib", 2L << 30)]
    [InlineData("2GB", 2_000_000_000)]
    [InlineData("1T", 1L << 40)]
    [InlineData("1.5G", 3L << 29)]
    [InlineData("0.3K", 307)]
    [InlineData("9223372036854775807", long.MaxValue)]
    public void Sizes_are_read(string text, long expected)
    {
        Assert.True(ByteSize.TryParse(text, out var bytes));
        Assert.Equal(expected, bytes);
    }

    [Theory]
    [InlineData(null)]
    [InlineData("")]
    [InlineData(" ")]
    [InlineData("-1")]
    [InlineData("+1")]
    [InlineData("M")]
    [InlineData("1.5")]
    [InlineData(".5G")]
    [InlineData("1.G")]
    [InlineData("1..5G")]
    [InlineData("5X")]
    [InlineData("5Mi")]
    [InlineData("5MBs")]
    [InlineData("0x10")]
    [InlineData("1e3")]
    [InlineData("1,5G")]
    [InlineData("8E")]
    [InlineData("9223372036854775808")]
    [InlineData("9999999999999999999999999999999999G")]
    [InlineData("512M\0")]
    public void Junk_is_refused(string? text)
    {
        Assert.False(ByteSize.TryParse(text, out var bytes));
        Assert.Equal(0, bytes);
        Assert.Equal(text is "8E" or "9223372036854775808" or "9999999999999999999999999999999999G",
            ByteSize.IsTooLarge(text ?? ""));
    }

    [Fact]
    public void The_largest_file_is_that_of_the_file_system() =>
        Assert.Equal(Tmem.Fuse.Filesystem.FilePages.MaximumPages * 4096, (ulong)ControlProtocol.LargestFile);

    [Theory]
    [InlineData(0, "0 B")]
    [InlineData(1023, "1023 B")]
    [InlineData(1024, "1.0 KiB")]
    [InlineData((1L << 20) - 1, "1.0 MiB")]
    [InlineData(512L << 20, "512.0 MiB")]
    [InlineData(3L << 29, "1.5 GiB")]
    [InlineData(long.MaxValue, "8.0 EiB")]
    [InlineData(-1536, "-1.5 KiB")]
    [InlineData(long.MinValue, "-8.0 EiB")]
    public void Sizes_are_printed(long bytes, string expected) => Assert.Equal(expected, ByteSize.Format(bytes));

    [Fact]
    public void What_is_printed_reads_back_within_its_last_digit() => Gen.Long[0, 1L << 60].Sample(bytes =>
    {
        Assert.True(ByteSize.TryParse(ByteSize.Format(bytes), out var back));
        Assert.InRange(Math.Abs(back - bytes), 0, bytes / 20 + 1);
    });

    [Fact]
    public void Any_text_is_an_answer_and_never_an_exception() =>
        Gen.String.Sample(text => { _ = ByteSize.TryParse(text, out _); });
}
