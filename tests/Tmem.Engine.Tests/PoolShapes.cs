namespace Tmem.Engine.Tests;

/// <summary>All shapes that a pool can have, for tests that go through all of them.</summary>
internal static class PoolShapes
{
    public static readonly int[] PageSizes = [.. Enumerable.Range(0, 5).Select(n => 4096 << n).Where(Pam.PageSizes.IsServed)];
}
