namespace Tmem.Benchmarks.Engine;

/// <summary>A figure against its target, one line each: what the run was for.</summary>
internal static class Verdict
{
    public static void AtMost(string what, double found, double target) => Print(what, found, "<=", target, found <= target);

    public static void AtLeast(string what, double found, double target) => Print(what, found, ">=", target, found >= target);

    public static void Below(string what, double found, double target) => Print(what, found, "<", target, found < target);

    private static void Print(string what, double found, string relation, double target, bool met) =>
        Console.WriteLine($"  {what,-64}{found,9:F3}   target {relation,2} {target:F2}   {(met ? "met" : "MISSED")}");
}
