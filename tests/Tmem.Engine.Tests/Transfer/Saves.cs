using System.IO.Hashing;

namespace Tmem.Engine.Tests.Transfer;

/// <summary>A save small enough to corrupt byte by byte.</summary>
internal static class Saves
{
    public static readonly PoolOptions Shared = new(PoolFlags.Persistent | PoolFlags.Shared, SharedId: new SharedId(3, 4));

    /// <summary>A pool of a raw page, two that shrink and two same-filled ones: about 8 KiB.</summary>
    public static byte[] Small(bool shared = false)
    {
        using var engine = Engines.Anonymous();
        var client = engine.Client(new TmemClientId(1));
        engine.Authorise(client.Id, Shared.SharedId);
        Assert.Equal(TmemStatus.Ok, client.NewPool(shared ? Shared : new PoolOptions(PoolFlags.Persistent), out var pool));
        client.Put(pool, new ObjectId(1), 0, Pages.Text(2));
        client.Put(pool, new ObjectId(1), 5, Pages.Random(1));
        client.Put(pool, new ObjectId(2), uint.MaxValue, Pages.Filled(0));
        client.Put(pool, new ObjectId(3), 1, Pages.Filled(77));
        client.Put(pool, new ObjectId(3), 0, Pages.Text(3));
        using var stream = new MemoryStream();
        Assert.Equal(TransferStatus.Ok, client.SavePool(pool, stream).Status);
        return stream.ToArray();
    }

    /// <summary>Corrects the checksum at the end, as a program that writes such streams would.</summary>
    public static void Seal(Span<byte> saved) => BitConverter.TryWriteBytes(saved[^8..], XxHash3.HashToUInt64(saved[..^8]));
}
