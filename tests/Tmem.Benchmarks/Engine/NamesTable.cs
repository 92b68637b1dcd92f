using System.Diagnostics;
using System.Globalization;
using System.Text;
using Tmem.Benchmarks.Linux;
using Tmem.Engine;
using Tmem.Fuse.Filesystem;
using Tmem.Fuse.Native;
using Tmem.Fuse.Protocol;

namespace Tmem.Benchmarks.Engine;

/// <summary>
/// <c>names</c>: what files cost who takes up a region, as a worker's successor does: the engine's walk over their records, and
/// the recovery of the file system. In one directory and in a thousand, for a directory's names lie in a tree.
/// </summary>
internal static class NamesTable
{
    private const int Files = 1_000_000;
    private const int TakeOvers = 3;

    public static long Run(EngineBench bench)
    {
        Console.WriteLine(
            $"names: seconds to take up {Files} files, minimum / median of {TakeOvers} after one that is not counted");
        return TakeUp(bench, 1) + TakeUp(bench, 1000);
    }

    private static long TakeUp(EngineBench bench, int directories)
    {
        var verdict = new Verdict(Files);
        using var region = new Memfd();
        using (var engine = Open(region)) Fill(new TmemFileSystem(engine, engine.Client(new TmemClientId(1))), directories);
        var (walk, recovery) = (new Series(), new Series());
        long wrong = 0;
        for (var takeOver = -1; takeOver < TakeOvers; takeOver++)
        {
            var start = Stopwatch.GetTimestamp();
            using var engine = Open(region);
            var opened = Stopwatch.GetTimestamp();
            var files = new TmemFileSystem(engine, engine.Client(new TmemClientId(1)));
            var recovered = Stopwatch.GetTimestamp();
            if (takeOver >= 0) walk.Add(Stopwatch.GetElapsedTime(start, opened).TotalSeconds);
            if (takeOver >= 0) recovery.Add(Stopwatch.GetElapsedTime(opened, recovered).TotalSeconds);
            Check(files.GetFileSystem(NodeId.Root, out var figures));
            if (figures.Files - figures.Ffree != (ulong)(Files + directories + 2)) wrong++;
            if (takeOver == TakeOvers - 1) wrong += files.Verify().Count;
            bench.Check();
        }
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
            $"  in {directories,4} directories: walk {walk.Minimum:F3} / {walk.Median:F3} s, recovery {recovery.Minimum:F3} / "
            + $"{recovery.Median:F3} s"));
        verdict.Below($"seconds to recover {Files} files in {directories} directories", recovery.Median, Files * 1e-6);
        return wrong;
    }

    private static TmemEngine Open(Memfd region) => TmemEngine.Open(new EngineOptions
    {
        CapacityBytes = 1L << 30, RegionDescriptor = region.Duplicate(), CompactInBackground = false,
    });

    private static void Fill(TmemFileSystem files, int directories)
    {
        var caller = new Caller(0, 0, 1);
        Check(files.CreatePool("p", new PoolOptions(PoolFlags.Persistent), 0x1ED, out _));
        Check(files.Lookup(caller, NodeId.Root, "p"u8, out var pool));
        var nodes = new NodeId[directories];
        for (var i = 0; i < directories; i++)
        {
            Check(files.MakeDirectory(caller, new NodeId(pool.NodeId), Name("d", i), 0x1ED, out var made));
            nodes[i] = new NodeId(made.NodeId);
        }
        for (var i = 0; i < Files; i++)
        {
            Check(files.MakeNode(caller, nodes[i % directories], Name("file", i), 0x81A4, 0, out var made));
            files.Forget(caller, new NodeId(made.NodeId), 1);
        }
    }

    private static byte[] Name(string prefix, int number) => Encoding.UTF8.GetBytes($"{prefix}{number}");

    private static void Check(Errno error)
    {
        if (error != Errno.Ok) throw new BenchmarkException($"names: a file could not be made ({error}).");
    }
}
