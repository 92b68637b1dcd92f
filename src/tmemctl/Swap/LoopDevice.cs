using System.Diagnostics;
using System.Globalization;
using System.Runtime.InteropServices;

namespace Tmem.Ctl.Swap;

/// <summary>Loop devices, through /dev/loop-control and sysfs.</summary>
internal static class LoopDevice
{
    private const int Attempts = 32;
    private static readonly TimeSpan DetachPatience = TimeSpan.FromSeconds(10);

    /// <summary>See <see cref="ISwapSystem.AttachLoop"/>.</summary>
    public static string? Attach(string file, out string device)
    {
        device = "";
        var backing = NativeMethods.Open(file, NativeMethods.ReadWrite | NativeMethods.CloseOnExec, 0);
        if (backing < 0) return $"open {file}: {NativeMethods.LastError()}";
        try
        {
            // Between "which is free" and "take it" somebody else may have taken it: ask again.
            for (var attempt = 0; attempt < Attempts; attempt++)
            {
                if (NextFree(out var number) is { } problem) return problem;
                var name = "/dev/loop" + number.ToString(CultureInfo.InvariantCulture);
                var errno = Configure(name, backing);
                if (errno == NativeMethods.EBUSY) continue;
                if (errno != 0) return $"{name}: {NativeMethods.Describe(errno)}";
                device = name;
                return null;
            }
            return $"no loop device stayed free in {Attempts} attempts: others take them as fast as we ask";
        }
        finally
        {
            _ = NativeMethods.Close(backing);
        }
    }

    /// <summary>See <see cref="ISwapSystem.DetachLoop"/>.</summary>
    public static unsafe string? Detach(string device)
    {
        var descriptor = NativeMethods.Open(device, NativeMethods.ReadWrite | NativeMethods.CloseOnExec, 0);
        if (descriptor < 0) return Marshal.GetLastPInvokeError() is NativeMethods.ENOENT or NativeMethods.ENXIO ? null : $"open {device}: {NativeMethods.LastError()}";
        var failed = NativeMethods.Control(descriptor, NativeMethods.LoopClear, null) < 0 ? Marshal.GetLastPInvokeError() : 0;
        _ = NativeMethods.Close(descriptor);
        if (failed is not (0 or NativeMethods.ENXIO)) return $"detach {device}: {NativeMethods.Describe(failed)}";
        // The kernel lets go when the last opener closes, which may be a probing udev and not us.
        var started = Stopwatch.GetTimestamp();
        while (File.Exists(Attribute(device, "loop/backing_file")))
        {
            if (Stopwatch.GetElapsedTime(started) > DetachPatience) return $"{device} is still attached after {DetachPatience.TotalSeconds} s: another process has it open";
            Thread.Sleep(20);
        }
        return null;
    }

    /// <summary>All attached devices.</summary>
    public static IReadOnlyList<LoopBacking> All()
    {
        const string deleted = " (deleted)";
        var found = new List<LoopBacking>();
        foreach (var directory in Directory.EnumerateDirectories("/sys/block", "loop*").Order(StringComparer.Ordinal))
        {
            var device = "/dev/" + Path.GetFileName(directory);
            if (Read(device, "loop/backing_file") is not { } file) continue;
            found.Add(new LoopBacking(device, file.EndsWith(deleted, StringComparison.Ordinal) ? file[..^deleted.Length] : file));
        }
        return found;
    }

    /// <summary>Reads a sysfs attribute without its newline; null if it is not there (the device is not attached).</summary>
    public static string? Read(string device, string attribute)
    {
        try
        {
            return File.ReadAllText(Attribute(device, attribute)).TrimEnd('\n');
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }

    /// <summary>Writes a sysfs attribute. Null when done, else why not.</summary>
    public static string? Write(string device, string attribute, string value)
    {
        try
        {
            File.WriteAllText(Attribute(device, attribute), value);
            return null;
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            return $"write {value} to {Attribute(device, attribute)}: {error.Message}";
        }
    }

    private static string Attribute(string device, string attribute) => $"/sys/block/{Path.GetFileName(device)}/{attribute}";

    private static unsafe string? NextFree(out int number)
    {
        const string path = "/dev/loop-control";
        number = -1;
        var control = NativeMethods.Open(path, NativeMethods.ReadWrite | NativeMethods.CloseOnExec, 0);
        if (control < 0) return $"open {path}: {NativeMethods.LastError()}; is this root, and the loop module loaded (modprobe loop)?";
        number = NativeMethods.Control(control, NativeMethods.LoopControlGetFree, null);
        var problem = number < 0 ? $"ask {path} for a free loop device: {NativeMethods.LastError()}" : null;
        _ = NativeMethods.Close(control);
        return problem;
    }

    /// <summary>Takes the device for the file. Returns errno, 0 when done.</summary>
    private static unsafe int Configure(string device, int backing)
    {
        var descriptor = NativeMethods.Open(device, NativeMethods.ReadWrite | NativeMethods.CloseOnExec, 0);
        if (descriptor < 0) return Marshal.GetLastPInvokeError();
        var config = new LoopConfig { Descriptor = (uint)backing, BlockSize = 4096, Flags = NativeMethods.LoopDirectIo };
        var errno = NativeMethods.Control(descriptor, NativeMethods.LoopConfigure, &config) < 0 ? Marshal.GetLastPInvokeError() : 0;
        _ = NativeMethods.Close(descriptor);
        return errno;
    }
}
