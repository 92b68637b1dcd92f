using Tmem.Engine;
using Tmem.Engine.Tests.Durability;
using Tmem.Fuse.Control;
using Tmem.Fuse.Daemon;
using Tmem.Fuse.Filesystem;
using Tmem.Fuse.Tests.Filesystem;
using Xunit;

namespace Tmem.Fuse.Tests.Daemon;

/// <summary>The check reads a region's file as a start would, reports what is wrong, and leaves it unchanged.</summary>
public sealed class RegionCheckTests : IDisposable
{
    private readonly string _path =
        Path.Combine(Path.GetTempPath(), $"tmem-check-{Environment.ProcessId}-{Guid.NewGuid():N}.region");

    public void Dispose() => File.Delete(_path);

    [Fact]
    public void A_sound_file_is_sound_and_a_flipped_bit_is_named()
    {
        var contents = TestVolume.Noise(3 * TestVolume.Page, 4);
        using (var volume = new TestVolume(8 * TestVolume.Mebi, _path))
            volume.File(volume.Directory(volume.Pool(), "d"), "f", contents);
        var (code, report) = Check();
        Assert.Equal(0, code);
        Assert.Contains("1 pool, 3 pages of 1 object", report, StringComparison.Ordinal);
        Assert.StartsWith($"{_path}: sound\n", report, StringComparison.Ordinal);

        // What does not shrink lies in the file as it is.
        var bytes = SparseFile.Read(_path);
        var at = bytes.IndexOf(contents.AsSpan(TestVolume.Page, 64));
        Assert.True(at > 0);
        using (var file = File.OpenWrite(_path))
        {
            file.Position = at + 7;
            file.WriteByte((byte)(bytes[at + 7] ^ 1));
        }
        (code, report) = Check();
        Assert.Equal(1, code);
        Assert.Contains("  page 1 (bytes from 4096 on) of file /p/d/f, inode ", report, StringComparison.Ordinal);
        Assert.Contains(", in pool 'p' is corrupt: ", report, StringComparison.Ordinal);
        Assert.Contains("--drop-damaged", report, StringComparison.Ordinal);

        // What a start that drops it logs.
        using var engine = TmemEngine.Open(
            new EngineOptions { CapacityBytes = 8 * TestVolume.Mebi, RegionPath = _path, DropDamaged = true });
        var files = new TmemFileSystem(engine, engine.Client(new TmemClientId(1)));
        var (lost, dropped) = Assert.Single(PageWords.Of(engine.Dropped, engine.DroppedPages, files));
        Assert.Matches("^file /p/d/f, inode [0-9]+, in pool 'p'$", lost);
        Assert.Equal($"page 1 (bytes from 4096 on) of {lost} is corrupt: its stored bytes fail their checksum or do not unpack",
            dropped);
    }

    [Fact]
    public void The_verdict_comes_first_and_all_pages_under_their_file()
    {
        const int pages = 64;
        var contents = TestVolume.Noise(pages * TestVolume.Page, 4);
        using (var volume = new TestVolume(8 * TestVolume.Mebi, _path))
            volume.File(volume.Directory(volume.Pool(), "d"), "f", contents);
        var bytes = SparseFile.Read(_path);
        for (var page = 0; page < pages; page++)
        {
            var at = bytes.IndexOf(contents.AsSpan(page * TestVolume.Page, 64));
            Assert.True(at > 0);
            bytes[at + 7] ^= 1;
        }
        bytes.WriteTo(_path);
        var (code, report) = Check();
        var lines = report.TrimEnd('\n').Split('\n');
        Assert.Equal(1, code);
        Assert.StartsWith($"{_path}: DAMAGED in {pages} places: restore", lines[0], StringComparison.Ordinal);
        Assert.Equal(2 + 1 + pages, lines.Length);
        Assert.Matches($"^  file /p/d/f, inode [0-9]+, in pool 'p': {pages} pages are damaged$", lines[2]);
        Assert.StartsWith($"    page {pages - 1} (bytes from ", lines[^1], StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(0, 4096, "it looks like a tmem region but for its first page, which is lost")]
    [InlineData(4096, 65536, "there is no record where the file system begins, and its tables may be lost too")]
    public void A_file_whose_beginning_is_lost_is_named_and_called_damaged(int from, int length, string what)
    {
        using (var volume = new TestVolume(8 * TestVolume.Mebi, _path))
            volume.File(volume.Directory(volume.Pool(), "d"), "f", TestVolume.Noise(TestVolume.Page, 4));
        using (var file = File.OpenWrite(_path))
        {
            file.Position = from;
            file.Write(new byte[length]);
        }
        var (code, report) = Check();
        Assert.Equal(1, code);
        Assert.Contains($"{_path}' is damaged: {what}", report, StringComparison.Ordinal);
        Assert.EndsWith("restore it from a copy\n", report, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("/", "tmemd: region file '/' is a directory; name the file in it\n")]
    [InlineData("/etc/", "tmemd: region file '/etc/' is a directory; name the file in it\n")]
    [InlineData("/nowhere/x", "tmemd: cannot open region file '/nowhere/x' (/nowhere: No such file")]
    [InlineData("/etc/nothing.region", "tmemd: cannot open region file '/etc/nothing.region' (")]
    [InlineData("/dev/null", "is no regular file")]
    public void What_is_no_regions_file_is_refused_by_the_program(string file, string says)
    {
        using var output = new StringWriter();
        using var error = new StringWriter();
        Assert.Equal((1, ""), (RegionCheck.Run(file, output, error), output.ToString()));
        Assert.StartsWith("tmemd: ", error.ToString(), StringComparison.Ordinal);
        Assert.Contains(says, error.ToString(), StringComparison.Ordinal);
    }

    /// <summary>As with --region: a link that another user could have made is not followed.</summary>
    [Fact]
    public void A_link_that_another_user_could_have_made_is_not_followed()
    {
        if (!Environment.IsPrivilegedProcess) Assert.Skip("Making a folder others may write to and a link of theirs needs root.");
        var folder = Directory.CreateTempSubdirectory("tmem-check-link-").FullName;
        try
        {
            var link = Path.Combine(folder, "region");
            File.CreateSymbolicLink(link, "/etc/passwd");
            File.SetUnixFileMode(folder, (UnixFileMode)0x1FF);
            using var output = new StringWriter();
            using var error = new StringWriter();
            Assert.Equal(1, RegionCheck.Run(link, output, error));
            Assert.Contains("cannot open region file", error.ToString(), StringComparison.Ordinal);
            Assert.DoesNotContain("is not a tmem region", error.ToString(), StringComparison.Ordinal);
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    private (int Code, string Report) Check()
    {
        var before = SparseFile.Read(_path).Hash();
        using var output = new StringWriter();
        var code = RegionCheck.Run(_path, output, output);
        Assert.Equal(before, SparseFile.Read(_path).Hash());
        return (code, output.ToString());
    }
}
