using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using Tmem.Control.Messages;

namespace Tmem.Ctl.Mounts;

/// <summary>The socket of a daemon that mount(8) has started: named after the mount point, so that it can be found.</summary>
internal static class MountSocket
{
    private const string Begin = "/mount-";
    private const string End = ".sock";

    /// <summary>The directory of all sockets that nobody chose another place for.</summary>
    public static string Folder { get; } = Path.GetDirectoryName(ControlProtocol.DefaultSocket)!;

    /// <summary>
    /// The path for a mount point, escaped as systemd-escape --path does: /mnt/a b is mount-mnt-a\x20b.sock. One that would be
    /// longer than a socket's path can be ends with a hash.
    /// </summary>
    public static string Of(string mountPoint)
    {
        var room = ControlProtocol.LongestSocketPath - Folder.Length - Begin.Length - End.Length;
        var name = Escaped(mountPoint);
        if (name.Length > room)
        {
            var hash = Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(mountPoint)).AsSpan(0, 8));
            name = $"{name[..(room - hash.Length - 1)]}.{hash}";
        }
        return Folder + Begin + name + End;
    }

    private static string Escaped(string mountPoint)
    {
        var parts = mountPoint.Split('/', StringSplitOptions.RemoveEmptyEntries);
        if (parts.Length == 0) return "-";
        var name = new StringBuilder();
        foreach (var letter in Encoding.UTF8.GetBytes(string.Join('/', parts)))
        {
            if (letter == (byte)'/') name.Append('-');
            else if (char.IsAsciiLetterOrDigit((char)letter) || letter is (byte)'_' or (byte)':'
                || (letter == (byte)'.' && name.Length > 0)) name.Append((char)letter);
            else name.Append(CultureInfo.InvariantCulture, $"\\x{letter:x2}");
        }
        return name.ToString();
    }
}
