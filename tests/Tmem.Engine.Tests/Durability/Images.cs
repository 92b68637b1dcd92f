namespace Tmem.Engine.Tests.Durability;

/// <summary>Checks an image once its journal has been applied.</summary>
internal static class Images
{
    /// <summary>The image is the memory, byte for byte.</summary>
    public static unsafe void AssertIsMemory(TmemEngine engine, SimulatedDisk disk)
    {
        var (ours, theirs) = (new byte[4096], new byte[4096]);
        var contents = disk.Contents;
        var used = (long)engine.Slabs.Spans.PlaceOf((uint)engine.Slabs.Spans.HighWater);
        fixed (byte* page = ours)
        {
            for (long at = 0; at < used; at += ours.Length)
            {
                engine.Memory.Read(at, page, ours.Length);
                contents.Read(at, theirs);
                Assert.True(ours.AsSpan().SequenceEqual(theirs), $"the image has something else at {at:x}");
            }
        }
    }
}
