using System.Buffers;
using System.Text.Json;
using Tmem.Fuse.Control;
using Tmem.Fuse.Native;
using Tmem.Fuse.Tests.Filesystem;
using Xunit;

namespace Tmem.Fuse.Tests.Control;

/// <summary>
/// A flipped bit in a stored page: EIO for that page alone, counted, and reported by the file's name in a check.
/// </summary>
public sealed unsafe class CorruptPageTests
{
    [Theory]
    [InlineData(true, "page 1 (bytes from 4096 on) of file /p/d/f, inode ")]
    [InlineData(false, "page 1 (bytes from 4096 on) of a file without a name, inode ")]
    public void A_check_names_the_file_of_a_corrupt_page(bool named, string words)
    {
        using var volume = new TestVolume();
        var contents = TestVolume.Noise(3 * TestVolume.Page, 4);
        var directory = volume.Directory(volume.Pool(), "d");
        var file = volume.File(directory, "f", contents);
        if (!named) Assert.Equal(Errno.Ok, volume.Unlink(directory, "f"));
        Flip(volume, contents.AsSpan(TestVolume.Page, 64));

        Assert.Equal(Errno.EIO, volume.TryRead(file, TestVolume.Page, TestVolume.Page, out _));
        Assert.Equal(contents[..TestVolume.Page], volume.Read(file, 0, TestVolume.Page));
        Assert.Equal(contents[(2 * TestVolume.Page)..], volume.Read(file, 2 * TestVolume.Page, TestVolume.Page));
        Assert.Equal(1, volume.Engine.Statistics().Total.CorruptPages);

        var methods = new ControlMethods("/nowhere", new FakeDaemon(), new EngineView(volume.Engine), volume.Files);
        var line = new ArrayBufferWriter<byte>();
        methods.Call("check", null, () => true).Write(line, null);
        var result = JsonDocument.Parse(line.WrittenMemory).RootElement.GetProperty("result");
        var problem = Assert.Single(result.GetProperty("problems").EnumerateArray()).GetString()!;
        Assert.StartsWith(words, problem, StringComparison.Ordinal);
        Assert.Contains("in pool 'p'", problem, StringComparison.Ordinal);
        Assert.EndsWith("is corrupt: its stored bytes fail their checksum or do not unpack", problem, StringComparison.Ordinal);
    }

    /// <summary>Flips a bit of a page that does not shrink, and so lies in the region as it is.</summary>
    private static void Flip(TestVolume volume, ReadOnlySpan<byte> stored)
    {
        var memory = new Span<byte>(volume.Engine.Memory.Start, 32 << 20);
        var at = memory.IndexOf(stored);
        Assert.True(at > 0, "the page is not stored raw");
        memory[at + 7] ^= 1;
    }
}
