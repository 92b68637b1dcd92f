namespace Tmem.Benchmarks.Swap;

/// <summary>What a swap device's store holds at one moment.</summary>
/// <param name="SwapUsedBytes">Bytes of pages out on the device, as /proc/swaps counts them.</param>
/// <param name="StoreBytes">Memory the store itself says it uses for them, metadata included.</param>
/// <param name="ProcessBytes">All memory resident in the processes that serve the device; 0 where there are none.</param>
internal readonly record struct StoreUse(long SwapUsedBytes, long StoreBytes, long ProcessBytes);

/// <summary>
/// One kind of swap device under comparison: made by <see cref="Start"/>, undone by Dispose even after half a start.
/// </summary>
internal interface ISwapPeer : IDisposable
{
    /// <summary>Its name in tables.</summary>
    string Name { get; }

    /// <summary>Makes the device, at least so large, and swaps to it before any other.</summary>
    void Start(long bytes, int priority);

    StoreUse Use();

    /// <summary>Processor seconds of the processes that serve the device so far; null where the kernel serves it.</summary>
    double? DaemonCpuSeconds();
}
