using System.Text;
using Tmem.Control.CommandLine;
using Xunit;

namespace Tmem.Ctl.Tests;

/// <summary>Which words of a command line are UTF-8, by their bytes.</summary>
public sealed class ArgumentBytesTests
{
    [Theory]
    [InlineData("program|caf\xe9|", 1, "caf\\xe9")]
    // A truncated character, an overlong one, half of a surrogate pair, one beyond the last, and a lone continuation byte.
    [InlineData("program|a\xc3|", 1, "a\\xc3")]
    [InlineData("program|\xc0\xafz|", 1, "\\xc0\\xafz")]
    [InlineData("program|\xed\xa0\x80|", 1, "\\xed\\xa0\\x80")]
    [InlineData("program|\xf4\x90\x80\x80|", 1, "\\xf4\\x90\\x80\\x80")]
    [InlineData("program|\x80|", 1, "\\x80")]
    // The first invalid one, among empty words; the program's own name does not count.
    [InlineData("dotnet|\xff.dll||\xe9||\xe8|", 4, "\\xe9")]
    [InlineData("dotnet|\xff.dll|a||", 2, null)]
    [InlineData("\xff|", 0, null)]
    // U+FFFD as it is typed, and letters of two, three and four bytes, beside an invalid one.
    [InlineData("program|caf\xef\xbf\xbd|", 1, null)]
    [InlineData("program|\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\xe9|", 1, "é€😀\\xe9")]
    // Asked about more words than there are.
    [InlineData("\xe9|", 3, "\\xe9")]
    [InlineData("", 1, null)]
    public void The_first_word_that_is_not_UTF8_is_shown(string line, int count, string? shown) =>
        Assert.Equal(shown, ArgumentBytes.NotUtf8(Encoding.Latin1.GetBytes(line.Replace('|', '\0')), count));
}
