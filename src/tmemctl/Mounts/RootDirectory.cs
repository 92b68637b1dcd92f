using Tmem.Ctl.Native;

namespace Tmem.Ctl.Mounts;

/// <summary>Owner, group and mode of a mount's root directory, which the daemon keeps.</summary>
internal static class RootDirectory
{
    /// <summary>Gives it what is wished for.</summary>
    public static Errno Set(string directory, MountWish wish)
    {
        var error = Files.Open(directory, Files.ReadOnly | Files.DirectoryOnly, out var root);
        if (error != Errno.Ok) return error;
        if (wish.Owner is not null || wish.Group is not null)
            error = Files.ChangeOwner(root, wish.Owner ?? uint.MaxValue, wish.Group ?? uint.MaxValue);
        // After the owner, whose change takes set-id bits away.
        if (error == Errno.Ok && wish.Mode is { } mode) error = Files.ChangeMode(root, mode);
        Files.Close(root);
        return error;
    }

    /// <summary>Whether it differs from what is wished for.</summary>
    public static Errno Look(string directory, MountWish wish, out bool differs)
    {
        differs = false;
        var error = Files.Open(directory, Files.ReadOnly | Files.DirectoryOnly, out var root);
        if (error != Errno.Ok) return error;
        error = Files.Status(root, out var status);
        Files.Close(root);
        differs = (wish.Owner ?? status.Owner, wish.Group ?? status.Group, wish.Mode ?? status.Permissions)
            != (status.Owner, status.Group, status.Permissions);
        return error;
    }
}
