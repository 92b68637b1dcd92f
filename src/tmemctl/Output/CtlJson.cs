using System.Text.Json.Serialization;
using Tmem.Control.Messages;
using Tmem.Ctl.Commands;
using Tmem.Ctl.Recover;
using Tmem.Ctl.Swap;

namespace Tmem.Ctl.Output;

/// <summary>What <c>--json</c> prints: the daemon's own replies, and the reports of the swap commands.</summary>
[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, WriteIndented = true)]
[JsonSerializable(typeof(StatusReply))]
[JsonSerializable(typeof(PoolListReply))]
[JsonSerializable(typeof(PoolReply))]
[JsonSerializable(typeof(PoolDestroyReply))]
[JsonSerializable(typeof(CheckReply))]
[JsonSerializable(typeof(StopReport))]
[JsonSerializable(typeof(ProcessFigures))]
[JsonSerializable(typeof(AdoptReply))]
[JsonSerializable(typeof(SwapOnReport))]
[JsonSerializable(typeof(SwapOffReport))]
[JsonSerializable(typeof(SwapStatusReport))]
[JsonSerializable(typeof(RecoverReport))]
[JsonSerializable(typeof(ErrorReport))]
internal sealed partial class CtlJson : JsonSerializerContext;

/// <summary>An error under <c>--json</c>, on standard error.</summary>
/// <param name="ExitCode">The exit code.</param>
/// <param name="Code">The daemon's code, or 0 when the error is not the daemon's.</param>
/// <param name="Message">The sentence.</param>
/// <param name="Remedy">What to do, or empty.</param>
internal sealed record ErrorReport(int ExitCode, int Code, string Message, string Remedy);
