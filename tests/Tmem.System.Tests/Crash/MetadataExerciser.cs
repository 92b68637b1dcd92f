using System.Text;
using Mono.Unix.Native;

namespace Tmem.System.Tests.Crash;

/// <summary>
/// A client that makes, renames, links and removes files and attributes in a directory of its own, and knows what each call must
/// answer: an operation carried out twice shows as EEXIST, ENOENT or a wrong link count, a lost one as a missing name.
/// </summary>
internal sealed class MetadataExerciser : IDisposable
{
    private const int Names = 24;
    private const string Attribute = "user.stamp";

    private readonly string _folder;
    private readonly Random _random;
    private readonly Thread _thread;
    /// <summary>What each name must be: a file (its links share one), a directory, or nothing.</summary>
    private readonly Node?[] _names = new Node?[Names];
    private volatile bool _stop;
    private string? _problem;

    public MetadataExerciser(string folder, int seed)
    {
        _folder = folder;
        _random = new Random(seed);
        _thread = new Thread(Run) { IsBackground = true };
        _thread.Start();
    }

    /// <summary>The wrong answer; null if all were right.</summary>
    public string? Problem => _problem;

    public long Operations { get; private set; }

    /// <summary>Ends it, and compares all names with what must be there.</summary>
    public void Finish()
    {
        _stop = true;
        if (!_thread.Join(TimeSpan.FromSeconds(60))) throw new TimeoutException("an operation on names is stuck");
        if (_problem is null) CheckNames();
    }

    public void Dispose() => _stop = true;

    private void Run()
    {
        Expect(Syscall.mkdir(_folder, FilePermissions.ACCESSPERMS), 0, $"mkdir {_folder}");
        while (!_stop && _problem is null)
        {
            var (a, b) = (_random.Next(Names), _random.Next(Names));
            switch (_random.Next(9))
            {
                case 0 or 1: Create(a); break;
                case 2: MakeDirectory(a); break;
                case 3: Remove(a); break;
                case 4 or 5: Rename(a, b); break;
                case 6: Link(a, b); break;
                case 7: SetAttribute(a); break;
                default: Stat(a); break;
            }
            Operations++;
        }
    }

    private void Create(int name)
    {
        var descriptor = Syscall.open(PathOf(name), OpenFlags.O_CREAT | OpenFlags.O_EXCL | OpenFlags.O_RDWR,
            FilePermissions.S_IRUSR | FilePermissions.S_IWUSR);
        Expect(descriptor < 0 ? -1 : 0, _names[name] is null ? 0 : Errno.EEXIST, $"create {name}");
        if (descriptor < 0) return;
        _names[name] = new Node { Links = 1, Size = _random.Next(20_000) };
        Expect(Syscall.ftruncate(descriptor, _names[name]!.Size), 0, $"truncate {name}");
        Expect(Syscall.close(descriptor), 0, $"close {name}");
    }

    private void MakeDirectory(int name)
    {
        Expect(Syscall.mkdir(PathOf(name), FilePermissions.ACCESSPERMS), _names[name] is null ? 0 : Errno.EEXIST,
            $"mkdir {name}");
        _names[name] ??= new Node { IsDirectory = true, Links = 2 };
    }

    private void Remove(int name)
    {
        var node = _names[name];
        var result = node?.IsDirectory == true ? Syscall.rmdir(PathOf(name)) : Syscall.unlink(PathOf(name));
        Expect(result, node is null ? Errno.ENOENT : 0, $"remove {name}");
        if (node is not null) node.Links--;
        _names[name] = null;
    }

    private void Rename(int from, int to)
    {
        var (source, target) = (_names[from], _names[to]);
        Errno expected = 0;
        if (source is null) expected = Errno.ENOENT;
        else if (target is not null && source.IsDirectory && !target.IsDirectory) expected = Errno.ENOTDIR;
        else if (target is not null && !source.IsDirectory && target.IsDirectory) expected = Errno.EISDIR;
        Expect(Stdlib.rename(PathOf(from), PathOf(to)), expected, $"rename {from} to {to}");
        // Two names of one file stay as they are.
        if (expected != 0 || from == to || ReferenceEquals(source, target)) return;
        if (target is not null) target.Links--;
        _names[to] = source;
        _names[from] = null;
    }

    private void Link(int from, int to)
    {
        var (source, target) = (_names[from], _names[to]);
        Errno expected = 0;
        if (source is null) expected = Errno.ENOENT;
        else if (target is not null) expected = Errno.EEXIST;
        else if (source.IsDirectory) expected = Errno.EPERM;
        Expect(Syscall.link(PathOf(from), PathOf(to)), expected, $"link {from} to {to}");
        if (expected != 0) return;
        source!.Links++;
        _names[to] = source;
    }

    private void SetAttribute(int name)
    {
        var node = _names[name];
        if (node is null) return;
        var stamp = $"{Operations}";
        if (node.Stamp is null)
        {
            Expect(Syscall.setxattr(PathOf(name), Attribute, Encoding.ASCII.GetBytes(stamp), XattrFlags.XATTR_CREATE), 0,
                $"set an attribute of {name}");
            node.Stamp = stamp;
            return;
        }
        Expect(Syscall.removexattr(PathOf(name), Attribute), 0, $"remove an attribute of {name}");
        node.Stamp = null;
    }

    private void Stat(int name)
    {
        var node = _names[name];
        Expect(Syscall.lstat(PathOf(name), out var status), node is null ? Errno.ENOENT : 0, $"stat {name}");
        if (node is null || _problem is not null) return;
        if (node.IsDirectory ? (status.st_mode & FilePermissions.S_IFMT) != FilePermissions.S_IFDIR : status.st_size != node.Size
            || (int)status.st_nlink != node.Links)
            _problem =
                $"operation {Operations}: {name} has {status.st_nlink} links and {status.st_size} bytes, not {node.Links} and "
                + $"{node.Size}";
    }

    private void CheckNames()
    {
        var found = Directory.EnumerateFileSystemEntries(_folder).Select(Path.GetFileName).Order().ToArray();
        var expected = Enumerable.Range(0, Names).Where(name => _names[name] is not null).Select(name => $"n{name}").Order()
            .ToArray();
        if (!found.SequenceEqual(expected)) _problem = $"names are {string.Join(' ', found)}, not {string.Join(' ', expected)}";
        for (var name = 0; name < Names && _problem is null; name++) Stat(name);
    }

    private void Expect(int result, Errno expected, string what)
    {
        var answered = result == 0 ? 0 : Stdlib.GetLastError();
        if (answered != expected) _problem ??= $"operation {Operations}, {what}: answered {answered}, not {expected}";
    }

    private string PathOf(int name) => Path.Combine(_folder, $"n{name}");

    private sealed class Node
    {
        public bool IsDirectory { get; init; }
        public long Size { get; init; }
        public int Links { get; set; }
        public string? Stamp { get; set; }
    }
}
