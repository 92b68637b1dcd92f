using Tmem.Fuse.Abi;
using Tmem.Fuse.Native;
using Tmem.Fuse.Protocol;
using Tmem.Fuse.Tests.Filesystem;
using Xunit;

namespace Tmem.Fuse.Tests.Crash;

/// <summary>
/// Truncations and hole punches work in steps, and are killed before each. The next process finds the new size or still the old
/// one, never shows what was cut off, whatever makes the file grow, and finishes the work when the request comes again.
/// </summary>
public sealed class StepKillTests
{
    private const int Page = TestVolume.Page;
    private const int Pages = 5000;
    private const int MostSteps = 20;

    /// <summary>What follows a kill: the request again, or one that makes the file grow, or a new mount.</summary>
    public enum Next { Again, Write, Grow, Zero, NewMount }

    [Theory]
    [InlineData(Next.Again), InlineData(Next.Write), InlineData(Next.Grow), InlineData(Next.Zero), InlineData(Next.NewMount)]
    public void A_truncation_killed_at_any_step_shows_nothing_of_what_it_cut_off(Next next)
    {
        var kills = 0;
        for (var step = 0; ; step++)
        {
            Assert.InRange(step, 0, MostSteps);
            using var volume = new TestVolume(128 * TestVolume.Mebi);
            var file = Filled(volume, out var open);
            if (!IsKilled(volume, step, () => volume.Truncate(file, 3 * Page + 10))) break;
            kills++;
            volume.Attach();
            volume.AssertSound();
            // Nothing but the size may show that it was not begun.
            var begun = volume.Attributes(file).Size == 3 * Page + 10;
            Assert.True(begun || volume.Attributes(file).Size == (ulong)Pages * Page);
            var from = begun ? 3 * Page + 10 : Pages * Page;
            var end = (ulong)(Pages - 1) * Page + 5;
            switch (next)
            {
                case Next.Again: Assert.Equal(Errno.Ok, volume.Truncate(file, 3 * Page + 10)); from = 3 * Page + 10; break;
                case Next.Write: volume.Write(file, end - 1, [0]); break;
                case Next.Grow: if (begun) Assert.Equal(Errno.Ok, volume.Truncate(file, end)); break;
                case Next.Zero: Assert.Equal(Errno.Ok, volume.Files.Allocate(TestVolume.Root, file, 0, end - 1, 1, 0x10)); break;
                default:
                    volume.Files.Release(TestVolume.Root, file, open);
                    volume.Files.DropKernelReferences();
                    file = volume.Find(volume.Find(NodeId.Root, "p"), "f");
                    break;
            }
            if (next == Next.Again || begun) Assert.InRange(volume.Attributes(file).Blocks, 1UL, 5 * 8UL);
            Assert.Equal(Errno.Ok, volume.Truncate(file, (ulong)Pages * Page));
            Assert.Equal(Contents()[..(3 * Page + 10)], volume.Read(file, 0, 3 * Page + 10));
            if (begun || next == Next.Again)
                Assert.False(volume.Read(file, (ulong)from, Pages * Page).AsSpan().ContainsAnyExcept((byte)0));
            volume.AssertSound();
        }
        // Mark, size, 5 steps of pages, and the rest of the last page: at least these.
        Assert.InRange(kills, 8, MostSteps);
    }

    [Fact]
    public void A_hole_killed_at_any_step_is_punched_when_the_request_comes_again()
    {
        var contents = Contents();
        contents.AsSpan(5000, Pages * Page - 10_000).Clear();
        for (var step = 0; ; step++)
        {
            Assert.InRange(step, 0, MostSteps);
            using var volume = new TestVolume(128 * TestVolume.Mebi);
            var file = Filled(volume, out _);
            var killed = IsKilled(volume, step, Punch);
            volume.Attach();
            volume.AssertSound();
            Assert.Equal(Errno.Ok, Punch());
            Assert.Equal(contents, volume.Read(file, 0, Pages * Page));
            if (killed) continue;
            Assert.InRange(step, 5, MostSteps);
            break;

            Errno Punch() => volume.Files.Allocate(TestVolume.Root, file, 0, 5000, Pages * Page - 10_000, 3);
        }
    }

    [Theory]
    [InlineData(false), InlineData(true)]
    public void What_was_left_to_another_thread_is_finished_when_the_request_comes_again_or_from_its_note(bool comesAgain)
    {
        for (var step = 0; ; step++)
        {
            Assert.InRange(step, 0, MostSteps);
            using var volume = new TestVolume(128 * TestVolume.Mebi);
            var file = Filled(volume, out _);
            volume.Files.WorkLeft = () => { };
            var change = new FuseSetattrIn { Valid = FuseSetattrValid.Size, Size = 10 };
            Assert.Equal(Errno.Ok, volume.Files.SetAttributes(TestVolume.Root, file, change, out _, out var deferral));
            Assert.Equal(Deferral.Truncated(file), deferral);
            var killed = IsKilled(volume, step, Drop);
            volume.Attach();
            volume.AssertSound();
            volume.Files.WorkLeft = () => { };
            if (comesAgain)
            {
                Assert.Equal(Errno.Ok, volume.Files.SetAttributes(TestVolume.Root, file, change, out _, out var again));
                Assert.Equal(default, again);
            }
            else Assert.Equal(Errno.Ok, Drop());
            Assert.Equal((10UL, 8UL), (volume.Attributes(file).Size, volume.Attributes(file).Blocks));
            Assert.Equal(Contents()[..10], volume.Read(file, 0, 10));
            volume.AssertSound();
            if (killed) continue;
            Assert.InRange(step, 2, MostSteps);
            break;

            Errno Drop()
            {
                while (volume.Files.DropSome(in deferral)) { }
                return Errno.Ok;
            }
        }
    }

    private static byte[] Contents()
    {
        var data = new byte[Pages * Page];
        for (var page = 0; page < Pages; page++)
        {
            data.AsSpan(page * Page, 40).Fill((byte)(page % 255 + 1));
            data.AsSpan((page + 1) * Page - 40, 40).Fill((byte)(page % 255 + 1));
        }
        return data;
    }

    private static NodeId Filled(TestVolume volume, out ulong handle)
    {
        var file = volume.File(volume.Pool(), "f");
        Assert.Equal(Errno.Ok, volume.Files.Open(TestVolume.User, file, 2, 0, out var open));
        handle = open.Fh;
        volume.Write(file, 0, Contents());
        return file;
    }

    private static bool IsKilled(TestVolume volume, int step, Func<Errno> work)
    {
        volume.Files.BeforeStep = () => { if (step-- == 0) throw new Killed(); };
        try
        {
            Assert.Equal(Errno.Ok, work());
            return false;
        }
        catch (Killed)
        {
            return true;
        }
    }
}
