using System.Text.Json;
using Tmem.Control.Messages;

namespace Tmem.Fuse.Control;

/// <summary>
/// The management API's lines of the log: every act of administration is one, with who asked for what and what came of it.
/// Figures are asked for every few seconds, and are none.
/// </summary>
/// <param name="Info">Gets what was done.</param>
/// <param name="Warning">Gets what was refused, and what failed.</param>
internal sealed record ControlLog(Action<string> Info, Action<string> Warning)
{
    private const int MostParameters = 300;

    /// <summary>Notes the outcome of a call.</summary>
    public void Note(ControlPeer peer, string method, JsonElement? parameters, in RpcAnswer answer)
    {
        var isRefusedToHim = answer.Error?.Code == ControlErrorCode.NotPermitted;
        if (!ControlMethod.Changes(method) && !isRefusedToHim) return;
        var what = parameters is { } given ? $"{Shorten(method)} {Shorten(given.GetRawText())}" : Shorten(method);
        if (answer.Error is { } error) Warning($"control: {peer}: {what}: refused: {error.Message}");
        else Info($"control: {peer}: {what}: done");
    }

    private static string Shorten(string text) => text.Length <= MostParameters ? text : text[..MostParameters] + "…";
}
