using Tmem.Benchmarks.Linux;

namespace Tmem.Benchmarks.Engine;

/// <summary>One figure over the rounds of a run. Ratios are of medians; the minimum says what the code can do.</summary>
internal sealed class Series
{
    private readonly List<double> _values = [];

    public double Median => _values.Count == 0 ? double.NaN : _values.Order().ElementAt(_values.Count / 2);

    public double Minimum => _values.Count == 0 ? double.NaN : _values.Min();

    public void Add(double value) => _values.Add(value);

    /// <summary>
    /// Runs a pass and notes its nanoseconds of processor time an operation, unless the round is a warm-up (below 0). The
    /// thread's time and not the clock's: what others take of the machine is in neither figure. A pass that waits for nothing
    /// takes as much on the clock of an idle machine.
    /// </summary>
    public void Time(int round, long operations, Action pass)
    {
        var start = ProcessTimes.ThreadNanoseconds();
        pass();
        var taken = (double)(ProcessTimes.ThreadNanoseconds() - start);
        if (round >= 0) Add(taken / operations);
    }

    /// <summary>Minimum and median, as the tables print them.</summary>
    public override string ToString() => $"{Minimum:F0} / {Median:F0}";
}
