using System.Text.Json.Serialization;

namespace Tmem.Ctl.Output;

/// <summary>
/// What <c>--json</c> prints beside the daemon's own replies, which ControlJson lists: nothing is on both lists.
/// </summary>
[JsonSerializable(typeof(StopReport))]
[JsonSerializable(typeof(SwapOnReport))]
[JsonSerializable(typeof(SwapOffReport))]
[JsonSerializable(typeof(SwapStatusReport))]
[JsonSerializable(typeof(RecoverReport))]
[JsonSerializable(typeof(ErrorReport))]
internal sealed partial class CtlJson : JsonSerializerContext;
