using System.Buffers.Binary;
using System.Globalization;
using Microsoft.Win32.SafeHandles;

namespace Tmem.Benchmarks.Corpus;

/// <summary>What part of a process's memory to read.</summary>
internal enum MemoryKind
{
    /// <summary>Heap, stack, anonymous and private writable memory: what a machine swaps.</summary>
    Private,
    /// <summary>Mapped programs and libraries, never written: what a machine would cache.</summary>
    Binary,
}

/// <summary>Reads the memory of another, stopped process page by page through /proc/PID/maps, pagemap and mem.</summary>
internal static class ProcessMemory
{
    private const int Page = PageFile.PageSize;
    private const ulong Present = 1UL << 63;

    /// <summary>Offers every resident page of that kind to the reservoir.</summary>
    public static void Read(int process, MemoryKind kind, Reservoir into)
    {
        using var memory = Open($"/proc/{process}/mem");
        using var map = Open($"/proc/{process}/pagemap");
        var page = new byte[Page];
        var entries = new byte[512 * 8];
        foreach (var (start, end) in File.ReadAllLines($"/proc/{process}/maps").Select(l => Range(l, kind))
            .Where(r => r.End > r.Start))
        {
            for (var at = start; at < end;)
            {
                var read = RandomAccess.Read(map, entries.AsSpan(0, (int)Math.Min(512, (end - at) / Page) * 8), at / Page * 8);
                if (read < 8) break;
                for (var entry = 0; entry + 8 <= read; entry += 8, at += Page)
                {
                    if ((BinaryPrimitives.ReadUInt64LittleEndian(entries.AsSpan(entry)) & Present) == 0) continue;
                    if (TryRead(memory, page, at)) into.Offer(page);
                }
            }
        }
    }

    // address perms offset dev inode path
    private static (long Start, long End) Range(string line, MemoryKind kind)
    {
        var fields = line.Split(' ', 6, StringSplitOptions.RemoveEmptyEntries);
        var path = fields.Length > 5 ? fields[5].Trim() : "";
        var (mode, inode) = (fields[1], fields[4]);
        var wanted = kind switch
        {
            MemoryKind.Private => mode is ['r', 'w', _, 'p'] && path is not ("[vvar]" or "[vdso]" or "[vsyscall]"),
            _ => inode != "0" && mode is ['r', '-', _, 'p'] && !path.EndsWith("(deleted)", StringComparison.Ordinal),
        };
        if (!wanted) return (0, 0);
        var dash = fields[0].IndexOf('-');
        return (Address(fields[0].AsSpan(0, dash)), Address(fields[0].AsSpan(dash + 1)));
    }

    private static long Address(ReadOnlySpan<char> hex) => long.Parse(hex, NumberStyles.HexNumber, CultureInfo.InvariantCulture);

    private static bool TryRead(SafeFileHandle memory, byte[] page, long at)
    {
        try
        {
            return RandomAccess.Read(memory, page, at) == Page;
        }
        catch (IOException)
        {
            // A device or guard mapping that cannot be read through mem.
            return false;
        }
    }

    private static SafeFileHandle Open(string path)
    {
        try
        {
            return File.OpenHandle(path, share: FileShare.ReadWrite);
        }
        catch (UnauthorizedAccessException)
        {
            throw new BenchmarkException($"{path} may not be read; run as root.");
        }
    }
}
