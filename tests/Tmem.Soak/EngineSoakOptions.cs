namespace Tmem.Soak;

/// <summary>One engine soak.</summary>
/// <param name="Duration">How long the threads work; the last checks come after.</param>
/// <param name="Threads">How many.</param>
/// <param name="Seed">What they do.</param>
/// <param name="CapacityBytes">The store's capacity.</param>
/// <param name="RegionPath">The region's file; null for a memfd.</param>
internal sealed record EngineSoakOptions(TimeSpan Duration, int Threads, int Seed, long CapacityBytes, string? RegionPath)
{
    /// <summary>Less has no room for every thread's pools and something in them.</summary>
    public const long MinimumCapacity = 4 << 20;
}

/// <summary>What the threads mostly do for now.</summary>
internal enum Phase { Grow, Churn, Shrink }
