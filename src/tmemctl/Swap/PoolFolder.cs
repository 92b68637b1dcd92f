using System.Runtime.InteropServices;
using System.Text;
using Tmem.Control.Host;

namespace Tmem.Ctl.Swap;

/// <summary>
/// See <see cref="IPoolFolder"/>. Every name is looked up from this descriptor, and a link at it is refused by the kernel.
/// </summary>
internal sealed class PoolFolder : IPoolFolder
{
    // Of trusted.* attributes the kernel lets only an administrator of the machine read or set any.
    private const string MarkName = "trusted.tmem.swap";
    private const string OldMarkName = "user.tmemctl.swap";
    private const uint OwnerOnly = 0x180; // 0600
    private const uint OwnerOnlyFolder = 0x1C0; // 0700

    private readonly int _descriptor;

    private PoolFolder(int descriptor, in FileStatus status)
    {
        _descriptor = descriptor;
        Owner = status.Owner;
        Permissions = status.Permissions;
    }

    /// <inheritdoc/>
    public uint Owner { get; }

    /// <inheritdoc/>
    public uint Permissions { get; private set; }

    /// <summary>Takes over a descriptor of the directory; closes it if that fails.</summary>
    public static string? Take(int descriptor, out IPoolFolder? folder)
    {
        folder = null;
        if (FileStatus.Of(descriptor, "", FileStatus.OfDescriptor, FileStatus.Basic, out var status) == 0)
        {
            folder = new PoolFolder(descriptor, status);
            return null;
        }
        var problem = NativeMethods.LastError();
        _ = NativeMethods.Close(descriptor);
        return problem;
    }

    /// <inheritdoc/>
    public string? CloseToOthers()
    {
        if (NativeMethods.ChangeMode(_descriptor, OwnerOnlyFolder) != 0) return NativeMethods.LastError();
        Permissions = OwnerOnlyFolder;
        return null;
    }

    /// <inheritdoc/>
    public string? Create(string name, long size, string mark, out ISwapFile? file)
    {
        file = null;
        const int flags = NativeMethods.ReadWrite | NativeMethods.Create | NativeMethods.Exclusive | NativeMethods.CloseOnExec;
        var descriptor = NativeMethods.OpenAt(_descriptor, name, flags | NativeMethods.NoFollow, OwnerOnly);
        if (descriptor < 0) return NativeMethods.LastError();
        var problem = Prepare(descriptor, size, mark, out var identity);
        if (problem is null)
        {
            file = new SwapFileHandle(descriptor, identity);
            return null;
        }
        _ = NativeMethods.UnlinkAt(_descriptor, name, 0);
        _ = NativeMethods.Close(descriptor);
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
                var next = NativeMethods.OpenAt(folder, part,
                    NativeMethods.CloseOnExec | NativeMethods.DirectoryOnly | NativeMethods.NoFollow, 0);
                if (folder != _descriptor) _ = NativeMethods.Close(folder);
                folder = next;
                if (folder < 0) return null;
            }
            // Not blocking: what lies there may be a FIFO.
            var descriptor = NativeMethods.OpenAt(folder, parts[^1],
                NativeMethods.CloseOnExec | NativeMethods.NoFollow | NativeMethods.NonBlocking, 0);
            if (descriptor < 0) return null;
            var isFile = FileStatus.Of(descriptor, "", FileStatus.OfDescriptor, FileStatus.Basic, out var status) == 0
                && status.IsRegular;
            var found = isFile
                ? new FoundFile(status.Identity, status.Owner, status.Permissions, status.Links, Text(descriptor, MarkName),
                    Text(descriptor, OldMarkName))
                : null;
            _ = NativeMethods.Close(descriptor);
            return found;
        }
        finally
        {
            if (folder != _descriptor && folder >= 0) _ = NativeMethods.Close(folder);
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

    /// <inheritdoc/> <remarks>Between the look and the removal only root could put another file there: the directory is closed to
    /// all others.</remarks>
    public string? Remove(string name, FileIdentity file)
    {
        if (Find(name) is not { } found || found.Identity != file) return null;
        var folder = _descriptor;
        if (Path.GetDirectoryName(name) is { Length: > 0 } below)
        {
            folder = NativeMethods.OpenAt(_descriptor, below,
                NativeMethods.CloseOnExec | NativeMethods.DirectoryOnly | NativeMethods.NoFollow, 0);
            if (folder < 0) return NativeMethods.LastError();
        }
        var problem = NativeMethods.UnlinkAt(folder, Path.GetFileName(name), 0) == 0
            || Marshal.GetLastPInvokeError() == NativeMethods.ENOENT ? null : NativeMethods.LastError();
        if (folder != _descriptor) _ = NativeMethods.Close(folder);
        return problem;
    }

    /// <inheritdoc/>
    public void Dispose() => _ = NativeMethods.Close(_descriptor);

    private static string? Prepare(int descriptor, long size, string mark, out FileIdentity identity)
    {
        identity = default;
        var value = Encoding.UTF8.GetBytes(mark);
        // The mask of the caller may have taken rights from the owner; nothing gives others any.
        if (NativeMethods.ChangeMode(descriptor, OwnerOnly) != 0) return NativeMethods.LastError();
        if (NativeMethods.SetAttribute(descriptor, MarkName, value, (nuint)value.Length, 0) != 0)
            return $"mark it as a swap file ({MarkName}): {NativeMethods.LastError()}";
        if (NativeMethods.Truncate(descriptor, size) != 0) return NativeMethods.LastError();
        if (FileStatus.Of(descriptor, "", FileStatus.OfDescriptor, FileStatus.Basic, out var status) != 0)
            return NativeMethods.LastError();
        identity = status.Identity;
        return null;
    }

    private static string? Text(int descriptor, string name)
    {
        Span<byte> value = stackalloc byte[64];
        var length = NativeMethods.GetAttribute(descriptor, name, value, (nuint)value.Length);
        return length < 0 ? null : Encoding.UTF8.GetString(value[..(int)length]);
    }
}
