namespace Tmem.Engine;

/// <summary>How a pool treats its pages; chosen when it is created. <see cref="PoolFlags"/> holds the same in bits.</summary>
public enum PoolKind
{
    /// <summary>
    /// A stored page stays until it is flushed; a put may be refused. Frontswap's kind: for data that exists nowhere else.
    /// </summary>
    Persistent,

    /// <summary>
    /// A page may vanish at any time to make room; a get leaves it in place. For copies that can be obtained again at a cost.
    /// </summary>
    Cache,

    /// <summary>
    /// As <see cref="Cache"/>, but a get takes the page out: cleancache's kind, for a second level below the caller's own cache,
    /// which then holds the page itself.
    /// </summary>
    Exclusive,
}
