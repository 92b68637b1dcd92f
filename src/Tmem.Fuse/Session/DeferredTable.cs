using System.Globalization;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Tmem.Fuse.Native;
using Tmem.Fuse.Protocol;

namespace Tmem.Fuse.Session;

/// <summary>An answer that waits: all that is left of a request that has been carried out.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct DeferredReply
{
    public const int Nobody = -1;

    /// <summary>The request's number, under which the kernel waits for the answer; 0: the entry is free.</summary>
    public ulong Unique;
    public ulong Node;
    public ulong Offset;
    public uint Length;
    /// <summary>The next in its queue, or of the free ones; only the process that serves follows it.</summary>
    public int Next;
    /// <summary>The descriptor that the request was read through: the kernel takes the answer through no other.</summary>
    public byte Device;
    public DeferralKind Kind;

    public readonly Deferral Deferral => new(Kind, new NodeId(Node), Offset, Length);
}

/// <summary>
/// The answers that wait, in the memory that holds the requests too, so that a successor finds what its predecessor owed.
/// <para>
/// As many as there can be: a request waits for its answer in a thread of its own, of a client or of the kernel, and the kernel
/// has no more than <c>kernel.threads-max</c>. An entry has 40 bytes where such a thread takes the kernel 20 KiB and more. The
/// first few thousand are there from the start; the others take memory when they are first used, as the region does, and no more
/// than the highest number that ever waited at once.
/// </para>
/// One thread at a time.
/// </summary>
internal sealed unsafe class DeferredTable : IDisposable
{
    /// <summary>Bytes of entries that are there from the start: some 6500.</summary>
    private const int ReadyBytes = 256 << 10;
    private const int FewestEntries = ReadyBytes / 40;
    private const int MostEntries = 4 << 20;
    private const int MostInBackground = 256;
    private const int PageSize = 4096;

    private readonly byte* _base;
    private readonly nuint _mapped;
    private int _free = DeferredReply.Nobody;

    /// <summary>Maps the table of a memory file.</summary>
    /// <param name="file">The file, which ends with it.</param>
    /// <param name="offset">Where it begins; <see cref="Bytes"/> follow there.</param>
    /// <exception cref="StartupException">No memory.</exception>
    public DeferredTable(int file, long offset)
    {
        var bytes = Libc.lseek(file, 0, Libc.SEEK_END) - offset;
        _mapped = (nuint)bytes;
        // Without access a mapping is not populated, whatever is locked: the pages that are needed are touched here, the others
        // when they are.
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

    /// <summary>What a table takes of a file on this machine; memory only as far as it is used.</summary>
    public static long Bytes()
    {
        var threads = FewestEntries;
        try
        {
            threads = int.Parse(File.ReadAllText("/proc/sys/kernel/threads-max"), CultureInfo.InvariantCulture);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or FormatException or OverflowException)
        {
            // A machine that does not tell gets the least.
        }
        // Requests in the background, direct writes say, have no thread that waits; an administrator may allow more of them.
        var entries = Math.Clamp(threads, FewestEntries, MostEntries) + MostInBackground;
        return PageSize + (((long)entries * sizeof(DeferredReply) + PageSize - 1) & -PageSize);
    }

    public ref DeferredReply this[int entry] =>
        ref Unsafe.AsRef<DeferredReply>(_base + PageSize + (nint)entry * sizeof(DeferredReply));

    /// <summary>The entries that have ever been used: a successor looks no further.</summary>
    private ref int Used => ref Unsafe.AsRef<int>(_base);

    /// <summary>Notes an answer. False if there is no entry left.</summary>
    public bool TryAdd(ulong unique, int device, in Deferral deferral, out int entry)
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
        // Last: with it the entry counts.
        Volatile.Write(ref reply.Unique, unique);
        return true;
    }

    /// <summary>The answer is out, or nobody waits for it any more.</summary>
    public void Remove(int entry)
    {
        Volatile.Write(ref this[entry].Unique, 0);
        PutBack(entry);
    }

    /// <summary>Whether an answer to the request is noted.</summary>
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
