namespace Tmem.Engine.Reclaim;

/// <summary>
/// How many of the pages are on probation, and how many should be. The fewer, the sooner a page has to be used, and the more room
/// there is for kept ones: right for popularity that lasts, wrong where a page is used again soon or not at all.
/// <para>What is right is learnt from the pages that come back shortly after their eviction. If those evicted on probation do so
/// more often, each for itself, than those that had been kept, the next page of memory is worth more on probation, and the share
/// grows; else it shrinks. ARC (Megiddo and Modha, FAST 2003) has this idea; it does not weigh a return by how rare evictions of
/// its kind are, and then the many evictions on probation outvote the few others.</para>
/// <para>The share that is has no counter, because flushes and gets remove pages without looking at them. Every change that the
/// hands make moves the estimate by a page, and what the hand over probation passes corrects it, slowly: an average of what both
/// hands pass is wrong by as much as their positions differ, which cost 0.4 to 13 points on the traces.</para>
/// </summary>
internal sealed class Probation
{
    /// <summary>A smaller share (3 %) wins 0.1 points on Zipf traces, and costs half as many passes of a hand again.</summary>
    private const double Least = 0.05;

    private const double Most = 0.8;

    /// <summary>With more than this many times the share that should be, there is room among the kept pages.</summary>
    private const double Ample = 1.5;

    /// <summary>Shares by which a return moves the target, in pages.</summary>
    private const double Weight = 2;

    /// <summary>Passes after which the estimate follows what the hand sees.</summary>
    private const int Passes = 16_384;

    /// <summary>The same, and the pages of an imagined store, for evictions from one client or pool.</summary>
    private const int PassesOfPart = 256;

    /// <summary>Evictions over which the part of pages that were kept is averaged.</summary>
    private const int Evictions = 1024;

    private double _target = Least;
    private double _ofAll = 1;
    private double _ofPart = 1;
    private double _evictedKept = 0.1;
    private double _pages = 1;

    /// <summary>The share that should be.</summary>
    public double Target => Volatile.Read(ref _target);

    /// <summary>The share that is, of all pages.</summary>
    public double Share => _ofAll;

    /// <summary>The pages in all. Set from time to time.</summary>
    public long Pages { get => (long)_pages; set => _pages = Math.Max(1, value); }

    /// <summary>Whether a kept page is to go on probation next.</summary>
    public bool IsShort(bool ofPart) => (ofPart ? _ofPart : _ofAll) < Target;

    /// <summary>Whether there is room among the kept pages.</summary>
    public bool IsAmple(bool ofPart) => (ofPart ? _ofPart : _ofAll) > Ample * Target;

    /// <summary>The hand over probation has passed kept pages, and then perhaps one on probation.</summary>
    public void Passed(bool ofPart, int kept, bool oneOnProbation)
    {
        ref var share = ref ofPart ? ref _ofPart : ref _ofAll;
        var weight = ofPart ? 1.0 / PassesOfPart : 1.0 / Passes;
        // As one after the other, to within the square of the weight.
        share /= 1 + kept * weight;
        if (oneOnProbation) share += (1 - share) * weight;
    }

    /// <summary>A page was demoted (1) or has become a kept one (-1).</summary>
    public void Moved(bool ofPart, int change)
    {
        _ofAll += change / _pages;
        if (ofPart) _ofPart += (double)change / PassesOfPart;
    }

    /// <summary>So many more pages came to probation than were evicted there, or fewer.</summary>
    public void Came(long pages) => _ofAll = Math.Clamp(_ofAll + pages / _pages, 0, 1);

    public void Evicted(bool wasKept) =>
        _evictedKept = Math.Clamp(_evictedKept + ((wasKept ? 1 : 0) - _evictedKept) / Evictions, 0.01, 0.99);

    /// <summary>
    /// A page is back that was evicted a short while ago. By any thread: of two changes at once one may be lost.
    /// </summary>
    public void Returned(bool wasKept)
    {
        var change = Weight / _pages / (wasKept ? -_evictedKept : 1 - _evictedKept);
        Volatile.Write(ref _target, Math.Clamp(_target + change, Least, Most));
    }
}
