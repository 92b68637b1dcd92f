using System.Security.Cryptography;
using System.Text;

namespace Tmem.Engine.Tests.Embedding;

/// <summary>Object ids from GUIDs, from keys, and as bytes.</summary>
public sealed class KeyTests
{
    [Fact]
    public void A_GUID_is_told_from_every_other()
    {
        var guid = new Guid("00112233-4455-6677-8899-aabbccddeeff");
        Assert.Equal(new ObjectId(guid), new ObjectId(guid));
        for (var bit = 0; bit < 128; bit++)
        {
            var bytes = guid.ToByteArray();
            bytes[bit / 8] ^= (byte)(1 << bit % 8);
            Assert.NotEqual(new ObjectId(guid), new ObjectId(new Guid(bytes)));
        }
        Assert.True(new ObjectId(new Guid(new string('f', 32))).IsValid);
    }

    /// <summary>So that a program in another language finds what this one has stored.</summary>
    [Theory]
    [InlineData("")]
    [InlineData("a")]
    [InlineData("/var/lib/größer/als eine Zeile")]
    public void A_key_is_the_first_192_bits_of_its_SHA256(string key)
    {
        var expected = SHA256.HashData(Encoding.UTF8.GetBytes(key)).AsSpan(0, 24);
        var id = ObjectId.FromKey(key);
        Span<byte> bytes = stackalloc byte[24];
        Assert.True(id.TryWriteBytes(bytes));
        Assert.True(expected.SequenceEqual(bytes));
        Assert.Equal(id, ObjectId.FromKey(Encoding.UTF8.GetBytes(key)));
        Assert.Equal(id, new ObjectId(bytes));
    }

    [Fact]
    public void Long_keys_are_keys_too()
    {
        var key = new string('ü', 100_000);
        Assert.Equal(ObjectId.FromKey(Encoding.UTF8.GetBytes(key)), ObjectId.FromKey(key));
        Assert.NotEqual(ObjectId.FromKey(key), ObjectId.FromKey(key.AsSpan(1)));
    }

    [Fact]
    public void A_short_key_allocates_nothing()
    {
        _ = ObjectId.FromKey("warm");
        var before = GC.GetAllocatedBytesForCurrentThread();
        for (var i = 0; i < 1000; i++) _ = ObjectId.FromKey("session/4711");
        Assert.Equal(before, GC.GetAllocatedBytesForCurrentThread());
    }

    [Fact]
    public void Bytes_of_another_length_are_no_id()
    {
        Assert.Throws<ArgumentException>(() => new ObjectId(new byte[23]));
        Assert.Throws<ArgumentException>(() => new ObjectId(new byte[25]));
        Assert.False(new ObjectId(1, 2, 3).TryWriteBytes(new byte[23]));
    }
}
