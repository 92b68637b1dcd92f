using Tmem.Ctl.Mounts;
using Tmem.Engine.Tests.Embedding;
using Tmem.Manuals.Tests.Programs;

namespace Tmem.Manuals.Tests.Pages;

public sealed class ManualTests
{
    public static TheoryData<string> Pages => [.. ManualPages.Names];

    [Theory]
    [MemberData(nameof(Pages))]
    public void A_page_says_what_the_programs_say(string page) =>
        Approved.Check(Path.Combine(ManualPages.Folder, page), ManualPages.Make(page));

    [Fact]
    public void Every_page_that_is_there_has_a_source() => Assert.Equal(ManualPages.Names,
        Directory.EnumerateFiles(ManualPages.Folder).Select(file => Path.GetFileName(file)!)
            .Where(name => !name.EndsWith(".in", StringComparison.Ordinal)).Order(StringComparer.Ordinal));

    /// <summary>Of the page, not of what makes it.</summary>
    [Theory]
    [InlineData("tmemd.8", "tmemd")]
    [InlineData("tmemctl.8", "tmemctl")]
    public void Every_command_and_option_has_its_place(string page, string program)
    {
        var text = File.ReadAllText(Path.Combine(ManualPages.Folder, page));
        var tree = program == "tmemd" ? ProgramTrees.Daemon : ProgramTrees.Ctl;
        foreach (var command in tree.All)
        {
            var begin = command == tree ? 0
                : text.IndexOf($".SS \"{Roff.Escape(command.Path[(program.Length + 1)..])}", StringComparison.Ordinal);
            Assert.True(begin >= 0, $"{command.Path} has no section");
            foreach (var option in command.Options)
                Assert.Contains(Roff.Bold(option.Name), text[begin..], StringComparison.Ordinal);
        }
    }

    [Fact]
    public void Every_option_of_a_mount_has_its_place()
    {
        var text = File.ReadAllText(Path.Combine(ManualPages.Folder, "mount.tmem.8"));
        Assert.All(MountOptions.Names, name => Assert.Contains(Roff.Bold(name), text, StringComparison.Ordinal));
    }

    [Theory]
    [MemberData(nameof(Pages))]
    public void Groff_has_no_complaint(string page) => Lint("groff", page, "-man", "-Tutf8", "-ww", "-z");

    [Theory]
    [MemberData(nameof(Pages))]
    public void Mandoc_has_no_complaint(string page) => Lint("mandoc", page, "-Tlint", "-W", "warning");

    private static void Lint(string program, string page, params string[] arguments)
    {
        Assert.SkipUnless(Installed.Has(program), Installed.Missing(program));
        var (code, output, errors) = Repository.End(ManualPages.Folder, program, [.. arguments, page]);
        Assert.Equal((0, "", ""), (code, output, errors));
    }

    [Theory]
    [InlineData("a-b", @"a\-b")]
    [InlineData(".TH", @"\&.TH")]
    [InlineData("'swap off' \\n", @"\(aqswap off\(aq \en")]
    [InlineData("see --mount. And", "see \\fB\\-\\-mount\\fR.\nAnd")]
    [InlineData("a --x-y=--z", @"a \fB\-\-x\-y\fR=\fB\-\-z\fR")]
    public void Text_is_never_an_order_to_troff(string text, string escaped) =>
        Assert.Equal(escaped + "\n", Roff.Paragraph(text));
}
