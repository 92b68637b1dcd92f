using System.Runtime.InteropServices;
using Tmds.Linux;
using Tmem.Engine.Format;
using Tmem.Engine.Native;

namespace Tmem.Engine.Region;

/// <summary>
/// Makes the kernel hold the region's full spans in pages of 2 MiB (MADV_COLLAPSE, Linux 6.1), a block at a time, from the
/// compacting thread. A read of cold memory then misses a cache and no page table: 290 ns instead of 440 in a store of 8 GiB. A
/// later process maps the region in 1 ms a GiB and unmaps it in less, where pages of 4 KiB take 77 and 32: part of the pause
/// after a worker dies.
/// <para>The account stays exact to the page. Only a block whose memory is all present is taken, so nothing is added; a hole
/// punched later splits the block and gives back as much as ever. <see cref="SpanPool"/> punches nothing in the block being made,
/// because the kernel would fill the hole.</para>
/// <para>Cost: 0.6 to 5 ms of this thread for each block (a copy, and an interrupt for each page that was mapped). A thread that
/// touches the block meanwhile waits, typically 3 ms, at worst 28. So it is optional (<see cref="EngineOptions.HugePages"/>),
/// slow by design, and paused while the system has little memory, of which it needs 2 MiB in one piece.</para>
/// </summary>
internal sealed unsafe class HugeBlocks : IDisposable
{
    public const int BlockBytes = 2 << 20;

    /// <summary>The part of all memory that must be available: an eighth.</summary>
    private const int LeastAvailable = 8;

    private readonly RegionMemory _memory;
    private readonly SpanPool _spans;
    private readonly long _blocks;
    private readonly Lock _one = new();
    private byte* _isHuge;
    private long _making = -1;
    private long _next;
    private bool _isUnsupported;

    public HugeBlocks(RegionMemory memory, SpanPool spans)
    {
        _memory = memory;
        _spans = spans;
        _blocks = memory.Length / BlockBytes;
        _isHuge = (byte*)NativeMemory.AllocZeroed((nuint)_blocks);
        spans.Huge = this;
    }

    /// <summary>For tests: called while a block is held, before it is made.</summary>
    internal Action? WhileHeld { get; set; }

    /// <summary>Blocks made and not split since.</summary>
    public long Count
    {
        get
        {
            long count = 0;
            for (long block = 0; block < _blocks; block++) count += _isHuge[block];
            return count;
        }
    }

    /// <summary>Makes one more block huge; one thread at a time. False if there is none to make, or memory is short.</summary>
    public bool Step()
    {
        lock (_one) return MakeNext();
    }

    private bool MakeNext()
    {
        if (_isUnsupported || !HasSystemMemory()) return false;
        var used = Math.Min(_blocks, (long)_spans.PlaceOf((uint)_spans.HighWater) / BlockBytes);
        for (long tried = 0; tried < used; tried++)
        {
            var block = _next < used ? _next : 0;
            _next = block + 1;
            if (_isHuge[block] != 0 || !_spans.TryHold(this, block)) continue;
            WhileHeld?.Invoke();
            var made = _memory.TryCollapse(block * BlockBytes, BlockBytes, out _isUnsupported);
            _spans.LetGo(this, made);
            return made;
        }
        return false;
    }

    public void Dispose()
    {
        _spans.Huge = null;
        NativeMemory.Free(_isHuge);
        _isHuge = null;
    }

    // The members below are called under the span pool's latch.

    public void Begin(long block) => _making = block;

    public void End(bool isMade)
    {
        _isHuge[_making] = isMade ? (byte)1 : (byte)0;
        _making = -1;
    }

    /// <summary>Whether a span lies in the block being made: it may get no hole now.</summary>
    public bool Holds(long place) => _making >= 0 && place < (_making + 1) * BlockBytes
        && place + RegionLayout.SpanBytes > _making * BlockBytes;

    /// <summary>A span gets a hole.</summary>
    public void Break(long place)
    {
        for (var block = place / BlockBytes; block < _blocks && block * BlockBytes < place + RegionLayout.SpanBytes; block++)
            _isHuge[block] = 0;
    }

    internal static bool HasSystemMemory()
    {
        const int enough = 256;
        var text = stackalloc byte[enough];
        nint read;
        fixed (byte* path = "/proc/meminfo\0"u8)
        {
            var file = LibC.open(path, LibC.O_RDONLY | LibC.O_CLOEXEC);
            if (file < 0) return false;
            read = (nint)LibC.read(file, text, enough);
            SystemCalls.Close(file);
        }
        var lines = new ReadOnlySpan<byte>(text, (int)Math.Max(read, 0));
        return Figure(lines, "MemTotal:"u8) is var total and > 0 && Figure(lines, "MemAvailable:"u8) >= total / LeastAvailable;
    }

    private static long Figure(ReadOnlySpan<byte> lines, ReadOnlySpan<byte> name)
    {
        var at = lines.IndexOf(name);
        if (at < 0) return -1;
        var rest = lines[(at + name.Length)..].TrimStart((byte)' ');
        return System.Buffers.Text.Utf8Parser.TryParse(rest, out long figure, out _) ? figure : -1;
    }
}
