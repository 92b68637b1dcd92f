using System.Diagnostics;
using System.Text.Json.Nodes;
using Mono.Unix.Native;
using Xunit;

namespace Tmem.System.Tests.Support;

/// <summary>
/// One tmemd in a private folder with its own mount and socket. Dispose takes everything away again by its own ids, in the order
/// a user would and then, whatever is stuck by then, by force; it never leaves the next test a mount, a loop device or a process.
/// </summary>
internal sealed class Daemon : IDisposable
{
    private readonly Process _process;
    private readonly Collector _log;
    private readonly Collector _output;
    private readonly bool _ownsFolder;
    private string? _connection;

    /// <param name="folder">The daemon's own.</param>
    /// <param name="ownsFolder">Whether Dispose removes it.</param>
    /// <param name="arguments">All but mount and socket.</param>
    /// <param name="mount">The name by which the daemon is given its mount point.</param>
    /// <param name="settings">Given a file of settings, which names mount and socket, instead of options that do.</param>
    /// <param name="shell">What a shell does before it becomes the daemon, and that script's "$0"; the daemon's command line is
    /// "$@".</param>
    private Daemon(string folder, bool ownsFolder, string[] arguments, string? mount = null, string? settings = null,
        (string Script, string Argument)? shell = null)
    {
        (Folder, _ownsFolder) = (folder, ownsFolder);
        Directory.CreateDirectory(Mount);
        var info = new ProcessStartInfo(shell is null ? Built.Daemon : "sh")
        {
            RedirectStandardError = true, RedirectStandardOutput = true, RedirectStandardInput = true,
        };
        if (shell is var (script, argument))
            foreach (var word in new[] { "-c", script, argument, Built.Daemon }) info.ArgumentList.Add(word);
        string[] place = settings is null ? ["--mount", mount ?? Mount, "--socket", Socket] : ["--config", settings];
        foreach (var word in place.Concat(arguments))
            info.ArgumentList.Add(word);
        _process = Process.Start(info)!;
        _process.StandardInput.Close();
        _output = new Collector(_process.StandardOutput);
        _log = new Collector(_process.StandardError);
    }

    public string Folder { get; }

    public string Mount => Path.Combine(Folder, "mnt");

    public string Socket => Path.Combine(Folder, "sock");

    /// <summary>The process that was started: the keeper.</summary>
    public int Id => _process.Id;

    /// <summary>The process that serves now.</summary>
    public int Worker => (int)Figure("processes.workerPid");

    /// <summary>The file that the worker's program was copied from.</summary>
    public string Program =>
        JsonNode.Parse(Control("status", "--json").Succeeds().Output)!["processes"]!["program"]!.GetValue<string>();

    public bool IsAlive => !_process.HasExited;

    public int ExitCode => _process.ExitCode;

    /// <summary>Its standard output so far.</summary>
    public string Output => _output.Text();

    /// <summary>The keeper, the worker that serves, and the stand-by, once all are there.</summary>
    public int[] AwaitAll()
    {
        for (var tries = 0; ; tries++, Thread.Sleep(20))
        {
            int[] all = [(int)Figure("processes.keeperPid"), Worker, (int)Figure("processes.standbyPid")];
            if (!all.Contains(0)) return all;
            Assert.True(tries < 1000, $"nobody stands by\n{Log}");
        }
    }

    /// <summary>Its log so far.</summary>
    public string Log => _log.Text();

    /// <summary>Waits until the log has a text so often.</summary>
    public void AwaitLog(string text, int times = 1)
    {
        for (var tries = 0; Log.Split(text).Length <= times; tries++, Thread.Sleep(20))
            Assert.True(tries < 1000, $"the log has no '{text}'\n{Log}");
    }

    /// <summary>A new private folder for a daemon.</summary>
    public static string NewFolder() => Directory.CreateTempSubdirectory("tmem-test-").FullName;

    /// <summary>Starts a daemon and waits until it serves; a folder that is given outlives the daemon.</summary>
    public static Daemon Start(string capacity = "256M", string? folder = null, params string[] arguments)
    {
        Requires.Machine();
        return Await(new Daemon(folder ?? NewFolder(), folder is null, ["--capacity", capacity, .. arguments]), null);
    }

    /// <summary>The same from a file of settings in a folder, with the place of its mount and socket before the text.</summary>
    public static Daemon StartFrom(string folder, string settings, params string[] arguments)
    {
        Requires.Machine();
        return Await(new Daemon(folder, false, arguments, settings: WriteSettings(folder, settings)), null);
    }

