namespace Tmem.Engine.Tests;

/// <summary>What pools can be, for tests that go through all of it.</summary>
internal static class PoolShapes
{
    public static readonly int[] PageSizes = [.. Enumerable.Range(0, 5).Select(n => 4096 << n).Where(Pam.PageSizes.IsServed)];
}
