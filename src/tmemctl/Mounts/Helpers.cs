using System.Diagnostics;
using Tmem.Control.CommandLine;
using Tmem.Control.Messages;
using Tmem.Ctl.Native;

namespace Tmem.Ctl.Mounts;

/// <summary>
/// The programs that mount(8) and umount(8) start for this file system: this one, under another name. A program of its own would
/// be 4 MB more on the disk for what is mostly tmemctl's already.
/// <para>mount(8) looks for /sbin/mount.TYPE, with the type of the command line or of fstab (tmem), and at a remount without
/// those with the one in the mount table (fuse.tmem); umount(8) always with the latter.</para>
/// </summary>
internal static class Helpers
{
    /// <summary>Where util-linux has its programs: mount(8) leaves its helpers no PATH.</summary>
    public const string Folder = "/usr/bin/";

    /// <summary>Whether this is a helper by the name that it was started by; if so, its exit code.</summary>
    public static bool TryRun(string name, string[] args, TextWriter output, TextWriter error, out int exit)
    {
        exit = 0;
        name = Path.GetFileName(name);
        var letters = name switch
        {
            "mount.tmem" or "mount.fuse.tmem" => MountHelper.Letters,
            "umount.tmem" or "umount.fuse.tmem" => UnmountHelper.Letters,
            _ => null,
        };
        if (letters is null) return false;
        var mounts = letters == MountHelper.Letters;
        var usage = mounts ? MountHelper.Usage : UnmountHelper.Usage;
        var lines = new HelperLines(name, output, error);
        if (ArgumentBytes.NotUtf8(args) is { } shown)
            exit = lines.Fail(HelperExit.Usage, $"names are UTF-8, and '{shown}' is not", "choose a directory of another name");
        else if (args is ["-h" or "--help"])
            lines.Note(usage);
        else if (HelperWords.Parse(args, letters, mounts ? 2 : 1, out var problem) is not { } words)
            exit = lines.Fail(HelperExit.Usage, problem, usage);
        else if (Files.EffectiveUser() != 0)
            exit = lines.Fail(HelperExit.Usage, "only root can do that", "use sudo");
        else if (words.Namespace is { } other)
            exit = Within(other, args, lines);
        else
            exit = mounts ? MountHelper.Run(words, lines) : UnmountHelper.Run(words, lines);
        return true;
    }

    /// <summary>
    /// Does it in another mount namespace, where it may be another program: a namespace is entered by a process of one thread.
    /// </summary>
    private static int Within(string other, string[] args, HelperLines lines)
    {
        var place = uint.TryParse(other, out _) ? $"/proc/{other}/ns/mnt" : other;
        var rest = args.ToList();
        var at = rest.FindIndex(word => word.StartsWith("-N", StringComparison.Ordinal));
        if (at < 0) return lines.Fail(HelperExit.Usage, "-N stands within another word", "write it alone");
        rest.RemoveRange(at, rest[at].Length > 2 ? 1 : 2);
        try
        {
            using var process = Process.Start(new ProcessStartInfo(Folder + "nsenter",
                ["--mount=" + place, "--", "/sbin/" + lines.Name, .. rest]))!;
            process.WaitForExit();
            return process.ExitCode;
        }
        catch (System.ComponentModel.Win32Exception failed)
        {
            return lines.Fail(HelperExit.System, $"nsenter cannot be started: {failed.Message}", "install util-linux");
        }
    }
}

/// <summary>What a helper says: errors in a line each, and what was done if that was asked for (-v).</summary>
internal sealed class HelperLines(string name, TextWriter output, TextWriter error)
{
    public string Name { get; } = name;

    public int Fail(int exit, string problem, string remedy = "")
    {
        error.WriteLine(SafeText.Printable($"{Name}: {problem}{(remedy.Length == 0 ? "" : "; " + remedy)}"));
        return exit;
    }

    /// <summary>Something that is as it should be, or nearly.</summary>
    public void Note(string text) => output.WriteLine(SafeText.Printable($"{Name}: {text}"));

    /// <summary>Something that should be known, and is no error.</summary>
    public void Warn(string text) => error.WriteLine(SafeText.Printable($"{Name}: {text}"));
}
