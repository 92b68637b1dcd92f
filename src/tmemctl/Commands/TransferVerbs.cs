using System.CommandLine;
using System.Text;
using Microsoft.Win32.SafeHandles;
using Tmem.Control;
using Tmem.Control.Messages;
using Tmem.Ctl.Native;
using Tmem.Ctl.Output;
using Tmem.Ctl.Swap;
using Tmem.Ctl.Transfer;

namespace Tmem.Ctl.Commands;

/// <summary><c>tmemctl save</c> and <c>tmemctl restore</c>.</summary>
internal static class TransferVerbs
{
    private const string Pipe = "-";
    private const int BufferBytes = 1 << 18;

    public static Verb Save()
    {
        var words = new Argument<string[]>("POOL")
        {
            Description = "The pools, and behind them the FILE to write, which its owner alone may read; - is a pipe.",
            Arity = ArgumentArity.OneOrMore,
        };
        words.Validators.Add(result =>
        {
            var given = result.Tokens.Select(token => token.Value).ToList();
            if (given.Count == 1) result.AddError("a pool or the file is missing; give both, as in: save p /backup/p.tmem");
            foreach (var name in given.SkipLast(1))
                if (PoolName.Impossible(name) is var (problem, remedy)) result.AddError($"{problem}; {remedy}");
            if (given.Distinct().Count() < given.Count) result.AddError("a pool is given twice");
        });
        return new("save",
            "Saves pools with all their files: names, owners, modes, times, attributes, holes and links. Each file is saved as "
            + "it is when its turn comes. What 'restore' reads, on this machine or another.",
            (context, parse) => Save(context, parse.GetRequiredValue(words)), words);
    }

    public static Verb Restore()
    {
        var file = new Argument<string>("FILE") { Description = "What 'save' has written, or - to read it from a pipe." };
        return new("restore",
            "Makes the pools of a saved stream, with all their files. They get their names when the whole stream was read and "
            + "found whole: until then, and if anything goes wrong, nothing has these names.",
            (context, parse) => Restore(context, parse.GetRequiredValue(file)), file);
    }

    private static int Save(CommandContext context, string[] words)
    {
        var (names, file) = (words[..^1], words[^1]);
        if (!TryOpenRoot(context, out var status, out var root, out var exit)) return exit;
        try
        {
            if (!context.Terminal.Take(context.Client.Pools(), out var list, out exit)) return exit;
            var pools = new List<PoolSummary>();
            var swaps = SwapFile.Devices(context.System, SwapFile.PlaceOf(status), list.Pools)
                .FindAll(swap => swap.Entry is not null);
            foreach (var name in names)
            {
                if (list.Pools.FirstOrDefault(one => one.Name == name) is not { } pool)
                    return context.Terminal.Fail(ExitCode.Failed, $"no pool '{name}'",
                        $"see '{context.Tmemctl.Line("pool list")}'", ControlErrorCode.NotFound);
                if (swaps.Find(one => one.Pool == name) is { } swap)
                    return context.Terminal.Fail(ExitCode.Failed, $"swap is on pool '{name}' ({swap.Device}): what is swapped "
                        + "means nothing elsewhere, and changes all the time", $"save other pools, or turn it off with "
                        + $"'{context.Swap.OffLine(name)}'", ControlErrorCode.Busy);
                pools.Add(pool);
            }
            return Save(context, pools, root, file, status.Connection);
        }
        finally
        {
            Files.Close(root);
        }
    }

    private static int Save(CommandContext context, List<PoolSummary> pools, int root, string file, int connection)
    {
        const UnixFileMode ownerOnly = UnixFileMode.UserRead | UnixFileMode.UserWrite;
        try
        {
            if (file == Pipe && !Console.IsOutputRedirected)
                throw new TransferException("a stream of pools is nothing for a terminal", "name a file, or pipe it somewhere");
            if (file != Pipe) RefusePlace(file, pools[0].Name);
            using var replacing = file == Pipe ? null : new ReplacingFile(file, ownerOnly);
            if (replacing is not null) RefuseOwnStore(file, replacing.Stream, connection);
            // Not the console's stream: that says nothing of a reader that has gone.
            const int standardOutput = 1;
            using var output = replacing?.Stream
                ?? new FileStream(new SafeFileHandle(standardOutput, ownsHandle: false), FileAccess.Write, bufferSize: 0);
            using var buffered = new BufferedStream(output, BufferBytes);
            var writer = new TreeWriter(buffered);
            var saver = new TreeSaver(writer);
            writer.Head();
            foreach (var pool in pools)
            {
                var error = Tree.Open(root, Encoding.UTF8.GetBytes(pool.Name), Files.DirectoryOnly, 0, out var folder);
                if (error != Errno.Ok)
                    throw new TransferException($"pool '{pool.Name}' cannot be opened: {error.Problem()}", "see to it");
                saver.Save(Saved(pool), folder);
            }
            writer.Finish(pools.Count, saver.Entries);
            buffered.Flush();
            replacing?.Complete();
            var report = new SaveReport([.. pools.Select(pool => pool.Name)], saver.Entries, writer.Position, file);
            // The stream is on standard output.
            if (replacing is null) return ExitCode.Done;
            return context.Terminal.Done(report, output => output.WriteLine(
                $"saved {Counted.Of(report.Pools.Count, "pool")} with {Counted.Of(report.Entries, "file")} and directories, "
                + $"{Words.Size(report.Bytes)}, to {Table.Printable(file)}"));
        }
        catch (Exception e) when (e is TransferException or IOException or UnauthorizedAccessException)
        {
            return Failed(context, $"{(file == Pipe ? "standard output" : file)} cannot be written", e);
        }
    }

