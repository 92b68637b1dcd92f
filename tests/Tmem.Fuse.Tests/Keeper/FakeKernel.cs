using System.Text;
using Tmem.Fuse.Keeper;
using Tmem.Fuse.Native;

namespace Tmem.Fuse.Tests.Keeper;

/// <summary>A process of a <see cref="FakeKernel"/>: the test decides what it says and how it ends.</summary>
internal sealed class FakeProcess(int number, Role role, int program)
{
    public int Number { get; } = number;
    public Role Role { get; } = role;
    public int Program { get; } = program;

    /// <summary>What it has said and the keeper has not read yet.</summary>
    public Queue<(LinkMessage Message, WorkerSettings Wish)> Says { get; } = [];

    /// <summary>What the keeper has said to it.</summary>
    public List<LinkMessage> Told { get; } = [];

    /// <summary>What the keeper has sent it.</summary>
    public List<int> Signals { get; } = [];

    public WorkerDeath? Death { get; private set; }
    public bool IsReaped { get; set; }
    public bool HasEnded => Death is not null;

    public void Say(LinkMessage message, int descriptor = -1) =>
        Says.Enqueue((message, new WorkerSettings { Program = descriptor }));

    public void Wish(WorkerSettings wish) => Says.Enqueue((LinkMessage.Upgrade, wish));

    /// <summary>Ends with an exit code.</summary>
    public void Ends(int code) => Death ??= new WorkerDeath { Process = Number, Number = code };

    public void DiesBy(int signal) => Death ??= new WorkerDeath { Process = Number, Number = signal, BySignal = 1 };

    public override string ToString() => $"{Role} {Number}";
}

/// <summary>
/// The keeper's kernel: no process, no descriptor, no time but the test's own. Records the keeper's actions in a list.
/// </summary>
internal sealed class FakeKernel
{
    public const int FirstProcess = 101, Program = 50, Device = 20, Listener = 9;
    private int _nextDescriptor = 200;

    public long Now { get; set; } = 1_000_000;
    public Queue<int> Signals { get; } = [];
    public List<FakeProcess> Processes { get; } = [];
    public List<string> Acts { get; } = [];
    public List<string> Log { get; } = [];
    public List<int> Closed { get; } = [];
    public int Patience { get; set; }
    public long Kills { get; set; }

    /// <summary>What a supervisor has been told, one message a line; null if there is none.</summary>
    public List<string>? Told { get; set; }

    /// <summary>Whether the supervisor takes messages now.</summary>
    public bool IsHeard { get; set; } = true;

    public long Watchdog { get; set; }

    /// <summary>The outcome of starting a process.</summary>
    public Errno StartError { get; set; }

    /// <summary>The outcome of cloning a device.</summary>
    public Errno CloneError { get; set; }

    /// <summary>Plays a process whose end the keeper waits for.</summary>
    public Action<FakeProcess> Awaited { get; set; } = process => process.DiesBy(NativeProcess.SIGKILL);

    public FakeSystem System => new(this);

    public FakeProcess Of(in Watched process) => Processes[process.Process - FirstProcess];

    /// <summary>The keeper's actions since the last call.</summary>
    public string[] Take()
    {
        string[] acts = [.. Acts];
        Acts.Clear();
        return acts;
    }

    public FakeProcess Add(Role role, int program)
    {
        var process = new FakeProcess(FirstProcess + Processes.Count, role, program);
        Processes.Add(process);
        return process;
    }

    public int NextDescriptor() => _nextDescriptor++;
}

/// <summary>The keeper's interface to a <see cref="FakeKernel"/>.</summary>
internal readonly struct FakeSystem(FakeKernel kernel) : IKeeperSystem
{
    public long Now => kernel.Now;

    public void Wait(ReadOnlySpan<Watched> family, int milliseconds) => kernel.Patience = milliseconds;

    public bool IsSupervised => kernel.Told is not null;

    public long Watchdog => kernel.Watchdog;

    public bool TryTell(KeeperLine message, int descriptor)
    {
        if (!kernel.IsHeard) return false;
        kernel.Told!.Add(Encoding.UTF8.GetString(message.Text).Replace('\n', ' ') + (descriptor < 0 ? "" : $": {descriptor}"));
        return true;
    }

    public int ReadSignal() => kernel.Signals.TryDequeue(out var signal) ? signal : 0;

    public Errno TryStart(Role role, int program, out Watched started)
    {
        started = default;
        if (kernel.StartError != Errno.Ok) return kernel.StartError;
        var process = kernel.Add(role, program);
        kernel.Acts.Add($"start {process} of {program}");
        started = new Watched { Process = process.Number };
        return Errno.Ok;
    }

    public Errno TryWatch(int process, Link line, out Watched watched)
    {
        watched = default;
        if (kernel.Processes.All(known => known.Number != process)) return Errno.ESRCH;
        watched = new Watched { Process = process, Line = line };
        return Errno.Ok;
    }

    public LinkMessage Receive(in Watched process, ref WorkerSettings wish)
    {
        var sender = kernel.Of(in process);
        if (!sender.Says.TryDequeue(out var said)) return sender.HasEnded ? LinkMessage.Closed : LinkMessage.None;
        wish = said.Wish;
        return said.Message;
    }

    public void Send(in Watched process, LinkMessage message, int descriptor)
    {
        kernel.Acts.Add($"tell {process.Process} {message}" + (descriptor >= 0 ? $" {descriptor}" : ""));
        kernel.Of(in process).Told.Add(message);
    }

    public void Kill(in Watched process, int signal)
    {
        kernel.Acts.Add($"kill {process.Process} {signal}");
        kernel.Of(in process).Signals.Add(signal);
        if (signal == NativeProcess.SIGKILL) kernel.Awaited(kernel.Of(in process));
    }

    public void StepForward(in Watched process) { }

    public bool HasEnded(in Watched process) => kernel.Of(in process).HasEnded;

    public bool TryReap(in Watched process, out WorkerDeath death)
    {
        var dead = kernel.Of(in process);
        death = dead.Death ?? default;
        if (!dead.HasEnded) return false;
        if (dead.IsReaped) throw new InvalidOperationException($"{dead} is reaped twice");
        dead.IsReaped = true;
        return true;
    }

    public void AwaitEnd(in Watched process)
    {
        kernel.Acts.Add($"await {process.Process}");
        kernel.Awaited(kernel.Of(in process));
    }

    public long OutOfMemoryKills() => kernel.Kills;

    public Errno TryClone(int device, out int clone)
    {
        clone = -1;
        if (kernel.CloneError != Errno.Ok) return kernel.CloneError;
        clone = kernel.NextDescriptor();
        return Errno.Ok;
    }

    public void Close(int descriptor)
    {
        if (descriptor < 0) return;
        if (kernel.Closed.Contains(descriptor)) throw new InvalidOperationException($"{descriptor} is closed twice");
        kernel.Closed.Add(descriptor);
        kernel.Acts.Add($"close {descriptor}");
    }

    public void EmptyRegion() => kernel.Acts.Add("empty the region");

    public void TakeListener(int listener)
    {
        kernel.Acts.Add($"listen on {listener}");
        Close(listener);
        kernel.Acts.RemoveAt(kernel.Acts.Count - 1);
    }

    public void HoldProgram(int program) => kernel.Acts.Add($"hold {program}");

    public void Log(LogLevel level, KeeperLine line) =>
        kernel.Log.Add($"{level.ToString().ToLowerInvariant()}: {Encoding.UTF8.GetString(line.Text)}");
}
