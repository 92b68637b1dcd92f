namespace Tmem.Engine;

/// <summary>A region that cannot be created or attached; the message names the region and the remedy.</summary>
public sealed class RegionException : Exception
{
    /// <summary>An exception with this message.</summary>
    public RegionException(string message) : base(message) { }

    /// <summary>An exception with this message and cause.</summary>
    public RegionException(string message, Exception inner) : base(message, inner) { }

    /// <summary>An exception without a message.</summary>
    public RegionException() { }
}
