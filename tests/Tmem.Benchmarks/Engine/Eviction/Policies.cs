namespace Tmem.Benchmarks.Engine.Eviction;

/// <summary>
/// A cache of a fixed number of pages that knows only which pages it holds: what the engine's hit ratio is compared with.
/// </summary>
internal abstract class Policy(string name)
{
    public string Name => name;

    /// <summary>Asks for a page, taking it in if it is not there. True if it was.</summary>
    public abstract bool Access(long page);

    public static Policy[] All(int pages) =>
        [new Lru(pages), new Fifo(pages), new Clock(pages), new Sieve(pages), new S3Fifo(pages)];
}

/// <summary>Exact LRU.</summary>
internal sealed class Lru(int pages) : Policy("LRU")
{
    private readonly Dictionary<long, LinkedListNode<long>> _held = new(pages);
    private readonly LinkedList<long> _order = new();

    public override bool Access(long page)
    {
        if (_held.TryGetValue(page, out var node))
        {
            _order.Remove(node);
            _order.AddFirst(node);
            return true;
        }
        if (_held.Count == pages)
        {
            _held.Remove(_order.Last!.Value);
            _order.RemoveLast();
        }
        _held[page] = _order.AddFirst(page);
        return false;
    }
}

/// <summary>First in, first out.</summary>
internal sealed class Fifo(int pages) : Policy("FIFO")
{
    private readonly HashSet<long> _held = new(pages);
    private readonly Queue<long> _order = new(pages);

    public override bool Access(long page)
    {
        if (_held.Contains(page)) return true;
        if (_held.Count == pages) _held.Remove(_order.Dequeue());
        _held.Add(page);
        _order.Enqueue(page);
        return false;
    }
}

/// <summary>CLOCK: a ring of pages, a hand, and a bit a page that a use sets and the hand takes away.</summary>
internal sealed class Clock(int pages) : Policy("CLOCK")
{
    private readonly Dictionary<long, int> _held = new(pages);
    private readonly long[] _ring = new long[pages];
    private readonly bool[] _used = new bool[pages];
    private int _hand;

    public override bool Access(long page)
    {
        if (_held.TryGetValue(page, out var place))
        {
            _used[place] = true;
            return true;
        }
        if (_held.Count == pages)
        {
            for (; _used[_hand]; _hand = (_hand + 1) % pages) _used[_hand] = false;
            _held.Remove(_ring[_hand]);
        }
        _ring[_hand] = page;
        _held[page] = _hand;
        _hand = (_hand + 1) % pages;
        return false;
    }
}

/// <summary>
/// SIEVE (Zhang et al., NSDI 2024): pages in order of arrival; the hand goes from old to new and kept pages keep their place.
/// </summary>
internal sealed class Sieve(int pages) : Policy(Title)
{
    public const string Title = "SIEVE";

    private sealed class Entry { public long Page; public bool Visited; }

    private readonly Dictionary<long, LinkedListNode<Entry>> _held = new(pages);
    private readonly LinkedList<Entry> _order = new();
    private LinkedListNode<Entry>? _hand;

    public override bool Access(long page)
    {
        if (_held.TryGetValue(page, out var node))
        {
            node.Value.Visited = true;
            return true;
        }
        if (_held.Count == pages)
        {
            var victim = _hand ?? _order.Last!;
            while (victim.Value.Visited)
            {
                victim.Value.Visited = false;
                victim = victim.Previous ?? _order.Last!;
            }
            _hand = victim.Previous;
            _held.Remove(victim.Value.Page);
            _order.Remove(victim);
        }
        _held[page] = _order.AddFirst(new Entry { Page = page });
        return false;
    }
}

/// <summary>
/// S3-FIFO (Yang et al., SOSP 2023): a small queue of a tenth for newcomers, a main one for what was used there or is remembered
/// by the ghost queue, counts up to 3.
/// </summary>
internal sealed class S3Fifo(int pages) : Policy(Title)
{
    public const string Title = "S3-FIFO";

    private readonly Dictionary<long, byte> _held = new(pages);
    private readonly Queue<long> _small = new();
    private readonly Queue<long> _main = new();
    private readonly Dictionary<long, int> _ghosts = [];
    private readonly Queue<(long Page, int Stamp)> _ghostOrder = new();
    private readonly int _smallShare = Math.Max(1, pages / 10);
    private int _stamp;

    public override bool Access(long page)
    {
        if (_held.TryGetValue(page, out var uses))
        {
            _held[page] = (byte)Math.Min(uses + 1, 3);
            return true;
        }
        while (_held.Count >= pages)
        {
            if (_small.Count >= _smallShare || _main.Count == 0) EvictSmall();
            else EvictMain();
        }
        _held[page] = 0;
        if (_ghosts.Remove(page)) _main.Enqueue(page);
        else _small.Enqueue(page);
        return false;
    }

    private void EvictSmall()
    {
        while (_small.TryDequeue(out var page))
        {
            if (_held[page] > 1)
            {
                _held[page] = 0;
                _main.Enqueue(page);
                continue;
            }
            _held.Remove(page);
            _ghosts[page] = ++_stamp;
            _ghostOrder.Enqueue((page, _stamp));
            while (_ghosts.Count > pages - _smallShare && _ghostOrder.TryDequeue(out var oldest))
            {
                if (_ghosts.GetValueOrDefault(oldest.Page) == oldest.Stamp) _ghosts.Remove(oldest.Page);
            }
            return;
        }
    }

    private void EvictMain()
    {
        while (_main.TryDequeue(out var page))
        {
            if (_held[page] > 0)
            {
                _held[page]--;
                _main.Enqueue(page);
                continue;
            }
            _held.Remove(page);
            return;
        }
    }
}
