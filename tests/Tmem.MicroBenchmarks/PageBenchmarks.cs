using System.IO.Hashing;
using BenchmarkDotNet.Attributes;
using Tmem.Engine.Codec;
using Tmem.Engine.Pam;

namespace Tmem.MicroBenchmarks;

/// <summary>What is done to the bytes of a page: 4 KiB each call.</summary>
public class PageBenchmarks
{
    private readonly byte[][] _pages = SamplePages.Make();
    private readonly byte[][] _stored = new byte[SamplePages.Count][];
    private readonly byte[] _room = new byte[2 * TmemClient.PageSize];
    private readonly byte[] _filled = new byte[TmemClient.PageSize];
    private int _next;

    public PageBenchmarks()
    {
        for (var i = 0; i < _pages.Length; i++) _stored[i] = _room[..default(PageLz4Codec).Encode(_pages[i], _room)];
    }

    private int Next => _next = (_next + 1) % SamplePages.Count;

    [Benchmark(Description = "encode, page encoder")]
    public int Encode() => default(PageLz4Codec).Encode(_pages[Next], _room);

    [Benchmark(Description = "encode, K4os")]
    public int EncodeReference() => default(Lz4Codec).Encode(_pages[Next], _room);

    [Benchmark(Description = "decode, page decoder")]
    public bool Decode() => default(PageLz4Codec).Decode(_stored[Next], _room.AsSpan(0, TmemClient.PageSize));

    [Benchmark(Description = "decode, K4os")]
    public bool DecodeReference() => default(Lz4Codec).Decode(_stored[Next], _room.AsSpan(0, TmemClient.PageSize));

    [Benchmark(Description = "checksum of the stored bytes")]
    public ulong Checksum() => XxHash3.HashToUInt64(_stored[Next], 1);

    [Benchmark(Description = "same-filled test, it is not")]
    public bool IsSameFilled() => SameFill.Is(_pages[Next], out _);

    [Benchmark(Description = "same-filled test, it is")]
    public bool IsSameFilledWhole() => SameFill.Is(_filled, out _);

    [Benchmark(Description = "memcpy of a page", Baseline = true)]
    public void Copy() => _pages[Next].CopyTo(_room, 0);
}
