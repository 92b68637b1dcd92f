using Tmem.Benchmarks.Linux;

namespace Tmem.Benchmarks;

/// <summary>A corpus loaded into anonymous memory: whole 4 KiB pages, without names or order.</summary>
internal sealed unsafe class PageFile : IDisposable
{
    public const int PageSize = 4096;
    private readonly AnonymousMemory _memory;

    private PageFile(AnonymousMemory memory, int count) => (_memory, Count) = (memory, count);

    /// <summary>Pages held.</summary>
    public int Count { get; }

    /// <summary>The page of that number, below <see cref="Count"/>.</summary>
    public ReadOnlySpan<byte> this[int number] => new(_memory.Page(number), PageSize);

    /// <summary>The address of a page.</summary>
    public byte* Pointer(int number) => _memory.Page(number);

    /// <summary>
    /// Loads a file of pages, the first <paramref name="most"/> of them (0: all); refuses one that is missing, empty or not whole
    /// pages.
    /// </summary>
    public static PageFile Load(string path, int most = 0)
    {
        var file = new FileInfo(path);
        if (!file.Exists) throw new BenchmarkException($"no corpus at {path}; make one with scripts/corpus.");
        if (file.Length == 0 || file.Length % PageSize != 0)
            throw new BenchmarkException(
                $"{path} is {file.Length} bytes, not whole 4 KiB pages; make it anew with scripts/corpus --fresh.");
        var bytes = most > 0 ? Math.Min(file.Length, (long)most * PageSize) : file.Length;
        var memory = new AnonymousMemory(bytes);
        using var handle = File.OpenHandle(path);
        for (long done = 0; done < bytes;)
        {
            var part = (int)Math.Min(1 << 20, bytes - done);
            var read = RandomAccess.Read(handle, new Span<byte>(memory.Page(0) + done, part), done);
            if (read == 0) throw new BenchmarkException($"{path} became shorter while it was read.");
            done += read;
        }
        return new PageFile(memory, (int)(bytes / PageSize));
    }

    public void Dispose() => _memory.Dispose();
}
