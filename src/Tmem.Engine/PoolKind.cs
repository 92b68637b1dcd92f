namespace Tmem.Engine;

/// <summary>What becomes of the pages of a pool; chosen when it is made. <see cref="PoolFlags"/> says the same in bits.</summary>
public enum PoolKind
{
    /// <summary>
    /// What is put stays until it is flushed; a put may be refused. Frontswap's kind: for data that is nowhere else.
    /// </summary>
    Persistent,

    /// <summary>
    /// A page may vanish at any time, to make room; a get leaves it where it is. For copies of what can be had again, at a price.
    /// </summary>
    Cache,

    /// <summary>
    /// As <see cref="Cache"/>, but a get takes the page out: cleancache's kind, for a second level below a cache of one's own,
    /// which then holds the page itself.
    /// </summary>
    Exclusive,
}
