using System.Text;
using Tmem.Control.Host;
using Tmem.Control.Messages;
using Tmem.Ctl.Native;

namespace Tmem.Ctl.Swap;

/// <summary>
/// See <see cref="IPoolFolder"/>. Every name is looked up from this descriptor, and the kernel refuses a link there.
/// </summary>
internal sealed class PoolFolder : IPoolFolder
{
    // Only an administrator of the machine can read or set trusted.* attributes.
    private const string MarkName = ControlProtocol.SwapMark;
    private const string OldMarkName = "user.tmemctl.swap";
    private const uint OwnerOnly = 0x180; // 0600

    private readonly int _descriptor;

    private PoolFolder(int descriptor, in FileStatus status)
    {
        _descriptor = descriptor;
        Owner = status.Owner;
        Group = status.Group;
        Permissions = status.Permissions;
    }

    /// <inheritdoc/>
    public uint Owner { get; private set; }

    /// <inheritdoc/>
    public uint Group { get; private set; }

    /// <inheritdoc/>
    public uint Permissions { get; private set; }

    /// <summary>Takes over a descriptor of the directory; closes it on failure.</summary>
    public static string? Take(int descriptor, out IPoolFolder? folder)
    {
        folder = null;
        var error = Files.Status(descriptor, out var status);
        if (error == Errno.Ok) folder = new PoolFolder(descriptor, status);
        else Files.Close(descriptor);
        return error.Problem();
    }

    /// <inheritdoc/> <remarks>The owner first: a change of it takes rights away, and none is to be given to the old
    /// one.</remarks>
    public string? Give(uint owner, uint group, uint permissions)
    {
        var error = Files.ChangeOwner(_descriptor, owner, group);
        if (error == Errno.Ok) error = Files.ChangeMode(_descriptor, permissions);
        if (error == Errno.Ok) (Owner, Group, Permissions) = (owner, group, permissions);
        return error.Problem();
    }

    /// <inheritdoc/>
    public string? Claim => Text(_descriptor, MarkName);

    /// <inheritdoc/>
    public string? SetClaim(string? mark)
    {
        var error = mark is null ? Files.RemoveAttribute(_descriptor, MarkName)
            : Files.SetAttribute(_descriptor, MarkName, Encoding.UTF8.GetBytes(mark));
        return error == Errno.ENODATA ? null : error.Problem();
    }

    /// <inheritdoc/>
    public string? Create(string name, long size, string mark, out ISwapFile? file)
    {
        file = null;
        const int flags = Files.ReadWrite | Files.Create | Files.Exclusive;
        var error = Files.OpenAt(_descriptor, name, flags | Files.NoFollow, out var descriptor, OwnerOnly);
        if (error != Errno.Ok) return error.Problem();
        var problem = Prepare(descriptor, size, mark, out var identity);
        if (problem is null)
        {
            file = new SwapFileHandle(descriptor, identity);
            return null;
        }
        _ = Files.UnlinkAt(_descriptor, name);
        Files.Close(descriptor);
        return problem;
    }

    /// <inheritdoc/>
    public FoundFile? Find(string name)
    {
        var folder = _descriptor;
        var parts = name.Split('/');
        try
        {
            foreach (var part in parts[..^1])
            {
                var error = Files.OpenAt(folder, part, Files.DirectoryOnly | Files.NoFollow, out var next);
                if (folder != _descriptor) Files.Close(folder);
                folder = next;
                if (error != Errno.Ok) return null;
            }
            // Non-blocking: the file may be a FIFO.
            if (Files.OpenAt(folder, parts[^1], Files.NoFollow | Files.NonBlocking, out var descriptor) != Errno.Ok) return null;
            var isFile = Files.Status(descriptor, out var status) == Errno.Ok && status.IsRegular;
            var found = isFile
                ? new FoundFile(status.Identity, status.Owner, status.Permissions, status.Links, (long)status.Size,
                    Text(descriptor, MarkName), Text(descriptor, OldMarkName))
                : null;
            Files.Close(descriptor);
            return found;
        }
        finally
        {
            if (folder != _descriptor && folder >= 0) Files.Close(folder);
        }
    }

    /// <inheritdoc/>
    public IReadOnlyList<string> Names()
    {
        try
        {
            return [.. Directory.EnumerateFileSystemEntries($"/proc/self/fd/{_descriptor}/")
                .Select(path => Path.GetFileName(path))];
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            return [];
        }
    }

    /// <inheritdoc/> <remarks>Between the check and the removal only root could put another file there: the directory is closed
    /// to all others.</remarks>
    public string? Remove(string name, FileIdentity file)
    {
        if (Find(name) is not { } found || found.Identity != file) return null;
        var folder = _descriptor;
        if (Path.GetDirectoryName(name) is { Length: > 0 } below)
        {
            if (Files.OpenAt(_descriptor, below, Files.DirectoryOnly | Files.NoFollow, out folder) is not Errno.Ok and var none)
                return none.Problem();
        }
        var error = Files.UnlinkAt(folder, Path.GetFileName(name));
        if (folder != _descriptor) Files.Close(folder);
        return error == Errno.ENOENT ? null : error.Problem();
    }

    /// <inheritdoc/>
    public void Dispose() => Files.Close(_descriptor);

    private static string? Prepare(int descriptor, long size, string mark, out FileIdentity identity)
    {
        identity = default;
        var value = Encoding.UTF8.GetBytes(mark);
        // The umask may have taken rights from the owner; group and others have none.
        if (Files.ChangeMode(descriptor, OwnerOnly).Problem() is { } closed) return closed;
        if (Files.SetAttribute(descriptor, MarkName, value).Problem() is { } unmarked)
            return $"mark it as a swap file ({MarkName}): {unmarked}";
        if (Files.Truncate(descriptor, size).Problem() is { } sized) return sized;
        var error = Files.Status(descriptor, out var status);
        identity = status.Identity;
        return error.Problem();
    }

    private static string? Text(int descriptor, string name)
    {
        Span<byte> value = stackalloc byte[64];
        return Files.GetAttribute(descriptor, name, value, out var length) == Errno.Ok
            ? Encoding.UTF8.GetString(value[..length]) : null;
    }
}
