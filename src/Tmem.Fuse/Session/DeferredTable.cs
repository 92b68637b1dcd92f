using System.Globalization;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Tmem.Fuse.Native;
using Tmem.Fuse.Protocol;

namespace Tmem.Fuse.Session;

/// <summary>A deferred reply: all that is left of a request that has been carried out.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct DeferredReply
{
    public const int Nobody = -1;

    /// <summary>The request's number, which the reply must carry; 0: the entry is free.</summary>
    public ulong Unique;
    public ulong Node;
    public ulong Offset;
    public uint Length;
    /// <summary>The next entry of its queue, or of the free list; only the serving process follows it.</summary>
    public int Next;
    /// <summary>The descriptor that the request was read through: the kernel accepts the reply through no other.</summary>
    public byte Device;
    public DeferralKind Kind;
    /// <summary>What its latency is counted as.</summary>
    public RequestKind Measured;
    /// <summary>When the request began: the low bits of a clock of microseconds; 0 if it is not measured.</summary>
    public uint Begun;

    public readonly Deferral Deferral => new(Kind, new NodeId(Node), Offset, Length);
}

/// <summary>
/// The deferred replies, in the memory that holds the requests too, so that a successor finds the replies that its predecessor
/// owed.
/// <para>
/// It has room for as many as there can be: a request waits for its reply in a thread of its own, of a client or of the kernel,
/// and the kernel has at most <c>kernel.threads-max</c>. An entry takes 40 bytes, such a thread 20 KiB and more of the kernel.
/// The first few thousand are present from the start; the others take memory when they are first used, as the region does, and no
/// more than the highest number that ever waited at once.
/// </para>
/// One thread at a time.
/// </summary>
internal sealed unsafe class DeferredTable : IDisposable
{
    /// <summary>Bytes of entries that are present from the start: some 6500 entries.</summary>
    private const int ReadyBytes = 256 << 10;
    private const int FewestEntries = ReadyBytes / 40;
    private const int MostEntries = 4 << 20;
    private const int MostInBackground = 256;
    private const int PageSize = 4096;

    private readonly byte* _base;
    private readonly nuint _mapped;
    private int _free = DeferredReply.Nobody;

    /// <summary>Maps the table of a memory file.</summary>
    /// <param name="file">The file; the table is its end.</param>
    /// <param name="offset">Where the table begins; it has <see cref="Bytes"/>.</param>
    /// <exception cref="StartupException">No memory.</exception>
    public DeferredTable(int file, long offset)
    {
        var bytes = Libc.lseek(file, 0, Libc.SEEK_END) - offset;
        _mapped = (nuint)bytes;
        // A mapping without access is not populated, even if locked: the first pages are touched here, the others when they are
        // used.
        var address = Libc.mmap(null, _mapped, 0, Libc.MAP_SHARED, file, (nint)offset);
        if ((nint)address == -1 || Libc.mprotect(address, _mapped, Libc.PROT_READ | Libc.PROT_WRITE) != 0)
            throw new StartupException($"No memory for the table of answers that wait: {Libc.Describe(Libc.LastError)}.");
        _base = (byte*)address;
        Capacity = (int)((bytes - PageSize) / sizeof(DeferredReply));
        for (nuint at = 0; at < Math.Min(_mapped, PageSize + ReadyBytes); at += PageSize) _ = Volatile.Read(ref _base[at]);
        for (var entry = Used - 1; entry >= 0; entry--)
            if (this[entry].Unique == 0) PutBack(entry);
    }

    public int Capacity { get; }

    /// <summary>Bytes of a table in a file on this machine; memory only as far as it is used.</summary>
    public static long Bytes()
    {
        var threads = FewestEntries;
        try
        {
            threads = int.Parse(File.ReadAllText("/proc/sys/kernel/threads-max"), CultureInfo.InvariantCulture);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or FormatException or OverflowException)
        {
            // A machine that does not tell gets the minimum.
        }
        // Background requests, such as direct writes, have no waiting thread; an administrator may allow more of them.
        var entries = Math.Clamp(threads, FewestEntries, MostEntries) + MostInBackground;
        return PageSize + (((long)entries * sizeof(DeferredReply) + PageSize - 1) & -PageSize);
    }

    public ref DeferredReply this[int entry] =>
        ref Unsafe.AsRef<DeferredReply>(_base + PageSize + (nint)entry * sizeof(DeferredReply));

    /// <summary>The latencies of requests whose replies were deferred.</summary>
    public ref Latencies Latencies => ref Latencies.In(new Span<byte>(_base, PageSize));

    /// <summary>The number of entries ever used: a successor looks no further.</summary>
    private ref int Used => ref Unsafe.AsRef<int>(_base);

    /// <summary>Notes a reply. False if the table is full.</summary>
    public bool TryAdd(ulong unique, int device, in Deferral deferral, out int entry, RequestKind measured = default,
        uint begun = 0)
    {
        entry = _free;
        if (entry != DeferredReply.Nobody) _free = this[entry].Next;
        else if (Used < Capacity) entry = Used++;
        else return false;
        ref var reply = ref this[entry];
        reply.Node = deferral.Node.Value;
        reply.Offset = deferral.Offset;
        reply.Length = deferral.Length;
        reply.Next = DeferredReply.Nobody;
        reply.Device = (byte)device;
        reply.Kind = deferral.Kind;
        reply.Measured = measured;
        reply.Begun = begun;
        // Last: it makes the entry valid.
        Volatile.Write(ref reply.Unique, unique);
        return true;
    }

    /// <summary>Frees an entry: the reply has been sent, or is no longer needed.</summary>
    public void Remove(int entry)
    {
        Volatile.Write(ref this[entry].Unique, 0);
        PutBack(entry);
    }

    /// <summary>Whether a reply to the request is noted.</summary>
    public bool Contains(ulong unique)
    {
        for (var entry = 0; entry < Used; entry++)
            if (this[entry].Unique == unique) return true;
        return false;
    }

    /// <summary>The next entry in use from here on, or <see cref="DeferredReply.Nobody"/>.</summary>
    public int NextInUse(int entry)
    {
        for (; entry < Used; entry++)
            if (this[entry].Unique != 0) return entry;
        return DeferredReply.Nobody;
    }

    /// <inheritdoc/>
    public void Dispose() => _ = Libc.munmap(_base, _mapped);

    private void PutBack(int entry)
    {
        this[entry].Next = _free;
        _free = entry;
    }
}
