namespace Tmem.Control.Messages;

/// <summary>What to do about a refused upgrade, whose reason may say most of it.</summary>
internal static class UpgradeRemedy
{
    /// <param name="reason">Why it was refused; what to do stands behind a semicolon, if it is known.</param>
    public static string Of(string reason) => reason.Contains("; ", StringComparison.Ordinal)
        ? "then upgrade again" : "remove the cause and upgrade again";
}
