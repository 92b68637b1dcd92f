namespace Tmem.Fuse.Filesystem;

/// <summary>Bits of st_mode.</summary>
internal static class InodeMode
{
    public const uint TypeMask = 0xF000;
    public const uint Fifo = 0x1000;
    public const uint Character = 0x2000;
    public const uint Directory = 0x4000;
    public const uint Block = 0x6000;
    public const uint Regular = 0x8000;
    public const uint SymbolicLink = 0xA000;
    public const uint Socket = 0xC000;

    /// <summary>Permissions with set-user-id, set-group-id and sticky.</summary>
    public const uint PermissionMask = 0xFFF;
    public const uint SetUserId = 0x800;
    public const uint SetGroupId = 0x400;
    public const uint GroupExecute = 0x8;

    /// <summary>
    /// The mode after a write without the privilege to keep set-id bits: without set-user-id, and without set-group-id if the
    /// group may execute or the writer is not of the group (as Linux does since 6.2).
    /// </summary>
    public static uint WithoutPrivileges(uint mode, bool inGroup)
    {
        var killed = mode & ~SetUserId;
        return (mode & GroupExecute) != 0 || !inGroup ? killed & ~SetGroupId : killed;
    }

    /// <summary>Whether executing the file gives another user's or group's privileges.</summary>
    public static bool HasPrivileges(uint mode) => (mode & (SetUserId | SetGroupId)) != 0;
}
