using System.Diagnostics;
using Tmem.Settings.Values;

namespace Tmem.Settings.Tests;

/// <summary>A folder that stands for /etc/tmem.</summary>
internal sealed class Folder : IDisposable
{
    public const long Ram = 16L << 30;

    public string Path { get; } = Directory.CreateTempSubdirectory("tmem-settings-").FullName;

    public string DropIns => System.IO.Path.Combine(Path, "tmem.d");

    /// <summary>Writes the file of settings, or with a name a drop-in; returns its path.</summary>
    public string Write(string text, string? dropIn = null)
    {
        Directory.CreateDirectory(DropIns);
        var path = dropIn is null ? System.IO.Path.Combine(Path, "tmem.toml") : System.IO.Path.Combine(DropIns, dropIn);
        File.WriteAllText(path, text);
        return path;
    }

    public SettingsRead Read(params IEnumerable<Entry> options) => SettingsReader.Read(Path, options, Ram);

    /// <summary>Reads a text as the only file.</summary>
    public static SettingsRead Of(string text)
    {
        using var folder = new Folder();
        folder.Write(text);
        return folder.Read();
    }

    /// <summary>The one fault of a text, without its file's path.</summary>
    public static string FaultOf(string text)
    {
        var read = Of(text);
        Assert.Null(read.Settings);
        var line = Assert.Single(read.Faults).Line;
        Assert.DoesNotContain('\n', line);
        return line[line.IndexOf("tmem.toml", StringComparison.Ordinal)..];
    }

    /// <summary>Runs a program of the machine.</summary>
    public static void Run(string program, params string[] arguments)
    {
        using var process = Process.Start(program, arguments);
        process.WaitForExit();
        Assert.Equal(0, process.ExitCode);
    }

    public void Dispose() => Directory.Delete(Path, recursive: true);
}
