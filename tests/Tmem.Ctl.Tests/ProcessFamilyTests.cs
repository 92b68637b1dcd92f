using System.Diagnostics;
using Tmem.Benchmarks.Linux;
using Xunit;

namespace Tmem.Ctl.Tests;

/// <summary>
/// What the benchmarks count as the daemon's: a keeper that does next to nothing, and its worker, which has all the time and
/// memory.
/// </summary>
public sealed class ProcessFamilyTests
{
    // Grandchildren, one of which ends, is reaped, and is followed by another: a replaced worker.
    private const string Keeper = """
        sh -c 'sh -c "i=0; while [ \$i -lt 100000 ]; do i=\$((i+1)); done"
        echo next
        while :; do :; done' &
        read -r line
        kill $!
        """;

    [Fact]
    public void The_time_of_those_who_descend_from_it_is_its_own()
    {
        using var keeper = Start();
        Assert.Equal("next", keeper.StandardOutput.ReadLine());
        var first = ProcessFamily.CpuSeconds(keeper.Id);
        var alone = ProcessTimes.CpuSeconds(keeper.Id);
        Assert.True(first > alone, $"{first} s counted, {alone} s alone");
        Assert.True(SpinWait.SpinUntil(() => ProcessFamily.CpuSeconds(keeper.Id) > first, TimeSpan.FromMinutes(1)));
        Assert.True(ProcessFamily.ResidentBytes(keeper.Id) > 0);
        End(keeper);
        Assert.Equal((0, 0), (ProcessFamily.CpuSeconds(keeper.Id), ProcessFamily.ResidentBytes(keeper.Id)));
    }

    private static Process Start() => Process.Start(new ProcessStartInfo("/bin/sh", ["-c", Keeper])
    {
        RedirectStandardInput = true,
        RedirectStandardOutput = true,
    })!;

    private static void End(Process keeper)
    {
        keeper.StandardInput.WriteLine();
        keeper.WaitForExit();
    }
}
