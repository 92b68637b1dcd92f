using System.ComponentModel;
using System.Diagnostics;
using System.Globalization;
using System.Runtime.InteropServices;
using System.Text;

namespace Tmem.Ctl.Swap;

/// <summary>The kernel this runs on.</summary>
internal sealed class LinuxSwapSystem : ISwapSystem
{
    private const string MarkName = "user.tmemctl.swap";
    private static readonly string[] MakeSwapPrograms = ["/usr/sbin/mkswap", "/sbin/mkswap", "/usr/bin/mkswap", "/bin/mkswap"];
    private const uint OwnerOnly = 0x180; // 0600

    /// <inheritdoc/>
    public string? CreateFile(string path, long size)
    {
        var descriptor = NativeMethods.Open(path, NativeMethods.ReadWrite | NativeMethods.Create | NativeMethods.Exclusive | NativeMethods.CloseOnExec, OwnerOnly);
        if (descriptor < 0) return NativeMethods.LastError();
        var problem = NativeMethods.Truncate(descriptor, size) < 0 ? NativeMethods.LastError() : null;
        _ = NativeMethods.Close(descriptor);
        if (problem is not null) _ = NativeMethods.Unlink(path);
        return problem;
    }

    /// <inheritdoc/>
    public string? RemoveFile(string path) =>
        NativeMethods.Unlink(path) == 0 || Marshal.GetLastPInvokeError() == NativeMethods.ENOENT ? null : NativeMethods.LastError();

    /// <inheritdoc/>
    public string? SetMark(string path, string text)
    {
        var value = Encoding.UTF8.GetBytes(text);
        return NativeMethods.SetAttribute(path, MarkName, value, (nuint)value.Length, 0) == 0 ? null : NativeMethods.LastError();
    }

    /// <inheritdoc/>
    public string? Mark(string path)
    {
        Span<byte> value = stackalloc byte[64];
        var length = NativeMethods.GetAttribute(path, MarkName, value, (nuint)value.Length);
        return length < 0 ? null : Encoding.UTF8.GetString(value[..(int)length]);
    }

    /// <inheritdoc/>
    public IReadOnlyList<string> FilesBelow(string mount, string name)
    {
        try
        {
            return [.. Directory.EnumerateDirectories(mount).Select(pool => Path.Combine(pool, name)).Where(File.Exists)];
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            return [];
        }
    }

    /// <inheritdoc/>
    public string? AttachLoop(string file, out string device) => LoopDevice.Attach(file, out device);

    /// <inheritdoc/>
    public string? DetachLoop(string device) => LoopDevice.Detach(device);

    /// <inheritdoc/>
    public string? RequireDirectIo(string device) => LoopDevice.Read(device, "loop/dio") == "1"
        ? null
        : $"{device} goes through the page cache: the file's file system does not take direct I/O in blocks of 4096 bytes";

    /// <inheritdoc/>
    public string? CapRequests(string device, int kibibytes)
    {
        const string attribute = "queue/max_sectors_kb";
        return int.TryParse(LoopDevice.Read(device, attribute), CultureInfo.InvariantCulture, out var now) && now <= kibibytes
            ? null
            : LoopDevice.Write(device, attribute, kibibytes.ToString(CultureInfo.InvariantCulture));
    }

    /// <inheritdoc/>
    /// <remarks>mkswap(8) of util-linux, not our own forty lines: it is on every Debian, and it knows about signatures it must wipe.</remarks>
    public string? MakeSwap(string device)
    {
        var program = MakeSwapPrograms.FirstOrDefault(File.Exists);
        if (program is null) return "mkswap is not installed; install util-linux";
        try
        {
            using var process = Process.Start(new ProcessStartInfo(program, [device]) { RedirectStandardOutput = true, RedirectStandardError = true })!;
            process.OutputDataReceived += (_, _) => { };
            process.BeginOutputReadLine();
            var errors = process.StandardError.ReadToEnd();
            process.WaitForExit();
            return process.ExitCode == 0 ? null : $"mkswap ended with {process.ExitCode}: {errors.Trim().ReplaceLineEndings(" ")}";
        }
        catch (Win32Exception error)
        {
            return $"{program}: {error.Message}";
        }
    }

    /// <inheritdoc/>
    public string? SwapOn(string device, int priority) =>
        NativeMethods.SwapOn(device, NativeMethods.SwapDiscard | NativeMethods.SwapPrefer | priority) == 0 ? null : NativeMethods.LastError();

    /// <inheritdoc/>
    public string? SwapOff(string device)
    {
        if (NativeMethods.SwapOff(device) == 0) return null;
        var errno = Marshal.GetLastPInvokeError();
        // EINVAL says "not a swap device": off already, if /proc/swaps agrees.
        return errno == NativeMethods.EINVAL && Swaps().All(entry => entry.Device != device) ? null : NativeMethods.Describe(errno);
    }

    /// <inheritdoc/>
    public IReadOnlyList<LoopBacking> Loops() => LoopDevice.All();

    /// <inheritdoc/>
    public IReadOnlyList<SwapEntry> Swaps() => ParseSwaps(File.ReadAllText("/proc/swaps"));

    /// <summary>Reads /proc/swaps: a heading, then "name type size used priority", sizes in KiB. Lines it does not understand are passed over.</summary>
    public static IReadOnlyList<SwapEntry> ParseSwaps(string text)
    {
        var entries = new List<SwapEntry>();
        foreach (var line in text.Split('\n').Skip(1))
        {
            var fields = line.Split([' ', '\t'], StringSplitOptions.RemoveEmptyEntries);
            if (fields.Length >= 5 && long.TryParse(fields[^3], CultureInfo.InvariantCulture, out var size) &&
                long.TryParse(fields[^2], CultureInfo.InvariantCulture, out var used) && int.TryParse(fields[^1], CultureInfo.InvariantCulture, out var priority))
                entries.Add(new SwapEntry(fields[0], size * 1024, used * 1024, priority));
        }
        return entries;
    }
}