    /// <summary>
    /// The same from all files of settings in a folder, which is the daemon's working directory; with something that a shell does
    /// before.
    /// </summary>
    public static Daemon StartFromDirectory(string folder, string before = "true")
    {
        Requires.Machine();
        return Await(new Daemon(folder, false, [], settings: ".",
            shell: ($"cd \"$0\" && {before} && exec \"$@\"", folder)), null);
    }

    /// <summary>Writes that file; returns its path. The text begins in its fourth line, below [store].</summary>
    public static string WriteSettings(string folder, string settings)
    {
        var file = Path.Combine(folder, "tmem.toml");
        File.WriteAllText(file, $"[store]\nmount = \"{folder}/mnt\"\nsocket = \"{folder}/sock\"\n{settings}");
        return file;
    }

    /// <summary>The same, with all memory of the daemon in a group.</summary>
    public static Daemon StartIn(MemoryGroup group, string capacity)
    {
        Requires.Machine();
        return Await(new Daemon(NewFolder(), true, ["--capacity", capacity],
            shell: ("echo $$ > \"$0\" && exec \"$@\"", Path.Combine(group.Folder, "cgroup.procs"))), null);
    }

    /// <summary>The same, with its mount point named by another path that leads there.</summary>
    public static Daemon StartAt(string mount, string capacity, string folder) =>
        Await(new Daemon(folder, false, ["--capacity", capacity], mount), null);

    /// <summary>The same, with its log in a file instead of <see cref="Log"/>.</summary>
    public static Daemon StartLoggingTo(string log, string capacity) =>
        Await(new Daemon(NewFolder(), true, ["--capacity", capacity], shell: ("exec \"$@\" 2>\"$0\"", log)), null);

    /// <summary>The same, after a shell script: the daemon's command line is "$@".</summary>
    public static Daemon StartBy(string script, string capacity = "64M") =>
        Await(new Daemon(NewFolder(), true, ["--capacity", capacity], shell: (script, "sh")), null);

    /// <summary>The same, with an action on the started process before it serves.</summary>
    public static Daemon StartWith(Action<int> meddle) => Await(new Daemon(NewFolder(), true, ["--capacity", "64M"]), meddle);

    private static Daemon Await(Daemon daemon, Action<int>? meddle)
    {
        try
        {
            meddle?.Invoke(daemon.Id);
            var watch = Stopwatch.StartNew();
            while (daemon.Control("status").Code != 0)
            {
                if (!daemon.IsAlive || watch.Elapsed.TotalSeconds > 30)
                    Assert.Fail($"tmemd did not get ready\n{daemon._log.Text(1)}");
                Thread.Sleep(20);
            }
            daemon._connection = FuseConnection.Of(daemon.Mount);
            return daemon;
        }
        catch
        {
            daemon.Dispose();
            throw;
        }
    }

    /// <summary>Runs tmemctl against this daemon.</summary>
    public Outcome Control(params string[] arguments) => Command.RunFor(60, Built.Control, ["--socket", Socket, .. arguments]);

    /// <summary>A number of <c>tmemctl status --json</c> by its path, such as store.usedBytes.</summary>
    public long Figure(string path) => FigureOf(Control("status", "--json"), path);

    private static long FigureOf(Outcome outcome, string path)
    {
        var status = outcome.Succeeds().Output;
        var found = path.Split('.').Aggregate(JsonNode.Parse(status), (node, name) => node?[name]);
        if (found is null) Assert.Fail($"status --json has no {path}:\n{status}");
        return found.GetValue<long>();
    }

    /// <summary>A pool made by mkdir, as a user of the mount makes it.</summary>
    public string Pool(string name)
    {
        var path = Path.Combine(Mount, name);
        Bounded.Run(() => Directory.CreateDirectory(path));
        return path;
    }

    /// <summary>Waits until so many dead workers have been replaced.</summary>
    public void AwaitRestarts(long restarts)
    {
        for (var tries = 0; ; tries++, Thread.Sleep(50))
        {
            // A worker that has accepted the question may die before it answers.
            var status = Control("status", "--json");
            if (status.Code == 0 && FigureOf(status, "processes.restarts") >= restarts) return;
            Assert.True(tries < 100, $"the worker was not replaced: {status.All}\n{Log}");
        }
    }

    /// <summary>Kills the worker, and waits until another one serves.</summary>
    public void KillWorker()
    {
        var restarts = Figure("processes.restarts");
        Syscall.kill(Worker, Signum.SIGKILL);
        AwaitRestarts(restarts + 1);
    }

    /// <summary>Upgrades to a copy of the program; returns the copy's path.</summary>
    public string UpgradeToCopy()
    {
        var copy = Path.Combine(Folder, "tmemd-next");
        File.Copy(Built.Daemon, copy);
        Control("upgrade", "--binary", copy).Succeeds();
        return copy;
    }

