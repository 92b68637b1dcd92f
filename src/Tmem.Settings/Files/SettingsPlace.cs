using System.Runtime.InteropServices;
using Tmem.Control.CommandLine;
using Tmem.Control.Host;

namespace Tmem.Settings.Files;

/// <summary>Which files hold the settings, the weakest first.</summary>
internal static class SettingsPlace
{
    /// <inheritdoc cref="DaemonStart.NoFile"/>
    public const string None = DaemonStart.NoFile;

    /// <summary>The package's defaults.</summary>
    public const string Package = "/usr/lib/tmem/tmem.toml";

    /// <summary>The administrator's directory: <see cref="FileName"/>, and over it the files in <see cref="DropIns"/>.</summary>
    public const string Directory = "/etc/tmem";

    private const string FileName = "tmem.toml";
    private const string DropIns = "tmem.d";
    private const string Extension = ".toml";
    private const int NoSuchFile = 2;

    /// <summary>
    /// The files of a place that are there; what cannot be found out is a fault, and so is a place without any: a mistyped name
    /// would be taken for a wish for the defaults.
    /// </summary>
    /// <param name="place">Null for the system's; a directory that stands for <see cref="Directory"/>, then without the
    /// package's file; a file, then that alone; or <see cref="None"/>.</param>
    /// <param name="faults">Gets what is wrong.</param>
    public static IReadOnlyList<string> Files(string? place, List<Fault> faults)
    {
        if (place == None) return [];
        var (known, path) = (faults.Count, Path.GetFullPath(place ?? Directory));
        List<string> files = place is null ? [.. Exists(Package, faults) ? [Package] : (string[])[], .. In(path, faults)]
            : System.IO.Directory.Exists(path) ? In(path, faults) : [path];
        if (files.Count == 0 && faults.Count == known)
            faults.Add(new(new(path), "", $"there is no file of settings: neither {FileName} nor {DropIns}/*{Extension}",
                "write one, or give tmemd --mount and --capacity instead"));
        return files;
    }

    private static List<string> In(string directory, List<Fault> faults)
    {
        List<string> files = [];
        var first = Path.Combine(directory, FileName);
        if (Exists(first, faults)) files.Add(first);
        var dropIns = Path.Combine(directory, DropIns);
        if (!Exists(dropIns, faults)) return files;
        try
        {
            // A drop-in is what its name says, whatever it is: a directory or a link to nothing is refused, not passed over.
            var found = System.IO.Directory.EnumerateFileSystemEntries(dropIns)
                .Where(path => Path.GetFileName(path) is var name && name.EndsWith(Extension, StringComparison.Ordinal)
                    && name[0] != '.').Order(StringComparer.Ordinal).ToList();
            // The runtime shows other bytes so, and cannot open what they name.
            foreach (var path in found.Where(path => path.Contains('\uFFFD') && !Exists(path, [])))
                faults.Add(new(new(path), "", "its name is not UTF-8", "rename it"));
            files.AddRange(found.Where(path => !path.Contains('\uFFFD') || Exists(path, [])));
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            faults.Add(new(new(dropIns), "", $"the directory cannot be read: {error.Message.TrimEnd('.')}",
                "make it a directory that root can read, or remove it"));
        }
        return files;
    }

    /// <summary>Whether there is a name, even if it leads nowhere.</summary>
    private static bool Exists(string path, List<Fault> faults)
    {
        const int cwd = -100;
        if (FileStatus.Of(cwd, path, FileStatus.NoFollow, FileStatus.Basic, out _) == 0) return true;
        var error = Marshal.GetLastPInvokeError();
        if (error != NoSuchFile)
            faults.Add(new(new(path), "", $"it cannot be looked at: {Marshal.GetPInvokeErrorMessage(error)}", "see to its path"));
        return false;
    }
}
