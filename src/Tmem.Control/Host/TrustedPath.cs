using System.Runtime.InteropServices;
using Tmem.Control.Messages;

namespace Tmem.Control.Host;

/// <summary>The outcome of a walk along a path: a descriptor, or a problem in words.</summary>
/// <param name="Descriptor">Of the file that the path names; -1 if there is a <see cref="Problem"/>. The caller closes
/// it.</param>
/// <param name="Problem">Why there is none: a clause that names the obstacle and the remedy.</param>
/// <param name="Exposed">The first element of the path that another user can change, in words; null if only this user and root
/// can.</param>
/// <param name="Made">Whether this call made the file.</param>
internal readonly record struct OpenedPath(int Descriptor, string? Problem, string? Exposed, bool Made)
{
    public bool IsOpen => Descriptor >= 0;
}

/// <summary>How to open a path.</summary>
internal sealed record PathWish
{
    /// <summary>Flags of open(2) for the last step. O_CLOEXEC is implied; O_CREAT makes the file if there is none.</summary>
    public int Flags { get; init; }

    /// <summary>The mode of a new file; the umask is ignored.</summary>
    public uint Mode { get; init; } = 0x180; // 0600

    /// <summary>The path names a directory; with O_CREAT, it is made if there is none, but not those above it.</summary>
    public bool IsDirectory { get; init; }

    /// <summary>Refuse a path that another user can change: the file, or a directory that leads to it.</summary>
    public bool OnlyOurs { get; init; }

    /// <summary>
    /// Whether a file system must not be entered, by major and minor number of its device: checked before any request to it.
    /// </summary>
    public Func<uint, uint, bool>? IsForbidden { get; init; }
}

/// <summary>
/// Opens a path safely for a privileged process: step by step, each from the descriptor of the one before, so that no name is
/// looked up twice. A symbolic link is followed only if no user but this one and root could have placed it; a file that is not
/// regular, which could block the open, is refused before it is opened. O_NOFOLLOW alone guards only the last step, and
/// openat2(2) does not check owners.
/// <para>Another user can change an entry of a directory that the user owns or may write to, unless the directory is sticky and
/// the entry is ours or root's.</para>
/// </summary>
internal static unsafe partial class TrustedPath
{
    private const int MostLinks = 40;
    private const uint OthersMayWrite = 0x12; // 0022
    private const uint Sticky = 0x200;

    /// <param name="path">Absolute, or below the working directory.</param>
    /// <param name="wish">How to open it.</param>
    public static OpenedPath Open(string path, PathWish wish)
    {
        if (path.Length == 0) return new(-1, "the path is empty; give one", null, false);
        if (path.Contains('\0'))
            return new(-1, $"'{path.Replace('\0', '?')}' has a character 0 in it; give a path without", null, false);
        var walk = new Walk(Path.Combine(Environment.CurrentDirectory, path), wish);
        try
        {
            return walk.Run();
        }
        finally
        {
            walk.Dispose();
        }
    }

    private static uint Self => geteuid();

    private static string Words(int error) => Marshal.GetPInvokeErrorMessage(error);

    /// <summary>Which users could change an entry of a directory.</summary>
    private static string? ExposedBy(in FileStatus directory, in FileStatus entry, string name, string below)
    {
        if (IsForeign(directory.Owner)) return $"{name} belongs to user {directory.Owner}";
        if ((directory.Mode & OthersMayWrite) == 0) return null;
        if ((directory.Mode & Sticky) == 0) return $"others may write to {name}";
        return IsForeign(entry.Owner) ? $"{below} belongs to user {entry.Owner}" : null;
    }

    private static bool IsForeign(uint owner) => owner != 0 && owner != Self;

