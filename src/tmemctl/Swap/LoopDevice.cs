using System.Buffers.Binary;
using System.Diagnostics;
using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using Tmem.Control.Host;
using Tmem.Ctl.Native;

namespace Tmem.Ctl.Swap;

/// <summary>
/// Loop devices, through /dev/loop-control, their ioctls and sysfs; a device that we attach is held by its descriptor.
/// </summary>
internal sealed class LoopDevice : ISwapDevice
{
    private const int Attempts = 32;
    private const int BlockSize = 4096;
    private static readonly TimeSpan DetachPatience = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan AskPatience = TimeSpan.FromSeconds(2);

    private readonly int _descriptor;

    private LoopDevice(int descriptor, string name)
    {
        _descriptor = descriptor;
        Name = name;
    }

    /// <inheritdoc/>
    public string Name { get; }

    /// <summary>Attaches a free device to a part of an open file, and checks that it is on that file.</summary>
    public static string? Attach(int backing, FileIdentity file, SwapPart part, string note, out ISwapDevice? device)
    {
        device = null;
        // Another process may take the device between finding and configuring it: try again.
        for (var attempt = 0; attempt < Attempts; attempt++)
        {
            if (NextFree(out var number) is { } problem) return problem;
            var name = "/dev/loop" + number.ToString(CultureInfo.InvariantCulture);
            var error = Configure(name, backing, part, note, out var descriptor);
            if (error == Errno.EBUSY) continue;
            if (error != Errno.Ok) return $"{name}: {error.Problem()}";
            device = new LoopDevice(descriptor, name);
            if (Info(descriptor) is { } info && Identity(info) == file) return null;
            device.Dispose();
            device = null;
            return $"{name} does not stand on the file that it was attached to{(Detach(name) is { } left ? $" ({left})" : "")}";
        }
        return $"no loop device stayed free in {Attempts} attempts: others take them as fast as we ask";
    }

    /// <summary>See <see cref="ISwapSystem.DetachLoop"/>.</summary>
    public static string? Detach(string device)
    {
        var error = Files.Open(device, Files.ReadWrite, out var descriptor);
        if (error is Errno.ENOENT or Errno.ENXIO) return null;
        if (error != Errno.Ok) return $"open {device}: {error.Problem()}";
        error = Loop.Clear(descriptor);
        Files.Close(descriptor);
        if (error is not (Errno.Ok or Errno.ENXIO)) return $"detach {device}: {error.Problem()}";
        // The kernel detaches when the last opener closes, which may be a probing udev.
        var started = Stopwatch.GetTimestamp();
        while (File.Exists(Attribute(device, "loop/backing_file")))
        {
            if (Stopwatch.GetElapsedTime(started) > DetachPatience)
                return $"{device} is still attached after {DetachPatience.TotalSeconds} s: another process has it open";
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
            var path = file.EndsWith(deleted, StringComparison.Ordinal) ? file[..^deleted.Length] : file;
            // Another program's device may be on a file whose server does not answer.
            var asked = Task.Run(() => Info(device));
            found.Add(asked.Wait(AskPatience) && asked.Result is { } info
                ? new LoopBacking(device, path, Identity(info), Note(info), (long)info.Offset) : new LoopBacking(device, path));
        }
        return found;
    }

    /// <summary>Reads a sysfs attribute without its newline; null if it does not exist (the device is not attached).</summary>
    public static string? Read(string device, string attribute) => KernelFile.TryRead(Attribute(device, attribute));

    /// <inheritdoc/>
    public string? RequireDirectIo() => Read(Name, "loop/dio") == "1"
        ? null
        : $"{Name} goes through the page cache: the file's file system does not take direct I/O in blocks of 4096 bytes";

