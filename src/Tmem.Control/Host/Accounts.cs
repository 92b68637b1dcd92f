using System.Globalization;

namespace Tmem.Control.Host;

/// <summary>
/// Users and groups of this machine by name. Read from its own files, not through the C library: its modules for names from
/// elsewhere would be mapped into every program that reads settings, and such a user or group can be written as a number.
/// </summary>
internal static class Accounts
{
    private const string Users = "/etc/passwd";
    private const string Groups = "/etc/group";

    /// <summary>The user's number; null if there is none of this name.</summary>
    public static uint? User(string name) => Find(Users, name);

    /// <summary>The group's number; null if there is none of this name.</summary>
    public static uint? Group(string name) => Find(Groups, name);

    /// <summary>The third field of the line that begins with the name; a number stands for itself.</summary>
    private static uint? Find(string file, string name)
    {
        if (uint.TryParse(name, NumberStyles.None, CultureInfo.InvariantCulture, out var number))
            return number == uint.MaxValue ? null : number;
        try
        {
            foreach (var line in File.ReadLines(file))
                if (line.Split(':') is [var its, _, var id, ..] && its == name
                    && uint.TryParse(id, NumberStyles.None, CultureInfo.InvariantCulture, out number)) return number;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // Nobody is known.
        }
        return null;
    }
}