    /// <summary>One walk: its position, and the steps still to take.</summary>
    private ref struct Walk(string path, PathWish wish)
    {
        private readonly PathWish _wish = wish;
        private readonly string _path = path;
        private readonly Stack<string> _steps = new(path.Split('/', StringSplitOptions.RemoveEmptyEntries).Reverse());
        private int _directory = -1;
        private int _entry = -1;
        private string _at = "/";
        private string? _exposed;
        private int _links;

        public OpenedPath Run()
        {
            if (Start() is { } problem) return Refuse(problem);
            if (_steps.Count == 0) return Finish(".", "/", StatusOf(_directory));
            while (true)
            {
                var step = _steps.Pop();
                var isLast = _steps.Count == 0;
                var name = step == ".." ? _at + "/.." : _at == "/" ? "/" + step : $"{_at}/{step}";
                var above = StatusOf(_directory);
                CloseEntry();
                _entry = openat(_directory, step, OPath | ONoFollow | OCloexec, 0);
                if (_entry < 0 && Marshal.GetLastPInvokeError() is var error)
                {
                    var isMissing = error == ENOENT && (_wish.Flags & OCreat) != 0;
                    // A path far from anything that exists was mistyped.
                    if (isMissing && !isLast && _wish.IsDirectory)
                        return Refuse($"{name} does not exist; make it first: mkdir -p "
                            + ShellWord.Of(Path.GetDirectoryName(_path) ?? "/"));
                    if (!isMissing || !isLast) return Refuse($"{name}: {Words(error)}");
                    if (Make(step, name, in above, out var made) is { } none) return Refuse(none);
                    if (made.IsOpen) return made;
                    continue;
                }
                if (IsForbidden(_entry))
                    return Refuse($"{name} lies on a file system of this daemon's kind, which it would have to serve itself; "
                        + "give another place");
                var facts = StatusOf(_entry);
                var exposedHere = step == ".." ? null : ExposedBy(in above, in facts, _at, name);
                if (facts.IsLink)
                {
                    if (Follow(name, exposedHere) is { } refused) return Refuse(refused);
                    continue;
                }
                _exposed ??= exposedHere;
                if (isLast) return Finish(step, name, in facts);
                if (!facts.IsDirectory) return Refuse($"{name} is no directory");
                (_directory, _entry) = (_entry, _directory);
                _at = step == ".." ? ReadName(_directory) ?? name : name;
            }
        }

        public void Dispose()
        {
            CloseEntry();
            if (_directory >= 0) _ = close(_directory);
            _directory = -1;
        }

        private string? Start()
        {
            if (_directory >= 0) _ = close(_directory);
            _at = "/";
            _directory = openat(AtCwd, "/", OPath | ODirectory | OCloexec, 0);
            return _directory < 0 ? $"/: {Words(Marshal.GetLastPInvokeError())}" : null;
        }

        private string? Follow(string name, string? exposed)
        {
            if (exposed is not null)
                return $"{name} is a symbolic link, and {exposed}, who could turn it elsewhere; give the path that it leads to";
            if (++_links > MostLinks) return $"{_path} leads through too many symbolic links";
            if (ReadLink(_entry) is not { } target) return $"{name}: {Words(Marshal.GetLastPInvokeError())}";
            foreach (var step in target.Split('/', StringSplitOptions.RemoveEmptyEntries).Reverse()) _steps.Push(step);
            if (_steps.Count == 0) _steps.Push(".");
            return target.StartsWith('/') ? Start() : null;
        }

        /// <summary>Makes a missing file or directory. Null and nothing open: the walk continues with a new look.</summary>
        private string? Make(string step, string name, in FileStatus above, out OpenedPath made)
        {
            made = new OpenedPath(-1, null, null, false);
            var exposed = ExposedBy(in above, new FileStatus { Owner = Self }, _at, name);
            if (_wish.OnlyOurs && (_exposed ?? exposed) is { } who)
                return $"{name} is not made there: {who}; give a place that is root's alone";
            if (_wish.IsDirectory)
            {
                const uint everybodyLooks = 0x1ED; // 0755
                if (mkdirat(_directory, step, everybodyLooks) != 0 && Marshal.GetLastPInvokeError() is var error and not EEXIST)
                    return $"{name}: {Words(error)}";
                _steps.Push(step);
                return null;
            }
            var descriptor = openat(_directory, step, _wish.Flags | OCreat | OExcl | ONoFollow | OCloexec, _wish.Mode);
            if (descriptor < 0)
            {
                var error = Marshal.GetLastPInvokeError();
                if (error != EEXIST) return $"{name}: {Words(error)}";
                // Another process was faster: check it like any other.
                _steps.Push(step);
                return null;
            }
            _ = fchmod(descriptor, _wish.Mode);
            made = new OpenedPath(descriptor, null, _exposed ?? exposed, true);
            return null;
        }

        /// <summary>Opens the file that the walk has reached, not the one that its name may lead to by now.</summary>
        private OpenedPath Finish(string step, string name, in FileStatus facts)
        {
            if (_wish.IsDirectory != facts.IsDirectory)
                return Refuse(_wish.IsDirectory ? $"{name} is no directory" : $"{name} is a directory; give a file");
            if (!facts.IsDirectory && !facts.IsRegular) return Refuse($"{name} is no regular file; give one");
            // For a directory, it matters who could change its future entries.
            var exposed = _exposed ?? (facts.IsDirectory
                ? ExposedBy(in facts, new FileStatus { Owner = Self }, name, name)
                : ExposedFile(in facts, name));
            if (_exposed is { } who && facts.Links > 1 && !facts.IsDirectory)
                return Refuse($"{name} has another name elsewhere, and {who}, who may have given it this one; "
                    + "give a file with one name");
            if (_wish.OnlyOurs && exposed is not null)
                return Refuse(
                    $"{exposed}; only what root alone can change is used: give it to root and take others' right to write, "
                    + "or give another place");
            var flags = (_wish.Flags & ~(OCreat | OExcl | ONoFollow)) | OCloexec | (facts.IsDirectory ? ODirectory : 0);
            var descriptor = openat(AtCwd, step == "." && _entry < 0 ? "/" : $"/proc/self/fd/{_entry}", flags, 0);
            if (descriptor < 0) return Refuse($"{name}: {Words(Marshal.GetLastPInvokeError())}");
            return new OpenedPath(descriptor, null, exposed, false);
        }

        private static string? ExposedFile(in FileStatus facts, string name)
        {
            if (IsForeign(facts.Owner)) return $"{name} belongs to user {facts.Owner}";
            if ((facts.Mode & OthersMayWrite) != 0) return $"others may write to {name}";
            return null;
        }

        private readonly bool IsForbidden(int entry)
        {
            if (_wish.IsForbidden is not { } forbidden) return false;
            return FileStatus.Of(entry, "", FileStatus.OfDescriptor | FileStatus.WithoutAsking, 0, out var status) == 0
                && forbidden(status.DeviceMajor, status.DeviceMinor);
        }

        private readonly OpenedPath Refuse(string problem) => new(-1, problem, _exposed, false);

        private void CloseEntry()
        {
            if (_entry >= 0) _ = close(_entry);
            _entry = -1;
        }
    }
}
