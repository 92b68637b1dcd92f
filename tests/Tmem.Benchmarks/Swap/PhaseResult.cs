using System.Text.Json.Serialization;

namespace Tmem.Benchmarks.Swap;

/// <summary>What one phase of the workload found; one JSON line each.</summary>
internal sealed record PhaseResult
{
    /// <summary>fill, order or random.</summary>
    public required string Phase { get; init; }
    public required long Pages { get; init; }
    public required double Seconds { get; init; }
    /// <summary>Pages whose bytes were not what was written. Anything but 0 is a lost or misplaced page.</summary>
    public required long WrongPages { get; init; }
    /// <summary>Faults that had to wait for a device.</summary>
    public required long MajorFaults { get; init; }
    /// <summary>How much of the process was out when the phase ended.</summary>
    public required long SwappedBytes { get; init; }
    /// <summary>Only for random: microseconds a touch, of all touches, also those that found their page in memory.</summary>
    public double? MeanMicroseconds { get; init; }
    public double? MedianMicroseconds { get; init; }
    public double? P99Microseconds { get; init; }
}

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase,
    DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull)]
[JsonSerializable(typeof(PhaseResult))]
internal sealed partial class PhaseJson : JsonSerializerContext;
