using Microsoft.Win32.SafeHandles;
using Tmem.Control.Messages;
using Tmem.Engine;
using Tmem.Engine.Records;
using Tmem.Engine.Tests.Durability;
using Tmem.Fuse.Daemon;
using Tmem.Fuse.Filesystem;
using Tmem.Fuse.Native;
using Tmem.Fuse.Tests.Filesystem;
using Xunit;

namespace Tmem.Fuse.Tests.Daemon;

/// <summary>
/// One bit of one record flips in a region's file: the check calls it damaged exactly if a start finds damage. With leave to drop
/// what is damaged, the next start finds nothing.
/// </summary>
public sealed class RegionCheckRecordsTests : IDisposable
{
    private const int HeaderBytes = 16;
    private const int Committed = 2;
    private const int Flips = 2;

    private readonly string _path =
        Path.Combine("/dev/shm", $"tmem-records-{Environment.ProcessId}-{Guid.NewGuid():N}.region");

    public void Dispose() => File.Delete(_path);

    /// <param name="kind">The kind of record.</param>
    /// <param name="from">The first byte of its contents that the sum covers.</param>
    /// <param name="to">The first byte after those; 0: the end.</param>
    [Theory]
    [InlineData(RecordKind.Root, 0, 72)]
    [InlineData(RecordKind.Inode, 0, 8)]
    [InlineData(RecordKind.Entry, 16, 0)]
    [InlineData(RecordKind.Attribute, 16, 0)]
    [InlineData(RecordKind.Target, 0, 0)]
    [InlineData(RecordKind.Journal, 0, 8)]
    [InlineData(RecordKind.Answers, 0, 0)]
    public void The_check_finds_what_a_start_finds(byte kind, int from, int to)
    {
        var records = Fill(kind);
        var bytes = SparseFile.Read(_path);
        Assert.Equal("sound", Verdict(bytes, -1, 0));
        var random = new Random(kind);
        for (var flip = 0; flip < Flips; flip++)
        {
            var (place, length) = records[flip % records.Count];
            // The header, which every record has; the summed part; and any byte.
            var at = place + (flip % 3) switch
            {
                0 => random.Next(HeaderBytes),
                1 => HeaderBytes + random.Next(from, to == 0 ? length : to),
                _ => HeaderBytes + random.Next(length),
            };
            var verdict = Verdict(bytes, at, random.Next(8));
            if (flip % 3 == 0 || (flip % 3 == 1 && kind != RecordKind.Answers)) Assert.Equal("damaged", verdict);
        }
    }

    /// <summary>
    /// Header words that do not agree, with the bit of the commit cleared: no kill leaves a first word that is neither the
    /// second, nor that and retired, nor 1, nor 0.
    /// </summary>
    [Theory]
    [InlineData(RecordKind.Inode, 0, 1UL << 20)]
    [InlineData(RecordKind.Inode, 8, 1UL << 50)]
    [InlineData(RecordKind.Entry, 0, 1UL << 50)]
    [InlineData(RecordKind.Entry, 0, ~(ulong)Committed)]
    [InlineData(RecordKind.Attribute, 8, 1UL << 9)]
    [InlineData(RecordKind.Target, 0, 1UL << 9 | 1)]
    public void A_record_whose_header_contradicts_itself_is_damaged_and_never_just_free(byte kind, int second, ulong flips)
    {
        var (place, _) = Fill(kind)[^1];
        using (var file = File.OpenHandle(_path, FileMode.Open, FileAccess.ReadWrite))
        {
            Flip(file, place, Committed);
            Flip(file, place + second, flips);
        }
        var (code, report) = Check();
        Assert.True(code == 1, report);
        Assert.Contains($"record {place >> 4} is damaged in its header: it was ", report, StringComparison.Ordinal);
        // As long as nobody has it dropped.
        for (var starts = 0; starts < 2; starts++) Assert.Contains(Start(drop: false), IsNamed);
        Start(drop: true);
        Assert.DoesNotContain(Start(drop: false), IsNamed);

        bool IsNamed(string sentence) => sentence.StartsWith($"record {place >> 4} ", StringComparison.Ordinal);
    }

