using System.Text.Json.Serialization;

namespace Tmem.Ctl.Output;

/// <summary>
/// The reports of <c>--json</c> beside the daemon's own replies, which ControlJson lists: no type is on both lists.
/// </summary>
[JsonSerializable(typeof(StopReport))]
[JsonSerializable(typeof(SwapOnReport))]
[JsonSerializable(typeof(SwapOffReport))]
[JsonSerializable(typeof(SwapStatusReport))]
[JsonSerializable(typeof(RecoverReport))]
[JsonSerializable(typeof(SaveReport))]
[JsonSerializable(typeof(RestoreReport))]
[JsonSerializable(typeof(ConfigReport))]
[JsonSerializable(typeof(ReloadReport))]
[JsonSerializable(typeof(ErrorReport))]
internal sealed partial class CtlJson : JsonSerializerContext;