    /// <summary>Stops the keeper, as a debugger or a terminal does, until <see cref="Continue"/>.</summary>
    public void StopKeeper()
    {
        Signal(Signum.SIGSTOP);
        AwaitState(Id, 'T');
    }

    /// <summary>Continues the keeper.</summary>
    public void Continue() => Signal(Signum.SIGCONT);

    /// <summary>Waits until mount and processes are gone, whichever process was the keeper in the end.</summary>
    public void AwaitNothing()
    {
        for (var tries = 0; MachineState.Of(Folder).Length > 0; tries++)
        {
            Assert.True(tries < 200, $"left: {string.Join(", ", MachineState.Of(Folder))}\n{Log}");
            Thread.Sleep(50);
        }
    }

    /// <summary>Sends a signal.</summary>
    public void Signal(Signum signal) => Syscall.kill(Id, signal);

    /// <summary>Kills keeper and worker, so that neither replaces the other.</summary>
    public void KillBoth()
    {
        var worker = Worker;
        // The keeper first, and stopped: the other way round, the kernel continues a stopped worker whose parent dies.
        StopKeeper();
        Syscall.kill(worker, Signum.SIGKILL);
        AwaitState(worker, 'Z');
        Signal(Signum.SIGKILL);
        Assert.True(WaitForEnd(10));
    }

    /// <summary>
    /// Kills all its processes, as killall does, and returns when they are gone. They are stopped first: none is started
    /// meanwhile.
    /// </summary>
    public void KillAll()
    {
        int[] Stopped()
        {
            var all = MachineState.ProcessesOf(Folder);
            foreach (var process in all) Syscall.kill(process, Signum.SIGSTOP);
            return all;
        }
        var dead = Stopped();
        while (MachineState.ProcessesOf(Folder).Except(dead).Any()) dead = Stopped();
        foreach (var process in dead) Syscall.kill(process, Signum.SIGKILL);
        for (var tries = 0; MachineState.ProcessesOf(Folder).Intersect(dead).Any(); tries++, Thread.Sleep(1))
            Assert.True(tries < 30_000, $"processes that were killed stay\n{Log}");
    }

    /// <summary>The process that keeps now.</summary>
    public int Keeper => (int)Figure("processes.keeperPid");

    /// <summary>Waits for the process to end.</summary>
    public bool WaitForEnd(int seconds) => _process.WaitForExit(seconds * 1000);

    /// <summary>Stops it as a user would and asserts success.</summary>
    public void Stop()
    {
        Control("stop", "--force").Succeeds();
        Assert.True(WaitForEnd(30), $"tmemd did not end after stop\n{Log}");
        Assert.Equal(0, ExitCode);
    }

    public void Dispose()
    {
        if (MachineState.IsMounted(Mount))
        {
            // Pages that cannot be swapped in, because no process serves them, must not hold up later tests.
            if (MachineState.Loops().Any(l => Below(l.File)) && Control("swap", "off", "--force").Code != 0
                && _connection is not null) FuseConnection.Abort(_connection);
            Command.RunFor(20, Built.Control, "--socket", Socket, "stop", "--force");
            WaitForEnd(10);
        }
        foreach (var (device, _) in MachineState.Loops().Where(l => Below(l.File)))
        {
            if (MachineState.Swaps().Contains(device)) Command.Run("swapoff", device);
            Command.Run("losetup", "--detach", device);
        }
        if (IsAlive) Signal(Signum.SIGKILL);
        // A worker whose keeper is dead starts another: only an abort of the connection ends it for good.
        if (_connection is not null && MachineState.IsMounted(Mount)) FuseConnection.Abort(_connection);
        for (var tries = 0; MachineState.IsMounted(Mount) && tries < 4; tries++) Command.Run("umount", "--lazy", Mount);
        WaitForEnd(10);
        _process.Dispose();
        if (_ownsFolder && !MachineState.IsMounted(Mount)) Directory.Delete(Folder, recursive: true);
    }

    private bool Below(string file) => file.StartsWith(Mount + "/", StringComparison.Ordinal);

    /// <summary>Waits until every thread of a process is in a state of proc(5), or the process is gone.</summary>
    public static void AwaitState(int process, char state)
    {
        for (var tries = 0; tries < 200; tries++, Thread.Sleep(20))
        {
            try
            {
                if (Directory.EnumerateDirectories($"/proc/{process}/task")
                    .All(task => File.ReadAllText(task + "/stat").Split(") ")[1][0] == state)) return;
            }
            catch (IOException)
            {
                // A thread has ended meanwhile, or all have.
                if (!Directory.Exists($"/proc/{process}")) return;
            }
        }
        Assert.Fail($"process {process} is not in state {state}");
    }
}