    /// <inheritdoc/>
    public string? CapRequests(int kibibytes)
    {
        const string attribute = "queue/max_sectors_kb";
        if (int.TryParse(Read(Name, attribute), CultureInfo.InvariantCulture, out var now) && now <= kibibytes) return null;
        try
        {
            File.WriteAllText(Attribute(Name, attribute), kibibytes.ToString(CultureInfo.InvariantCulture));
            return null;
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            return $"write {kibibytes} to {Attribute(Name, attribute)}: {error.Message}";
        }
    }

    /// <inheritdoc/>
    /// <remarks>
    /// The header of include/linux/swap.h, written through the held descriptor: mkswap(8) would open the device by name. A file
    /// that is all hole has no other signature to wipe.
    /// </remarks>
    public string? MakeSwap(long size)
    {
        var page = Environment.SystemPageSize;
        var header = new byte[page];
        const int version = 1024, lastPage = 1028, uuid = 1036;
        BinaryPrimitives.WriteUInt32LittleEndian(header.AsSpan(version), 1);
        BinaryPrimitives.WriteUInt32LittleEndian(header.AsSpan(lastPage), (uint)Math.Min(size / page - 1, uint.MaxValue));
        RandomNumberGenerator.Fill(header.AsSpan(uuid, 16));
        "SWAPSPACE2"u8.CopyTo(header.AsSpan(page - 10));
        if (Files.WriteAt(_descriptor, header, 0, out var written).Problem() is { } unwritten) return unwritten;
        return written != header.Length ? $"only {written} bytes were written" : Files.Sync(_descriptor).Problem();
    }

    /// <inheritdoc/>
    public string? SwapOn(int priority) => Machine.SwapOn($"/proc/self/fd/{_descriptor}", priority).Problem();

    /// <summary>Closes the descriptor; the device stays attached.</summary>
    public void Dispose() => Files.Close(_descriptor);

    private static string Attribute(string device, string attribute) => $"/sys/block/{Path.GetFileName(device)}/{attribute}";

    private static string? NextFree(out int number)
    {
        const string path = "/dev/loop-control";
        number = -1;
        if (Files.Open(path, Files.ReadWrite, out var control).Problem() is { } closed)
            return $"open {path}: {closed}; is this root, and the loop module loaded (modprobe loop)?";
        var error = Loop.NextFree(control, out number);
        Files.Close(control);
        return error == Errno.Ok ? null : $"ask {path} for a free loop device: {error.Problem()}";
    }

    /// <summary>Attaches the device to the file; on success, the descriptor is open.</summary>
    private static Errno Configure(string device, int backing, SwapPart part, string note, out int descriptor)
    {
        var error = Files.Open(device, Files.ReadWrite, out descriptor);
        if (error != Errno.Ok) return error;
        error = Loop.Configure(descriptor, backing, part.Offset, part.Size, BlockSize, note);
        if (error != Errno.Ok) Files.Close(descriptor);
        return error;
    }

    private static LoopInfo? Info(string device)
    {
        if (Files.Open(device, Files.ReadOnly, out var descriptor) != Errno.Ok) return null;
        var info = Info(descriptor);
        Files.Close(descriptor);
        return info;
    }

    private static LoopInfo? Info(int descriptor) => Loop.Status(descriptor, out var info) == Errno.Ok ? info : null;

    /// <summary>
    /// lo_device is the kernel's 32-bit form of a device's number: the low byte of the minor number, the major number, the rest
    /// of the minor number.
    /// </summary>
    private static FileIdentity Identity(in LoopInfo info)
    {
        var device = info.Device;
        return new FileIdentity((uint)(device >> 8) & 0xfff, (uint)(device & 0xff) | (uint)(device >> 12) & 0xfff00, info.Inode);
    }

    private static unsafe string Note(LoopInfo info)
    {
        var name = new ReadOnlySpan<byte>(info.Name, LoopInfo.NameLength);
        var end = name.IndexOf((byte)0);
        return Encoding.UTF8.GetString(end < 0 ? name : name[..end]);
    }
}
