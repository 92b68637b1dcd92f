using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Tmem.Fuse.Keeper;
using Xunit;

namespace Tmem.Fuse.Tests.Keeper;

/// <summary>The page that keeper and workers share, across versions of the program.</summary>
public sealed class HandoverTests
{
    /// <summary>
    /// What an earlier program of the same version made is as long as what is mapped here: a field beyond its end must lie in the
    /// same page of memory, where it is 0.
    /// </summary>
    [Fact]
    public void Fields_that_were_added_lie_in_memory_that_an_earlier_keeper_made()
    {
        var firstAdded = (int)Marshal.OffsetOf<HandoverPage>(nameof(HandoverPage.Life));
        Assert.Equal((firstAdded + 4095) / 4096, (Unsafe.SizeOf<HandoverPage>() + 4095) / 4096);
    }
}
