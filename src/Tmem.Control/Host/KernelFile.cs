namespace Tmem.Control.Host;

/// <summary>Files of /proc and /sys, which vanish with what they describe.</summary>
internal static class KernelFile
{
    /// <summary>The contents of one without the trailing line break; null if it is gone, or access is denied.</summary>
    public static string? TryRead(string path)
    {
        try
        {
            return File.ReadAllText(path).TrimEnd('\n');
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }
}