    private static int Restore(CommandContext context, string file)
    {
        if (!TryOpenRoot(context, out var status, out var root, out var exit)) return exit;
        const nint standardInput = 0;
        var maker = new PoolMaker(context.Client, root);
        try
        {
            if (context.Client.Pools().Value is { } list) maker.RemoveLeft(list.Pools);
            if (file != Pipe && Directory.Exists(file))
                throw new TransferException($"{file} is a directory", "name the file in it that 'save' has written");
            if (file != Pipe && !File.Exists(file))
                throw new TransferException($"there is no file {file}", "name the one that 'save' has written");
            using var interrupt = new Interrupt(mayInsist: true);
            using var stream = new InterruptibleInput(file == Pipe ? new(standardInput, ownsHandle: false)
                : File.OpenHandle(file), () => GiveUp(interrupt));
            using var buffered = new BufferedStream(stream, BufferBytes);
            var reader = new TreeReader(buffered);
            var restorer = new TreeRestorer(reader, maker);
            restorer.Run();
            var (pools, entries) = restorer.Result;
            return context.Terminal.Done(new RestoreReport(pools, entries, reader.Position), output => output.WriteLine(
                $"restored {Counted.Names([.. pools.Select(Table.Printable)])}: {Counted.Of(entries, "file")} and directories, "
                + Words.Size(reader.Position)));
        }
        catch (Exception e) when (e is TransferException or IOException or UnauthorizedAccessException)
        {
            return Failed(context, $"{(file == Pipe ? "standard input" : file)} cannot be read", e);
        }
        finally
        {
            Files.Close(root);
        }
    }

    /// <summary>Whoever reads the stream is asked at each piece: so a pool gets its name with all others, or none does.</summary>
    private static void GiveUp(Interrupt interrupt)
    {
        if (interrupt.Requested) throw new TransferException("interrupted: nothing was restored", "restore again");
    }

    private static int Failed(CommandContext context, string what, Exception e) => e is TransferException transfer
        ? context.Terminal.Fail(ExitCode.Failed, transfer.Message, transfer.Remedy)
        : context.Terminal.Fail(ExitCode.Failed, $"{what}: {FileTrouble.Clause(e)}", "see to it, and try again");

    /// <summary>The mount, as it is seen from here: the daemon's and no other.</summary>
    private static bool TryOpenRoot(CommandContext context, out StatusReply status, out int root, out int exit)
    {
        root = -1;
        if (!context.Terminal.Take(context.Client.Status(), out status!, out exit)) return false;
        if (Files.Open(status.MountPoint, Files.DirectoryOnly, out root) == Errno.Ok)
        {
            if (Tree.Stat(root, default, out var seen) == Errno.Ok && seen.DeviceMajor == 0
                && (status.Connection < 0 || seen.DeviceMinor == status.Connection)) return true;
            Files.Close(root);
        }
        exit = context.Terminal.Fail(ExitCode.Failed, $"{status.MountPoint} cannot be seen from here",
            $"run this as root, in the mount namespace of tmemd (nsenter --mount --target {status.Processes.WorkerPid})");
        return false;
    }

    private static SavedPool Saved(PoolSummary pool) => new(pool.Name, pool.Kind != "persistent", pool.RefuseIncompressible,
        (uint)PoolMaker.CodecOf(pool.Codec), pool.LimitBytes, pool.Mode, pool.Owner, pool.Group);

    private static void RefusePlace(string file, string pool)
    {
        if (Directory.Exists(file))
            throw new TransferException($"{file} is a directory", "name a file in it, as in "
                + ShellWord.Of(Path.Combine(file, pool + ".tmem")));
        if (Path.GetDirectoryName(Path.GetFullPath(file)) is { } folder && !Directory.Exists(folder))
            throw new TransferException($"there is no directory {folder}", $"make it first: mkdir -p {ShellWord.Of(folder)}");
    }

    private static void RefuseOwnStore(string file, FileStream stream, int connection)
    {
        if (Tree.Stat((int)stream.SafeFileHandle.DangerousGetHandle(), default, out var seen) == Errno.Ok && seen.DeviceMajor == 0
            && seen.DeviceMinor == connection)
            throw new TransferException($"{file} is on the store that is to be saved", "save it elsewhere");
    }
}
