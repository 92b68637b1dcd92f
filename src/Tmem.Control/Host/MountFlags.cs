namespace Tmem.Control.Host;

/// <summary>
/// The flags of a mount that the kernel keeps (mount(2)), and the words for them that mount(8) and /proc/mounts have. noatime is
/// always set, because it is what the file system does: a read never changes a file's access time.
/// </summary>
internal static class MountFlags
{
    public const uint ReadOnly = 1, NoSetId = 2, NoDevices = 4, NoExecute = 8, Remount = 32, NoLinks = 256, NoAccessTimes = 1024;

    /// <summary>What tmemd mounts with unless it is told otherwise.</summary>
    public const uint Usual = NoSetId | NoDevices | NoAccessTimes;

    /// <summary>What the first column of the mount table has unless tmemd is told otherwise.</summary>
    public const string UsualSource = "tmem";

    private static readonly (string Word, string Opposite, uint Flag)[] s_words =
    [
        ("ro", "rw", ReadOnly), ("nosuid", "suid", NoSetId), ("nodev", "dev", NoDevices), ("noexec", "exec", NoExecute),
        ("nosymfollow", "symfollow", NoLinks),
    ];

    /// <summary>The words, in the order of a message.</summary>
    public static IReadOnlyList<string> Words { get; } = [.. s_words.SelectMany(one => (string[])[one.Word, one.Opposite])];

    /// <summary>Sets or clears the flag that a word is about; false if it is none of them.</summary>
    public static bool TryApply(string word, ref uint flags)
    {
        foreach (var (on, off, flag) in s_words)
        {
            if (word == on) flags |= flag;
            else if (word == off) flags &= ~flag;
            else continue;
            return true;
        }
        return false;
    }

    /// <summary>The flags of a mount, of which the mount table has these words among others.</summary>
    public static uint Of(string words)
    {
        var flags = NoAccessTimes;
        foreach (var word in words.Split(',')) _ = TryApply(word, ref flags);
        return flags;
    }

    /// <summary>All words that a mount with these flags has: "rw,nosuid,nodev,exec,symfollow".</summary>
    public static string Describe(uint flags) =>
        string.Join(',', s_words.Select(one => (flags & one.Flag) != 0 ? one.Word : one.Opposite));
}
