namespace Tmem.Engine.Tests.Durability;

/// <summary>
/// A test that means one tracker names it: where the kernel has the other, it would silently test the wrong one.
/// </summary>
internal static class Trackers
{
    public static void AssertIs(TmemEngine engine, bool isWithout = false)
    {
        var tracking = engine.Statistics().Durability.Tracking;
        Assert.SkipWhen(!isWithout && tracking == ChangeTracking.Hashes,
            "this kernel or sandbox cannot tell which pages are written (Linux 6.7, userfaultfd)");
        Assert.Equal(isWithout ? ChangeTracking.Hashes : ChangeTracking.WriteProtection, tracking);
    }
}
