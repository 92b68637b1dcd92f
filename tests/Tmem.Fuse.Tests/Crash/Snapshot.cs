using System.Globalization;
using System.Runtime.CompilerServices;
using System.Text;
using Tmem.Engine.Format;
using Tmem.Engine.Records;
using Tmem.Fuse.Filesystem;
using Tmem.Fuse.Protocol;

namespace Tmem.Fuse.Tests.Crash;

/// <summary>
/// All that a file system means, in words that are equal for two regions of the same meaning: names, which of them are one file,
/// the kernel's references to each, attributes, contents, nameless files, pools, and the number of records in use. Numbers of
/// inodes and times are left out.
/// </summary>
internal static class Snapshot
{
    /// <summary>The names in each directory that has any, and what they lead to.</summary>
    public static Dictionary<ulong, Dictionary<string, ulong>> Directories(CrashVolume volume)
    {
        var directories = new Dictionary<ulong, Dictionary<string, ulong>>();
        volume.Records.ForEach(RecordKind.Entry, entry =>
        {
            var record = volume.Records.Get<EntryRecord>(entry);
            var name = volume.Records.Bytes(entry).Slice(Unsafe.SizeOf<EntryRecord>(), (int)record.NameLength);
            if (!directories.TryGetValue(record.Parent, out var names))
                directories.Add(record.Parent, names = new(StringComparer.Ordinal));
            names.Add(Encoding.UTF8.GetString(name), record.Child);
        });
        return directories;
    }

    /// <summary>The names in one directory.</summary>
    public static Dictionary<string, ulong> Children(CrashVolume volume, ulong directory) =>
        Directories(volume).GetValueOrDefault(directory) ?? [];

    public static string Of(CrashVolume volume)
    {
        var text = new StringBuilder();
        var seen = new Dictionary<ulong, string>();
        Walk(volume, Directories(volume), "", volume.Records.Get<RootRecord>(volume.Records.Root).RootInode, seen, text);
        var nameless = new List<ulong>();
        volume.Records.ForEach(RecordKind.Inode, inode =>
        {
            if (!seen.ContainsKey(inode.Value)) nameless.Add(inode.Value);
        });
        foreach (var line in nameless.Select(inode => Describe(volume, inode)).Order(StringComparer.Ordinal))
            text.AppendLine("nameless " + line);
        foreach (var pool in volume.Files.Pools())
            text.AppendLine(CultureInfo.InvariantCulture, $"pool {pool.Name} {pool.Options}");
        text.AppendLine(CultureInfo.InvariantCulture,
            $"{volume.Engine.Statistics().Total.Pages} pages, {UsedRecords(volume)} records");
        return text.ToString();
    }

    private static void Walk(CrashVolume volume, Dictionary<ulong, Dictionary<string, ulong>> directories, string path,
        ulong inode, Dictionary<ulong, string> seen, StringBuilder text)
    {
        if (!seen.TryAdd(inode, path))
        {
            text.AppendLine(CultureInfo.InvariantCulture, $"{path} is {seen[inode]}");
            return;
        }
        text.AppendLine(CultureInfo.InvariantCulture, $"{path} {Describe(volume, inode)}");
        if (!directories.TryGetValue(inode, out var names)) return;
        foreach (var (name, child) in names.OrderBy(one => one.Key, StringComparer.Ordinal))
            Walk(volume, directories, $"{path}/{name}", child, seen, text);
    }

    private static string Describe(CrashVolume volume, ulong inode)
    {
        ref var record = ref volume.Records.Get<InodeRecord>(new RecordRef(inode));
        var contents = "";
        if (record.IsRegular && record.Size > 0)
        {
            var bytes = new byte[record.Size];
            volume.Files.Read(new NodeId(inode), 0, 0, bytes, 0, out var length);
            contents = Convert.ToHexString(System.IO.Hashing.XxHash3.Hash(bytes.AsSpan(0, length)));
        }
        return string.Create(CultureInfo.InvariantCulture,
            $"mode {record.Mode:x} links {record.Links} uid {record.Uid} gid {record.Gid} device {record.Device} flags "
            + $"{record.Flags} size {record.Size} "
            + $"lookups {record.Lookups} opens {record.Opens} [{Attributes(volume, inode)}] {contents}");
    }

    private static string Attributes(CrashVolume volume, ulong inode)
    {
        var values = new List<string>();
        volume.Records.ForEach(RecordKind.Attribute, attribute =>
        {
            var record = volume.Records.Get<AttributeRecord>(attribute);
            if (record.Owner != inode) return;
            var bytes = volume.Records.Bytes(attribute)[Unsafe.SizeOf<AttributeRecord>()..];
            values.Add(Encoding.UTF8.GetString(bytes[..(int)record.NameLength]) + "="
                + Convert.ToHexString(bytes[(int)record.NameLength..]));
        });
        return string.Join(' ', values.Order(StringComparer.Ordinal));
    }

    /// <summary>Slots of records that are not free, committed or not: one too many is a leak.</summary>
    private static unsafe long UsedRecords(CrashVolume volume)
    {
        var spans = volume.Engine.Slabs.Spans;
        long live = 0;
        for (uint span = 0; span < spans.HighWater; span++)
            if (spans.Table[span].Kind == SpanKind.Records) live += spans.Table[span].Live;
        return live;
    }
}
