using Tmem.Engine.Index;
using Tmem.Engine.Operations;
using Tmem.Engine.Pam;
using Tmem.Engine.Pools;
using Tmem.Engine.Region;
using Tmem.Engine.Tests.Operations;

namespace Tmem.Engine.Tests.Linearizability;

// Engines with one mistake each, of the kinds that a store like this can have. Where two steps should be one, Thread.Yield
// between them makes the mistake show in a short race; it never breaks a correct program.

/// <summary>A put that answers before it is done: each thread defers it to its next call.</summary>
internal sealed class LatePut(TmemClient client, PoolId pool) : Subject(client, pool)
{
    private readonly ThreadLocal<(ObjectId Object, uint Index, byte[] Page)?> _waiting = new();

    public override TmemStatus Put(in ObjectId obj, uint index, ReadOnlySpan<byte> page)
    {
        Catchup();
        _waiting.Value = (obj, index, page.ToArray());
        return TmemStatus.Ok;
    }

    public override TmemStatus Get(in ObjectId obj, uint index, Span<byte> page)
    {
        var status = base.Get(obj, index, page);
        Catchup();
        return status;
    }

    private void Catchup()
    {
        if (_waiting.Value is not { } put) return;
        _waiting.Value = null;
        base.Put(put.Object, put.Index, put.Page);
    }
}

/// <summary>A put that stores twice: a put in between is lost, and an overwritten page comes back.</summary>
internal sealed class TwicePut(TmemClient client, PoolId pool) : Subject(client, pool)
{
    public override TmemStatus Put(in ObjectId obj, uint index, ReadOnlySpan<byte> page)
    {
        base.Put(obj, index, page);
        Thread.Yield();
        return base.Put(obj, index, page);
    }
}

/// <summary>
/// A replacement in two steps, old page out, new page in: for a moment a page that should be there all the time is missing.
/// </summary>
internal sealed class TwoStepReplace(TmemClient client, PoolId pool) : Subject(client, pool)
{
    public override TmemStatus Replace(in ObjectId obj, uint index, ReadOnlySpan<byte> page)
    {
        base.FlushPage(obj, index);
        Thread.Yield();
        return base.Replace(obj, index, page);
    }
}

/// <summary>A consuming get that copies and removes in two steps (over a pool that keeps): two callers get one page.</summary>
internal sealed class TwoStepGet(TmemClient client, PoolId pool) : Subject(client, pool)
{
    public override TmemStatus Get(in ObjectId obj, uint index, Span<byte> page)
    {
        var status = base.Get(obj, index, page);
        Thread.Yield();
        if (status == TmemStatus.Ok) base.FlushPage(obj, index);
        return status;
    }
}

/// <summary>A get that reads each half of the page at a different moment.</summary>
internal sealed class TornGet(TmemClient client, PoolId pool) : Subject(client, pool)
{
    public override TmemStatus Get(in ObjectId obj, uint index, Span<byte> page)
    {
        var status = base.Get(obj, index, page);
        Thread.Yield();
        Span<byte> later = stackalloc byte[Pages.Size];
        if (base.Get(obj, index, later) == TmemStatus.Ok) later[(Pages.Size / 2)..].CopyTo(page[(Pages.Size / 2)..]);
        return status;
    }
}

/// <summary>A flush that says nothing was there.</summary>
internal sealed class SilentFlush(TmemClient client, PoolId pool) : Subject(client, pool)
{
    public override TmemStatus FlushPage(in ObjectId obj, uint index)
    {
        base.FlushPage(obj, index);
        return TmemStatus.Miss;
    }
}

/// <summary>The engine's own operations over a page store with a mistake in it.</summary>
internal sealed class SubjectOver<TPam>(TmemEngine engine, PoolId id, TPam pam) : Subject(engine.Client(new TmemClientId(1)), id)
    where TPam : struct, IPamOps
{
    private readonly Pool _pool = engine.PoolTable.Find(id)!;
    private readonly PageOperations<RegionHost, TPam> _operations = Over(new(new RegionHost(engine.Slabs), pam));

    private static PageOperations<RegionHost, TPam> Over(PageIndex<RegionHost, TPam> index) =>
        new(index, new PageRemoval<RegionHost, TPam>(index), new NoReclaimer());

    public override TmemStatus Put(in ObjectId obj, uint index, ReadOnlySpan<byte> page) =>
        _operations.Put(_pool, _pool.Owner, obj, index, page, keepOld: false);
    public override TmemStatus Replace(in ObjectId obj, uint index, ReadOnlySpan<byte> page) =>
        _operations.Put(_pool, _pool.Owner, obj, index, page, keepOld: true);
    public override TmemStatus Get(in ObjectId obj, uint index, Span<byte> page) =>
        _operations.Get(_pool, obj, index, page, out _);
}

/// <summary>
/// A page store whose get notes the page's place under the latch and copies it afterwards: by then the slot may hold another
/// page. The copy under the latch exists to prevent this mistake.
/// </summary>
internal readonly struct LateGrab(CompressedStore store) : IPamOps
{
    [ThreadStatic] private static ulong t_descriptor;
    [ThreadStatic] private static ulong t_leaf;

    public TmemStatus Create(ReadOnlySpan<byte> page, in PageOwner owner, IRoomMaker maker, out ulong descriptor) =>
        store.Create(page, owner, maker, out descriptor);
    public TmemStatus Keep(ReadOnlySpan<byte> stored, int format, in PageOwner owner, IRoomMaker maker, out ulong descriptor) =>
        store.Keep(stored, format, owner, maker, out descriptor);
    public void MarkReturned(ulong descriptor) => store.MarkReturned(descriptor);
    public bool KnowsFormat(uint format) => store.KnowsFormat(format);
    public void Bind(ulong descriptor, ulong leaf) => store.Bind(descriptor, leaf);
    public void Free(ulong descriptor) => store.Free(descriptor);
    public PageCost Cost(ulong descriptor) => store.Cost(descriptor);
    public void Release(ulong place) => store.Release(place);
    public bool IsAt(ulong descriptor, ulong place) => store.IsAt(descriptor, place);
    public ulong Move(ulong descriptor, ulong place, ulong leaf) => store.Move(descriptor, place, leaf);
    public void Rebind(ulong descriptor, ulong leaf, int poolPlace, int bucket) =>
        store.Rebind(descriptor, leaf, poolPlace, bucket);
    public bool IsBound(ulong descriptor, ulong leaf) => store.IsBound(descriptor, leaf);
    public bool Holds(ulong descriptor, ulong leaf, in Grabbed grabbed, ReadOnlySpan<byte> stored) =>
        store.Holds(descriptor, leaf, grabbed, stored);

    public void Expect(ulong descriptor) => store.Expect(descriptor);

    public Grabbed Grab(ulong descriptor, ulong leaf, Span<byte> room, bool markUsed)
    {
        t_descriptor = descriptor;
        t_leaf = leaf;
        return new Grabbed(GrabKind.Stored);
    }

    public TmemStatus Unpack(in Grabbed grabbed, ReadOnlySpan<byte> stored, Span<byte> page, out int length)
    {
        Thread.Yield();
        var room = Scratch.For(page.Length).Stored;
        return store.Unpack(store.Grab(t_descriptor, t_leaf, room, markUsed: false), room, page, out length);
    }
}
