using System.IO.Compression;

namespace Tmem.Benchmarks.Corpus;

/// <summary>Text that any Debian machine has: licences, change logs, documentation and manual pages.</summary>
internal static class TextFiles
{
    private static readonly string[] Folders =
        ["/usr/share/dict", "/usr/share/common-licenses", "/usr/share/man", "/usr/share/doc", "/usr/share/perl"];

    /// <summary>Unpacked contents, in a seeded order, until about so many bytes have been given.</summary>
    public static IEnumerable<byte[]> Read(long bytes, Random random)
    {
        var options = new EnumerationOptions
        {
            RecurseSubdirectories = true,
            IgnoreInaccessible = true,
            AttributesToSkip = FileAttributes.ReparsePoint,
        };
        var files = Folders.Where(Directory.Exists).SelectMany(f => Directory.EnumerateFiles(f, "*", options))
            .Order(StringComparer.Ordinal).ToArray();
        random.Shuffle(files);
        foreach (var file in files)
        {
            if (bytes <= 0) yield break;
            if (Contents(file) is not { Length: > 0 } text || text.AsSpan().Contains((byte)0)) continue;
            bytes -= text.Length;
            yield return text;
        }
    }

    private static byte[]? Contents(string file)
    {
        try
        {
            if (!file.EndsWith(".gz", StringComparison.Ordinal))
                return new FileInfo(file).Length < 4 << 20 ? File.ReadAllBytes(file) : null;
            using var unpacked = new MemoryStream();
            using var packed = new GZipStream(File.OpenRead(file), CompressionMode.Decompress);
            packed.CopyTo(unpacked);
            return unpacked.ToArray();
        }
        catch (Exception error) when (error is IOException or InvalidDataException or UnauthorizedAccessException)
        {
            // A file that went away or is not what its name says: the next one will do.
            return null;
        }
    }
}
