using System.CommandLine;
using System.Diagnostics;
using System.Text.Json;
using System.Text.Json.Serialization;
using Tmem.Benchmarks.Linux;

namespace Tmem.Benchmarks.Waits;

/// <summary>What the client waited for between two lines, in microseconds.</summary>
/// <param name="Calls">How many calls it made.</param>
/// <param name="Median">Half of them took no longer.</param>
/// <param name="P999">All but one in a thousand took no longer.</param>
/// <param name="Longest">The longest.</param>
internal sealed record Waited(long Calls, double Median, double P999, double Longest)
{
    /// <summary>The longest that the machine kept a <see cref="Pulse"/> waiting meanwhile, in milliseconds.</summary>
    public double Machine { get; init; }
}

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase)]
[JsonSerializable(typeof(Waited))]
internal sealed partial class WaitedJson : JsonSerializerContext;

/// <summary>
/// <c>waits-client</c>: what a swap device does to its file, without swap: 4 KiB at random places, read and written in turn,
/// O_DIRECT, one after the other without a pause. A process of its own, so that nothing the bench does beside it stops its
/// thread; while it measures it allocates nothing.
/// </summary>
internal static unsafe class WaitsClient
{
    private const int MostCalls = 8 << 20;
    private const long Page = PageFile.PageSize;

    public static Command Create()
    {
        var file = Options.With("--file", "", "The file, made and filled by it.");
        var bytes = Options.Size("--bytes", 256 << 20, "The file's size.");
        var paced = Options.With("--paced", false, "A millisecond's pause after each call.");
        var command = new Command("waits-client",
            "Reads and writes 4 KiB at random places. Each line on the input begins or ends a measurement.") { file, bytes,
                paced };
        command.SetAction(parse => Run(parse.GetValue(file)!, parse.GetValue(bytes), parse.GetValue(paced)));
        return command;
    }

    private static int Run(string path, long bytes, bool paced)
    {
        using (File.Create(path)) File.SetUnixFileMode(path, UnixFileMode.UserRead | UnixFileMode.UserWrite);
        using var file = new DirectFile(path);
        using var memory = new AnonymousMemory(4 << 20);
        Fill(file, memory, bytes);
        var waits = new uint[MostCalls];
        using var begin = new AutoResetEvent(false);
        using var ended = new AutoResetEvent(false);
        var state = new State();
        new Thread(() =>
        {
            while (true)
            {
                begin.WaitOne();
                Measure(file, memory.Page(0), bytes / Page, waits, state, paced);
                ended.Set();
            }
        }) { IsBackground = true }.Start();
        Console.WriteLine("ready");
        while (Console.ReadLine() is not null)
        {
            state.Ends = false;
            begin.Set();
            if (Console.ReadLine() is null) break;
            state.Ends = true;
            ended.WaitOne();
            Console.WriteLine(JsonSerializer.Serialize(Summary(waits, state.Calls), WaitedJson.Default.Waited));
        }
        return 0;
    }

    private static void Fill(DirectFile file, AnonymousMemory memory, long bytes)
    {
        // Half of each page is noise: it shrinks to about half, as pages of memory do.
        var random = new Random(1);
        var page = new Span<byte>(memory.Page(0), (int)Page);
        for (long at = 0; at < bytes; at += Page)
        {
            random.NextBytes(page[..2048]);
            file.Write(memory.Page(0), at);
        }
    }

    private static void Measure(DirectFile file, byte* page, long pages, uint[] waits, State state, bool paced)
    {
        ulong random = 88172645463325252;
        var call = 0;
        for (; !state.Ends && call < MostCalls; call++)
        {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            var at = (long)(random % (ulong)pages) * Page;
            var start = Stopwatch.GetTimestamp();
            if ((call & 1) == 0) file.Read(page, at);
            else file.Write(page, at);
            waits[call] = (uint)Math.Min(Stopwatch.GetElapsedTime(start).Ticks / 10, uint.MaxValue);
            if (paced) Thread.Sleep(1);
        }
        state.Calls = call;
    }

    private static Waited Summary(uint[] waits, int calls)
    {
        if (calls == 0) return new Waited(0, 0, 0, 0);
        var sorted = waits[..calls];
        Array.Sort(sorted);
        return new Waited(calls, sorted[calls / 2], sorted[(int)Math.Min(calls - 1, calls * 0.999)], sorted[^1]);
    }

    private sealed class State
    {
        public volatile bool Ends;
        public volatile int Calls;
    }
}
