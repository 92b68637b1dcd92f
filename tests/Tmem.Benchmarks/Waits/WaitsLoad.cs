using System.CommandLine;
using System.Globalization;
using System.Runtime.InteropServices;
using Tmem.Benchmarks.Linux;

namespace Tmem.Benchmarks.Waits;

/// <summary>How much of everything a load uses.</summary>
/// <param name="Folder">Where: a directory of the user's.</param>
/// <param name="Callers">Threads.</param>
/// <param name="Bytes">Size of large files.</param>
/// <param name="Names">Files of the large directory.</param>
internal sealed record LoadSizes(string Folder, int Callers, long Bytes, int Names);

/// <summary>Something that another user does beside the client.</summary>
internal abstract class Load(LoadSizes sizes)
{
    protected LoadSizes Sizes { get; } = sizes;

    /// <summary>What is needed first; not measured.</summary>
    public virtual void Prepare() { }

    /// <summary>
    /// One call, or a few; repeated by each caller until the measurement ends, or made once if <see cref="Once"/>.
    /// </summary>
    public abstract void Act(int caller);

    /// <summary>Whether it has an end of its own, which ends the measurement.</summary>
    public virtual bool Once => false;

    /// <summary>Takes away what it made.</summary>
    public virtual void Clean() { }

    /// <summary>A path in the user's directory.</summary>
    protected string At(string name) => Path.Combine(Sizes.Folder, name);

    protected static int Opened(string path, int flags)
    {
        var descriptor = Native.open(path, flags | Tmds.Linux.LibC.O_CLOEXEC, 0x180); // 0600
        return descriptor >= 0 ? descriptor : throw Failed("open", path);
    }

    /// <summary>Ends the load unless the call went well.</summary>
    protected static void Must(long answer, string what)
    {
        if (answer < 0) throw Failed(what, "");
    }

    private static BenchmarkException Failed(string what, string path) =>
        new($"{what} {path}: {Marshal.GetLastPInvokeErrorMessage()}");
}

/// <summary><c>waits-load</c>: a load as a program of its own and, unless told otherwise, as an ordinary user's.</summary>
internal static unsafe class WaitsLoad
{
    private static readonly Dictionary<string, Func<LoadSizes, Load>> s_kinds = new()
    {
        ["compute"] = sizes => new ComputeLoad(sizes),
        ["seek"] = sizes => new SeekLoad(sizes),
        ["truncate"] = sizes => new TruncateLoad(sizes),
        ["punch"] = sizes => new PunchLoad(sizes),
        ["remove"] = sizes => new RemoveLoad(sizes),
        ["sync"] = sizes => new SyncLoad(sizes),
        ["attributes"] = sizes => new AttributeLoad(sizes),
        ["names"] = sizes => new NamesLoad(sizes),
        ["make"] = sizes => new MakeLoad(sizes),
        ["list"] = sizes => new ListLoad(sizes),
        ["backwards"] = sizes => new BackwardsLoad(sizes),
    };

    public static Command Create()
    {
        var kind = new Argument<string>("KIND") { Description = string.Join(' ', s_kinds.Keys) };
        var folder = Options.With("--folder", "", "A directory of that user's.");
        var callers = Options.With("--callers", 8, "Threads.");
        var bytes = Options.Size("--bytes", 4L << 30, "Size of large files.");
        var names = Options.With("--names", 1_000_000, "Files of the large directory.");
        var user = Options.With("--user", 65534u, "Whose process it becomes.");
        var command = new Command("waits-load", "Prepares, says ready, and acts from a line on the input to the next.") { kind,
            folder, callers, bytes, names, user };
        command.SetAction(parse =>
        {
            var id = parse.GetValue(user);
            if (id != 0
                && (Native.setgroups(0, null) != 0 || Native.setresgid(id, id, id) != 0 || Native.setresuid(id, id, id) != 0))
                throw new BenchmarkException($"cannot become user {id}: {Marshal.GetLastPInvokeErrorMessage()}; run as root.");
            var sizes = new LoadSizes(parse.GetValue(folder)!, parse.GetValue(callers), parse.GetValue(bytes),
                parse.GetValue(names));
            if (!s_kinds.TryGetValue(parse.GetValue(kind)!, out var make))
                throw new UsageException($"no load '{parse.GetValue(kind)}'.");
            return Run(make(sizes), sizes.Callers);
        });
        return command;
    }

    private static int Run(Load load, int callers)
    {
        load.Prepare();
        Console.WriteLine("ready");
        if (Console.ReadLine() is null) return 1;
        var ends = false;
        var calls = 0L;
        string? failure = null;
        var threads = Enumerable.Range(0, callers).Select(caller => new Thread(() =>
        {
            try
            {
                do
                {
                    load.Act(caller);
                    Interlocked.Increment(ref calls);
                }
                while (!load.Once && !Volatile.Read(ref ends));
            }
            catch (BenchmarkException error)
            {
                failure = error.Message;
            }
        }) { IsBackground = true }).ToList();
        threads.ForEach(thread => thread.Start());
        if (load.Once) threads.ForEach(thread => thread.Join());
        Console.WriteLine(load.Once ? "done" : "begun");
        _ = Console.ReadLine();
        Volatile.Write(ref ends, true);
        threads.ForEach(thread => thread.Join());
        load.Clean();
        Console.WriteLine(failure is null ? string.Create(CultureInfo.InvariantCulture, $"{calls} calls") : "failed: " + failure);
        return failure is null ? 0 : 1;
    }
}