    private static void Flip(SafeFileHandle file, long place, ulong bits)
    {
        Span<byte> word = stackalloc byte[sizeof(ulong)];
        Assert.Equal(word.Length, RandomAccess.Read(file, word, place));
        BitConverter.TryWriteBytes(word, BitConverter.ToUInt64(word) ^ bits);
        RandomAccess.Write(file, word, place);
    }

    [Fact]
    public void A_damaged_record_is_named_by_its_file()
    {
        var attribute = Fill(RecordKind.Attribute)[0];
        var bytes = SparseFile.Read(_path);
        bytes[attribute.Place + HeaderBytes + attribute.Length - 1] ^= 1;
        bytes.WriteTo(_path);
        var (code, report) = Check();
        Assert.Equal(1, code);
        Assert.StartsWith($"{_path}: DAMAGED in 1 place: restore", report, StringComparison.Ordinal);
        Assert.Contains("  an extended attribute of /p/d/f is damaged (record ", report, StringComparison.Ordinal);
    }

    /// <summary>
    /// A name whose header, or whose contents, are destroyed: the directory is named, and the new place of its file.
    /// </summary>
    [Theory]
    [InlineData(0, "is damaged in its header: it was the name 'f' in directory /p/d, of inode ")]
    [InlineData(HeaderBytes + 24, "a name in directory /p/d is damaged (record ")]
    public void A_lost_name_is_told_by_its_directory_and_its_file_by_its_new_place(int from, string says)
    {
        var entries = Fill(RecordKind.Entry);
        var bytes = SparseFile.Read(_path);
        var (place, length) = Assert.Single(entries, entry => bytes[entry.Place + HeaderBytes + entry.Length - 1] == (byte)'f');
        var parent = bytes.Word(place + HeaderBytes + 32);
        var inode = bytes.Word(place + HeaderBytes + 40);
        // Eight bytes, but not the word that names its directory.
        for (var at = place + from; at < place + from + 8; at++) bytes[at] ^= 0xA5;
        Assert.Equal(parent, bytes.Word(place + HeaderBytes + 32));
        bytes.WriteTo(_path);
        var moved = $"inode {inode} has lost its name: it is /p/lost+found/{inode} now";

        var (code, report) = Check();
        Assert.Equal(1, code);
        Assert.StartsWith($"{_path}: DAMAGED in 1 place: restore", report, StringComparison.Ordinal);
        Assert.Contains(says, report, StringComparison.Ordinal);
        Assert.Contains($"  {moved}\n", report, StringComparison.Ordinal);

        var log = Log(drop: false);
        Assert.Contains(log, line => line.Contains(says, StringComparison.Ordinal));
        Assert.Contains($"damage in region: {moved}", log);
        Assert.Equal("damage in region: 1 damaged record of the file system; 'tmemctl check' names what is still damaged",
            log[^1]);

        bytes.WriteTo(_path);
        log = Log(drop: true);
        Assert.Contains(log, line => line.Contains(says, StringComparison.Ordinal));
        Assert.Equal("damage in region: 1 damaged record of the file system; what was damaged is dropped", log[^1]);
    }

    [Fact]
    public void Of_a_record_of_which_nothing_is_whole_the_check_says_so()
    {
        var (place, length) = Fill(RecordKind.Attribute)[0];
        var bytes = SparseFile.Read(_path);
        bytes[place + 1] ^= 0xFF;
        bytes[place + HeaderBytes + length - 1] ^= 1;
        bytes.WriteTo(_path);
        Assert.Contains(" is damaged in its header: what it was cannot be told\n", Check().Report, StringComparison.Ordinal);
    }

    [Fact]
    public void Records_come_before_pages()
    {
        var (place, _) = Fill(RecordKind.Attribute)[0];
        var bytes = SparseFile.Read(_path);
        bytes[place + 1] ^= 0xFF;
        var page = bytes.IndexOf(TestVolume.Noise(2 * TestVolume.Page, 1).AsSpan(0, 64));
        Assert.True(page > 0);
        bytes[page] ^= 1;
        bytes.WriteTo(_path);
        var lines = Check().Report.TrimEnd('\n').Split('\n');
        Assert.Equal(4, lines.Length);
        Assert.EndsWith(" it was an extended attribute of /p/d/f", lines[2], StringComparison.Ordinal);
        Assert.StartsWith("  page 0 ", lines[3], StringComparison.Ordinal);
    }

