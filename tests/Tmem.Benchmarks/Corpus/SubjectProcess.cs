using System.Diagnostics;
using Tmem.Benchmarks.Linux;

namespace Tmem.Benchmarks.Corpus;

/// <summary>
/// A process we started whose memory becomes part of the corpus: let run until it holds enough, stopped, read, killed.
/// </summary>
internal sealed class SubjectProcess : IDisposable
{
    private readonly Child _child;
    private readonly int _id;

    private SubjectProcess(Child child, int id) => (_child, _id) = (child, id);

    /// <summary>
    /// Starts a program that prints its process id once it holds its data, and then waits for its input to end.
    /// </summary>
    public static SubjectProcess StartUntilItReports(string program, params string[] arguments)
    {
        var child = Child.Start(program, arguments);
        var line = child.Process.StandardOutput.ReadLineAsync();
        if (line.Wait(TimeSpan.FromSeconds(60)) && int.TryParse(line.Result, out var id)) return new SubjectProcess(child, id);
        child.Dispose();
        throw new BenchmarkException($"{program} did not get its data ready within a minute.");
    }

    /// <summary>
    /// Starts a program that never reports, and waits until it holds that much memory (or half a minute has passed).
    /// </summary>
    public static SubjectProcess StartUntilItHolds(long bytes, string program, params string[] arguments)
    {
        var child = Child.Start(program, arguments);
        var watch = Stopwatch.StartNew();
        while (ProcessTimes.StatusBytes(child.Process.Id.ToString(), "VmRSS") < bytes && watch.Elapsed.TotalSeconds < 30)
        {
            if (child.Process.HasExited)
            {
                child.Dispose();
                throw new BenchmarkException($"{program} ended before it held {bytes} bytes of memory.");
            }
            Thread.Sleep(5);
        }
        return new SubjectProcess(child, child.Process.Id);
    }

    /// <summary>Starts a program that keeps what it is fed, and feeds it.</summary>
    public static SubjectProcess StartAndFeed(IEnumerable<byte[]> texts, string program, params string[] arguments)
    {
        var child = Child.Start(program, arguments);
        var input = child.Process.StandardInput.BaseStream;
        foreach (var text in texts) input.Write(text);
        input.Flush();
        // At most a pipe's 64 KiB are still under way, and nobody tells when they have arrived.
        Thread.Sleep(100);
        return new SubjectProcess(child, child.Process.Id);
    }

    /// <summary>Stops the process; its memory stands still from then on.</summary>
    public int Freeze()
    {
        if (Native.kill(_id, Native.SigStop) != 0)
            throw new BenchmarkException($"process {_id} ended before its memory was read.");
        for (var tries = 0; tries < 500; tries++)
        {
            if (File.ReadAllText($"/proc/{_id}/stat").Contains(") T ", StringComparison.Ordinal)) break;
            Thread.Sleep(2);
        }
        return _id;
    }

    public void Dispose() => _child.Dispose();
}
