namespace Tmem.Engine.Format;

/// <summary>What the recompressor knows of a page: two bits of its descriptor, derived state.</summary>
internal enum PageAge
{
    /// <summary>Stored since the last pass.</summary>
    New = 0,

    /// <summary>A pass has seen it. If the next one finds that nobody has used it since, it is cold.</summary>
    Seen = 1,

    /// <summary>It was compressed again and did not win a size class: not worth another try until it is overwritten.</summary>
    Tried = 2,
}
