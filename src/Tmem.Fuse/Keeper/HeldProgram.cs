using Tmem.Fuse.Native;

namespace Tmem.Fuse.Keeper;

/// <summary>A mapping of the next worker's program: this process's mappings are locked.</summary>
internal sealed unsafe class HeldProgram
{
    private void* _start;
    private nuint _bytes;

    /// <summary>Maps this program and unmaps the previous one.</summary>
    public void Become(int program)
    {
        if (_start != null) _ = Libc.munmap(_start, _bytes);
        _bytes = (nuint)Math.Max(0, Libc.lseek(program, 0, Libc.SEEK_END));
        _start = Libc.mmap(null, _bytes, Libc.PROT_READ, Libc.MAP_SHARED, program, 0);
        if ((nint)_start == -1) _start = null;
    }
}
