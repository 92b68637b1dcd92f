using System.Text.Json.Serialization;

namespace Tmem.Ctl.Output;

/// <summary>
/// The report of <c>swap on</c> under --json. Of the device, and the priority, the first part's; the last member is how much of
/// the device the store holds if no page shrinks.
/// </summary>
internal sealed record SwapOnReport(string Device, long SizeBytes, int Priority, int Parts, string Pool, bool PoolMade,
    string File, long SureBytes);

/// <summary>
/// The report of <c>swap off</c> under --json: the devices turned off, and the store's memory before and after.
/// </summary>
internal sealed record SwapOffReport(IReadOnlyList<string> Devices, IReadOnlyList<string> PoolsRemoved, long UsedBytesBefore,
    long UsedBytesAfter)
{
    /// <summary>Memory freed; 0 if others stored more meanwhile.</summary>
    public long FreedBytes => Math.Max(0, UsedBytesBefore - UsedBytesAfter);
}

/// <summary>The report of <c>swap status</c> under --json.</summary>
internal sealed record SwapStatusReport(bool On, IReadOnlyList<SwapDeviceReport> Devices, IReadOnlyList<SwapLeftover> Leftovers)
{
    public static SwapStatusReport Off { get; } = new(false, [], []);
}

/// <summary>The rest of a swap that was not turned off in order: a file, a device on it, or both.</summary>
/// <param name="File">Its path.</param>
/// <param name="Device">Its loop device, or null.</param>
/// <param name="Pool">The device's name; "" if its pool is gone.</param>
internal sealed record SwapLeftover(string File, string? Device, string Pool);

/// <summary>A part of a swap device, to the kernel a device of its own.</summary>
internal sealed record SwapPartReport(string Device, long SizeBytes, long UsedBytes, int Priority);

/// <summary>One swap device. The figures are those of its pool.</summary>
internal sealed record SwapDeviceReport
{
    /// <summary>The first part's.</summary>
    public required string Device { get; init; }
    public required long SizeBytes { get; init; }
    public required long UsedBytes { get; init; }
    /// <summary>The first part's, which is the highest.</summary>
    public required int Priority { get; init; }
    /// <summary>The devices of the kernel that it consists of, in the order in which they fill.</summary>
    public required IReadOnlyList<SwapPartReport> Parts { get; init; }
    public required string Pool { get; init; }
    public required string File { get; init; }
    public required long Pages { get; init; }
    public required long OriginalBytes { get; init; }
    public required long CompressedBytes { get; init; }
    public required long MemoryBytes { get; init; }
    /// <summary>Original by compressed bytes, two decimals; null when the pool is empty.</summary>
    public required double? Ratio { get; init; }
    /// <summary>How much more the store can take if pages compress as they have so far.</summary>
    public required long RoomBytes { get; init; }
    /// <summary>How much more it can take if no page shrinks.</summary>
    public required long RoomBytesAtWorst { get; init; }
    /// <summary>Whether 'swap on' made it; if not, 'swap off' does not touch it.</summary>
    public required bool Ours { get; init; }

    /// <summary>For a table: "/dev/loop3 +7".</summary>
    [JsonIgnore]
    public string Name => Parts.Count == 1 ? Device : $"{Device} +{Parts.Count - 1}";
}

/// <summary>The report of <c>recover</c>: sentences.</summary>
/// <param name="Done">What was torn down.</param>
/// <param name="Lost">What the death of the daemon cost.</param>
/// <param name="Left">What could not be torn down, each with the remedy.</param>
internal sealed record RecoverReport(IReadOnlyList<string> Done, IReadOnlyList<string> Lost, IReadOnlyList<string> Left);

/// <summary>The report of <c>stop</c>.</summary>
/// <param name="Pid">The daemon's process.</param>
/// <param name="Ended">Whether all of its processes have ended; else they are about to.</param>
/// <param name="LostBytes">Memory of the store whose contents the region's file does not have.</param>
internal sealed record StopReport(int Pid, bool Ended, long LostBytes);

/// <summary>The report of <c>config show</c> and <c>config check</c>.</summary>
/// <param name="Files">Those that were read, the weakest first.</param>
/// <param name="Settings">What holds.</param>
internal sealed record ConfigReport(IReadOnlyList<string> Files, IReadOnlyList<ConfigSetting> Settings);

/// <summary>One setting.</summary>
/// <param name="Section">"store", "swap" or "pool".</param>
/// <param name="Pool">The pool's name; null outside of one.</param>
/// <param name="Key">The key.</param>
/// <param name="Value">In TOML.</param>
/// <param name="Bytes">What a size comes to; else null.</param>
/// <param name="From">"default", "file" or "option".</param>
/// <param name="Option">The option; else null.</param>
/// <param name="File">The file; else null.</param>
/// <param name="Line">Its line.</param>
internal sealed record ConfigSetting(string Section, string? Pool, string Key, string Value, long? Bytes, string From,
    string? Option, string? File, int? Line);

/// <summary>The report of <c>reload</c>.</summary>
/// <param name="Files">Those that were read, the weakest first.</param>
/// <param name="Changes">What differed from what runs.</param>
internal sealed record ReloadReport(IReadOnlyList<string> Files, IReadOnlyList<ReloadLine> Changes);

/// <summary>One setting that differed.</summary>
/// <param name="State">"applied", "would be applied", "needs more", "failed" or "unknown" (not answered).</param>
/// <param name="What">The setting and both values.</param>
/// <param name="From">Where it is written.</param>
/// <param name="Note">What it needs, or why it failed; else empty.</param>
internal sealed record ReloadLine(string State, string What, string From, string Note);

/// <summary>The report of <c>save</c>, if it does not write to standard output.</summary>
/// <param name="Pools">The pools.</param>
/// <param name="Entries">Names of files and directories.</param>
/// <param name="Bytes">The length of the stream.</param>
/// <param name="File">Where it is.</param>
internal sealed record SaveReport(IReadOnlyList<string> Pools, long Entries, long Bytes, string File);

/// <summary>The report of <c>restore</c>.</summary>
/// <param name="Pools">The pools.</param>
/// <param name="Entries">Names of files and directories.</param>
/// <param name="Bytes">The length of the stream.</param>
internal sealed record RestoreReport(IReadOnlyList<string> Pools, long Entries, long Bytes);

/// <summary>An error under <c>--json</c>, on standard error.</summary>
/// <param name="ExitCode">The exit code.</param>
/// <param name="Code">The daemon's code, or 0 when the error is not the daemon's.</param>
/// <param name="Message">The sentence.</param>
/// <param name="Remedy">What to do, or empty.</param>
internal sealed record ErrorReport(int ExitCode, int Code, string Message, string Remedy);
