using CsCheck;
using Tmem.Fuse.Control.Messages;
using Xunit;

namespace Tmem.Fuse.Tests.Control;

public sealed class ByteSizeTests
{
    [Theory]
    [InlineData("0", 0)]
    [InlineData("4096", 4096)]
    [InlineData("17B", 17)]
    [InlineData("512M", 512L << 20)]
    [InlineData("512m", 512L << 20)]
    [InlineData("2GiB", 2L << 30)]
    [InlineData("2 gib", 2L << 30)]
    [InlineData(" 1.5G ", 3L << 29)]
    [InlineData("1KB", 1024)]
    [InlineData("3TB", 3L << 40)]
    [InlineData("16TiB", 16L << 40)]
    [InlineData("9223372036854775807", long.MaxValue)]
    public void Sizes(string text, long bytes)
    {
        Assert.True(ByteSize.TryParse(text, out var parsed));
        Assert.Equal(bytes, parsed);
    }

    [Theory]
    [InlineData("")]
    [InlineData(" ")]
    [InlineData("M")]
    [InlineData("-1")]
    [InlineData("+1")]
    [InlineData("1X")]
    [InlineData("1iB")]
    [InlineData("1MiBs")]
    [InlineData("1.2.3M")]
    [InlineData(".")]
    [InlineData("1,5G")]
    [InlineData("1e3")]
    [InlineData("0x10")]
    [InlineData("9223372036854775808")]
    [InlineData("8388608TiB")]
    [InlineData("99999999999999999999999999999999999999")]
    public void No_sizes(string text) => Assert.False(ByteSize.TryParse(text, out _));

    [Theory]
    [InlineData(0, "0 B")]
    [InlineData(1023, "1023 B")]
    [InlineData(1024, "1.0 KiB")]
    [InlineData(3L << 29, "1.5 GiB")]
    [InlineData(long.MaxValue, "8.0 EiB")]
    public void Formats(long bytes, string text) => Assert.Equal(text, ByteSize.Format(bytes));

    [Fact]
    public void What_is_formatted_reads_back_nearly() => Gen.Long[0, 1L << 50].Sample(bytes =>
        ByteSize.TryParse(ByteSize.Format(bytes), out var back) && Math.Abs(back - bytes) <= bytes * 0.06);

    [Fact]
    public void Any_text_is_read_or_refused() => Gen.String.Sample(text => !ByteSize.TryParse(text, out var bytes) || bytes >= 0);
}
