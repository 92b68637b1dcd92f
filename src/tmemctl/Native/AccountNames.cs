using System.Runtime.InteropServices;

namespace Tmem.Ctl.Native;

/// <summary>
/// Names of users and groups, for people: from wherever the C library knows them, a directory service included. A number that
/// nobody knows stands for itself.
/// </summary>
internal static partial class AccountNames
{
    /// <summary>"alice:users".</summary>
    public static string Of(uint user, uint group) => $"{User(user)}:{Group(group)}";

    public static string User(uint number) => NameIn(getpwuid(number)) ?? $"{number}";

    public static string Group(uint number) => NameIn(getgrgid(number)) ?? $"{number}";

    /// <summary>The first member of struct passwd and struct group; null if there is none, or no name in it.</summary>
    private static string? NameIn(nint entry) =>
        entry != 0 && Marshal.PtrToStringUTF8(Marshal.ReadIntPtr(entry)) is { Length: > 0 } name ? name : null;

    // Not of several threads: the entry is the library's own, until the next call.
    [LibraryImport("libc")]
    private static partial nint getpwuid(uint user);

    [LibraryImport("libc")]
    private static partial nint getgrgid(uint group);
}
