using Tmem.Fuse.Keeper;
using Xunit;

namespace Tmem.Fuse.Tests.Keeper;

/// <summary>Whether what a supervisor has kept as a program is one.</summary>
public sealed class ProgramFileTests
{
    [Theory]
    [InlineData("/bin/sh", true)]
    [InlineData("/dev/null", false)]
    [InlineData("/etc/passwd", false)]
    public void A_program_is_a_file_that_may_be_executed(string path, bool isProgram)
    {
        using var file = File.OpenHandle(path);
        Assert.Equal(isProgram, ProgramFile.CanRun((int)file.DangerousGetHandle()));
    }

    [Fact]
    public void No_descriptor_is_no_program() => Assert.False(ProgramFile.CanRun(-1));
}