    [Fact]
    public void With_an_inode_its_pages_are_dropped_and_the_file_is_sound_again()
    {
        var places = Fill(RecordKind.Inode);
        var bytes = SparseFile.Read(_path);
        var regular = places.Where(inode => bytes.Word(inode.Place + HeaderBytes + 8) == 2 * TestVolume.Page);
        bytes[Assert.Single(regular).Place + HeaderBytes] ^= 1;
        bytes.WriteTo(_path);
        Assert.Contains("the pages of lost inodes are dropped: those of 1", Start(drop: true));
        var (code, report) = Check();
        Assert.True(code == 0, report);
    }

    /// <summary>The verdict of both, "sound" or "damaged", on the file with one bit flipped.</summary>
    private string Verdict(SparseFile bytes, int at, int bit)
    {
        if (at >= 0) bytes[at] ^= (byte)(1 << bit);
        bytes.WriteTo(_path);
        var (code, report) = Check();
        var found = Start(drop: false);
        var where = $"bit {bit} of byte {at}";
        Assert.True(found.Count > 0 == (code == 1), $"{where}: the check says {report}, a start {string.Join("; ", found)}");
        Assert.Equal(code == 0, report.StartsWith($"{_path}: sound\n", StringComparison.Ordinal));
        if (found.Count > 0) bytes.WriteTo(_path);
        if (at >= 0) bytes[at] ^= (byte)(1 << bit);
        if (found.Count == 0) return "sound";
        Start(drop: true);
        var left = Start(drop: false);
        Assert.True(left.Count == 0, $"{where}, dropped, is still there: {string.Join("; ", left)}");
        return "damaged";
    }

    private IReadOnlyList<string> Start(bool drop)
    {
        using var engine = Open(drop);
        return new TmemFileSystem(engine, engine.Client(new TmemClientId(1))).Damage.Sentences;
    }

    /// <summary>A child that another test starts holds this test's lock until it executes its program.</summary>
    private TmemEngine Open(bool drop)
    {
        var options = new EngineOptions
        {
            CapacityBytes = 4 * TestVolume.Mebi, RegionPath = _path, DropDamaged = drop, CompactInBackground = false,
        };
        for (var tries = 0; ; tries++)
        {
            try
            {
                return TmemEngine.Open(options);
            }
            catch (RegionException error) when (tries < 100 && error.Message.Contains("in use", StringComparison.Ordinal))
            {
                Thread.Sleep(20);
            }
        }
    }

    /// <summary>The lines about damage that a start logs.</summary>
    private List<string> Log(bool drop)
    {
        using var engine = Open(drop);
        var files = new TmemFileSystem(engine, engine.Client(new TmemClientId(1)));
        return [.. DamageWords.Of(engine, files, "region", new ControlCommand(ControlProtocol.DefaultSocket))];
    }

    private (int Code, string Report) Check()
    {
        using var output = new StringWriter();
        var code = RegionCheck.Run(_path, output, output);
        return (code, output.ToString());
    }

    /// <summary>
    /// A file with a few records of each kind: the places in it of those of one kind, and the length of their contents.
    /// </summary>
    private List<(int Place, int Length)> Fill(byte kind)
    {
        var found = new List<(int, int)>();
        using var volume = new TestVolume(
            new EngineOptions { CapacityBytes = 4 * TestVolume.Mebi, RegionPath = _path, CompactInBackground = false });
        var directory = volume.Directory(volume.Pool(), "d");
        var file = volume.File(directory, "f", TestVolume.Noise(2 * TestVolume.Page, 1));
        volume.File(directory, "g", TestVolume.Noise(100, 2));
        Assert.Equal(Errno.Ok, volume.SetAttribute(file, "user.x", TestVolume.Noise(4000, 3)));
        Assert.Equal(Errno.Ok, volume.Files.SymbolicLink(TestVolume.Root, directory, "l"u8, "to nowhere"u8, out _));
        volume.Files.DropKernelReferences();
        var records = volume.Engine.Records;
        // The first inode is the root directory's.
        records.ForEach(kind, record => found.Add(((int)record.Value << 4, records.Bytes(record).Length)));
        Assert.NotEmpty(found);
        return found;
    }
}
