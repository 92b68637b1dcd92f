using System.Diagnostics;
using Tmem.Control.Messages;
using Xunit;

namespace Tmem.Fuse.Tests.Control;

/// <summary>The command lines that messages name, as a shell reads them.</summary>
public class ControlCommandTests
{
    [Theory]
    [InlineData("/run/tmem/tmemd.sock", "tmemctl swap off")]
    [InlineData("/run/tmem/./tmemd.sock", "tmemctl swap off")]
    [InlineData("/run/second.sock", "tmemctl --socket /run/second.sock swap off")]
    [InlineData("/run/my tmem/it's.sock", @"tmemctl --socket /run/my\ tmem/it\'s.sock swap off")]
    public void The_daemon_that_is_spoken_of_is_addressed(string socket, string line) =>
        Assert.Equal(line, new ControlCommand(socket).Line("swap off"));

    [Fact]
    public void What_looks_like_an_option_is_meant_as_a_name() =>
        Assert.Equal("tmemctl pool reserve -- -x none",
            new ControlCommand(ControlProtocol.DefaultSocket).Line("pool reserve", "-x", "none"));

    [Theory]
    [InlineData("plain")]
    [InlineData("")]
    [InlineData("two words")]
    [InlineData("it's $HOME `id` \"quoted\" \\ #x ~y *? [a] {b,c} !! ;&|<>()")]
    [InlineData("~")]
    [InlineData("#")]
    [InlineData("Büro")]
    [InlineData("a\nb\tc'd\\e\u001b[31m")]
    public void A_word_is_one_word_to_the_shell(string text)
    {
        var word = ShellWord.Of(text);
        Assert.DoesNotContain(word, char.IsControl);
        var start = new ProcessStartInfo("bash") { RedirectStandardOutput = true };
        start.Environment["LC_ALL"] = "C.UTF-8";
        foreach (var argument in (string[])["-c", $"printf '%s|' {word}"]) start.ArgumentList.Add(argument);
        using var shell = Process.Start(start)!;
        Assert.Equal(text + "|", shell.StandardOutput.ReadToEnd());
        shell.WaitForExit();
    }

    [Theory]
    [InlineData(0, "0")]
    [InlineData(4097, "4097")]
    [InlineData(1536 << 10, "1536K")]
    [InlineData(256L << 20, "256M")]
    [InlineData(1L << 60, "1E")]
    public void A_size_to_be_typed_is_that_size(long bytes, string text)
    {
        Assert.Equal(text, ByteSize.Exact(bytes));
        Assert.True(ByteSize.TryParse(text, out var read));
        Assert.Equal(bytes, read);
    }
}
