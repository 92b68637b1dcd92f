using System.Runtime.InteropServices;
using Tmds.Linux;
using Tmem.Control.Host;
using Tmem.Fuse.Native;

namespace Tmem.Fuse.Keeper;

/// <summary>
/// The program of the next worker: a sealed copy in memory. A file could be on a disk that hangs, on the mount that the worker is
/// to serve, or be modified, just when the next worker is needed. Where memory cannot be executed (vm.memfd_noexec), and for a
/// program that the runtime compiles as it runs (which finds its parts by its path), it is the file itself, held open.
/// </summary>
internal static unsafe class ProgramFile
{
    /// <summary>More than any program of ours, so that a wrong name does not fill the memory.</summary>
    private const long MostBytes = 256 << 20;
    private const int CopyBytes = 64 << 10;
    private const int Executable = 0x49; // 0111
    private const int MayExecute = 1;

    /// <summary>Uses this process's own program.</summary>
    /// <exception cref="StartupException">It cannot be opened.</exception>
    public static void UseOwn(ref WorkerSettings settings)
    {
        const string deleted = " (deleted)";
        var file = Libc.open("/proc/self/exe", NativeProcess.O_RDONLY | Libc.O_CLOEXEC);
        if (file < 0) throw new StartupException($"The program's own file cannot be opened: {Libc.Describe(Libc.LastError)}.");
        var path = Libc.ReadLink("/proc/self/exe") ?? "";
        Handover.SetProgramPath(ref settings, path.EndsWith(deleted, StringComparison.Ordinal) ? path[..^deleted.Length] : path);
        settings.Identity = IdentityOf(file, out _);
        // Only a runtime that is a separate file lists these; RuntimeFeature says "native" for every build of a project that can
        // be native.
        var isCompiled = AppContext.GetData("TRUSTED_PLATFORM_ASSEMBLIES") is not null;
        settings.Program = isCompiled ? file : Copied(file);
    }

    /// <summary>Opens a program for an upgrade.</summary>
    /// <param name="path">Its path.</param>
    /// <param name="isNamed">Whether the caller named it.</param>
    /// <param name="settings">The current settings; they get path and identity of the program.</param>
    /// <param name="isForbidden">Whether a file system, by its device, must not be touched.</param>
    /// <param name="program">The descriptor; -1 if it is the current program.</param>
    /// <returns>Null, or why it cannot be used and the remedy.</returns>
    public static string? TryOpen(
        string path, bool isNamed, ref WorkerSettings settings, Func<uint, uint, bool> isForbidden, out int program)
    {
        program = -1;
        var opened = TrustedPath.Open(path, new PathWish { IsForbidden = isForbidden });
        if (opened.Problem is { } closed) return $"the program cannot be opened: {closed}";
        var identity = IdentityOf(opened.Descriptor, out var mode);
        // It already runs: what type of program it is does not matter.
        var isSame = identity == settings.Identity;
        string? problem = null;
        if (isSame) { }
        else if (opened.Exposed is { } exposed)
            problem = $"the program is not used: {exposed}, so that another user could put his own there; "
                + "give one that root alone can change, as install -o root -m 0755 makes it";
        else if ((mode & Executable) == 0)
            problem = $"the program cannot be executed: nobody has the right to execute {path}; name a tmemd, or make it "
                + "executable with chmod +x if it is one";
        else if (identity.Size > MostBytes)
            problem = $"the program is not used: {path} has {identity.Size} bytes, which no tmemd has";
        if (isSame || problem is not null)
        {
            _ = Libc.close(opened.Descriptor);
            if (problem is not null || !isNamed) return problem;
            Handover.SetProgramPath(ref settings, path);
            return null;
        }
        Handover.SetProgramPath(ref settings, path);
        settings.Identity = identity;
        program = FindsPartsByPath(path) ? opened.Descriptor : Copied(opened.Descriptor);
        return null;
    }

    /// <summary>Whether a descriptor can be executed: a supervisor may have kept another one under that name.</summary>
    public static bool CanRun(int descriptor)
    {
        const uint type = 0xF000, regular = 0x8000; // S_IFMT, S_IFREG
        _ = IdentityOf(descriptor, out var mode);
        return (mode & type) == regular && (mode & Executable) != 0;
    }

    /// <summary>Whether a program is one that the runtime compiles as it runs: its launcher, or the runtime's.</summary>
    private static bool FindsPartsByPath(string path) => File.Exists(path + ".dll") || Path.GetFileName(path) == "dotnet";

    private static ProgramIdentity IdentityOf(int file, out uint mode)
    {
        stat status;
        mode = 0;
        if (LibC.fstat(file, &status) != 0) return default;
        mode = (uint)status.st_mode;
        return new ProgramIdentity
        {
            Device = (ulong)status.st_dev, Inode = (ulong)status.st_ino, Size = (long)status.st_size,
            ChangedSeconds = (long)status.st_ctim.tv_sec, ChangedNanoseconds = (long)status.st_ctim.tv_nsec,
        };
    }

    /// <summary>The copy, with the file closed; or the file.</summary>
    private static int Copied(int file)
    {
        var copy = TryCopy(file);
        if (copy < 0) return file;
        _ = Libc.close(file);
        return copy;
    }

    private static int TryCopy(int file)
    {
        const uint flags = NativeProcess.MFD_CLOEXEC | NativeProcess.MFD_ALLOW_SEALING;
        var memory = NativeProcess.memfd_create("tmemd", flags | NativeProcess.MFD_EXEC);
        // Before Linux 6.3 every memfd may be executed.
        if (memory < 0 && Libc.LastError == Errno.EINVAL) memory = NativeProcess.memfd_create("tmemd", flags);
        if (memory < 0) return -1;
        var readable = -1;
        if (TryFill(memory, file) && NativeProcess.fcntl(memory, NativeProcess.F_ADD_SEALS, NativeProcess.F_SEAL_ALL) == 0)
        {
            // A file that is open for writing cannot be executed.
            readable = Libc.open($"/proc/self/fd/{memory}", NativeProcess.O_RDONLY | Libc.O_CLOEXEC);
        }
        _ = Libc.close(memory);
        if (readable < 0 || MayBeExecuted(readable)) return readable;
        _ = Libc.close(readable);
        return -1;
    }

    private static bool TryFill(int memory, int file)
    {
        var buffer = (byte*)NativeMemory.Alloc(CopyBytes);
        try
        {
            for (var at = 0L; ;)
            {
                var length = NativeProcess.pread(file, buffer, CopyBytes, at);
                if (length <= 0) return length == 0;
                if (Libc.write(memory, buffer, (nuint)length) != length) return false;
                at += length;
            }
        }
        finally
        {
            NativeMemory.Free(buffer);
        }
    }

    private static bool MayBeExecuted(int file)
    {
        fixed (byte* path = System.Text.Encoding.UTF8.GetBytes($"/proc/self/fd/{file}\0"))
            return NativeProcess.access(path, MayExecute) == 0;
    }
}
