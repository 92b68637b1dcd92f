using System.Text;
using Tmem.Engine.Records;
using Tmem.Fuse.Filesystem;
using Tmem.Fuse.Native;
using Tmem.Fuse.Protocol;
using Xunit;

namespace Tmem.Fuse.Tests.Filesystem;

/// <summary>
/// Every bit of one record of each kind, one after another: a flip of what is stored fails the sum, a flip of what is derived
/// does not, and no flip crashes the reader.
/// </summary>
public sealed class RecordSumTests : IDisposable
{
    private readonly TestVolume _volume = new();
    private readonly NodeId _file;
    private readonly NodeId _link;

    public RecordSumTests()
    {
        var pool = _volume.Pool();
        _file = _volume.File(pool, "name");
        Assert.Equal(Errno.Ok, _volume.SetAttribute(_file, "user.a", "value"u8));
        Assert.Equal(Errno.Ok,
            _volume.Files.SymbolicLink(TestVolume.Root, pool, "link"u8, Encoding.UTF8.GetBytes("target"), out var entry));
        _link = new NodeId(entry.NodeId);
    }

    public void Dispose() => _volume.Dispose();

    private RecordStore Records => _volume.Engine.Records;

    private RecordRef Only(byte kind, Func<RecordRef, bool> wanted)
    {
        var found = RecordRef.None;
        Records.ForEach(kind, record =>
        {
            if (wanted(record)) found = record;
        });
        Assert.False(found.IsNone);
        return found;
    }

    /// <param name="from">The first byte of the record that its sum covers (the sum itself included).</param>
    /// <param name="length">The bytes that it uses.</param>
    private void EveryBit(RecordRef record, Func<bool> holds, int from, int length)
    {
        var bytes = Records.Bytes(record).Length;
        Assert.InRange(length, from, bytes);
        Assert.True(holds());
        for (var bit = 0; bit < 8 * bytes; bit++)
        {
            Records.Bytes(record)[bit / 8] ^= (byte)(1 << bit % 8);
            Assert.True(holds() == (bit / 8 < from || bit / 8 >= length), $"bit {bit}");
            Records.Bytes(record)[bit / 8] ^= (byte)(1 << bit % 8);
        }
    }

    [Fact]
    public void An_entry()
    {
        var entry = Only(RecordKind.Entry, e => Records.Get<EntryRecord>(e).Child == _file.Value);
        EveryBit(entry, () => RecordSum.EntryHolds(Records, entry), from: 16, 48 + 4);
    }

    [Fact]
    public void An_attribute()
    {
        var attribute = Only(RecordKind.Attribute, _ => true);
        EveryBit(attribute, () => RecordSum.AttributeHolds(Records, attribute), from: 16, 40 + 6 + 5);
    }

    [Fact]
    public void A_link_target()
    {
        var target = Only(RecordKind.Target, t => Records.Get<TargetRecord>(t).Owner == _link.Value);
        EveryBit(target, () => RecordSum.TargetHolds(Records, target), from: 0, 16 + 6);
    }
}
