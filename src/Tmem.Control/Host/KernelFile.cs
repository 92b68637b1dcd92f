namespace Tmem.Control.Host;

/// <summary>Files of /proc and /sys, which go with what they tell of.</summary>
internal static class KernelFile
{
    /// <summary>What one says, without the line break at its end; null if it is gone, or not ours to read.</summary>
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
