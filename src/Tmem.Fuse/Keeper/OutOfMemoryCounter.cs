using System.Buffers.Text;
using Tmem.Fuse.Native;

namespace Tmem.Fuse.Keeper;

/// <summary>How often the kernel's out-of-memory killer has struck.</summary>
internal readonly unsafe struct OutOfMemoryCounter
{
    private readonly int _file;

    /// <param name="file">The kernel's counter of kills in a memory group; null for the whole machine's.</param>
    public OutOfMemoryCounter(string? file) =>
        _file = Libc.open(file ?? "/proc/vmstat", NativeProcess.O_RDONLY | Libc.O_CLOEXEC);

    /// <summary>The count so far; 0 if the file does not say, -1 if there is none. Allocates nothing.</summary>
    public long Read()
    {
        if (_file < 0) return -1;
        const int room = 16 << 10;
        Span<byte> text = stackalloc byte[room];
        nint length;
        fixed (byte* start = text) length = NativeProcess.pread(_file, start, room, 0);
        if (length <= 0) return 0;
        var key = "\noom_kill "u8;
        var at = text[..(int)length].IndexOf(key);
        if (at < 0) return 0;
        return Utf8Parser.TryParse(text[(at + key.Length)..(int)length], out long kills, out _) ? kills : 0;
    }
}
