namespace Tmem.Engine;

/// <summary>A region that cannot be created or attached; the message names the region and the remedy.</summary>
public sealed class RegionException : Exception
{
    /// <summary>Makes one.</summary>
    public RegionException(string message) : base(message) { }

    /// <summary>Makes one with its cause.</summary>
    public RegionException(string message, Exception inner) : base(message, inner) { }

    /// <summary>Makes one without a message.</summary>
    public RegionException() { }
}
