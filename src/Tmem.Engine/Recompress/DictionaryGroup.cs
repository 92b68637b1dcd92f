namespace Tmem.Engine.Recompress;

/// <summary>The pages that share dictionaries: those of one large pool, or of all small ones.</summary>
/// <param name="pool">The pool; none for the group of the small ones.</param>
internal sealed class DictionaryGroup(PoolId pool)
{
    public PoolId Pool => pool;

    /// <summary>The dictionary for new pages; -1 before there is one.</summary>
    public int Current { get; set; } = -1;

    /// <summary>When the next try to train one is due, on the clock of <see cref="Environment.TickCount64"/>.</summary>
    public long NextTraining { get; set; }
}
