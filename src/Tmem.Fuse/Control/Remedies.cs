namespace Tmem.Fuse.Control;

/// <summary>What to do about a refusal whose reason may say so itself.</summary>
internal static class Remedies
{
    /// <summary>The remedy that stands behind a reason.</summary>
    /// <param name="reason">Why; what to do stands behind a semicolon, if it is known.</param>
    /// <param name="whole">What to do where the reason does not say.</param>
    /// <param name="rest">What is left to do where it does.</param>
    public static string After(string reason, string whole, string rest) =>
        reason.Contains("; ", StringComparison.Ordinal) ? rest : whole;
}
