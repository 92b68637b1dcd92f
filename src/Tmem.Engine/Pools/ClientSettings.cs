namespace Tmem.Engine.Pools;

/// <summary>
/// All settings of a client in one word, so that any change is one store.
/// <code>
/// | limit / 16 : 44 | weight : 16 | 0 : 3 | frozen : 1 |
/// </code>
/// Every slot is a multiple of 16 bytes, so rounding a limit down to one admits the same pages.
/// </summary>
internal readonly record struct ClientSettings(ulong Word)
{
    private const int WeightShift = 4;
    private const int LimitShift = 20;
    private const ulong FrozenBit = 1;

    public static readonly ClientSettings Default = Of(new ClientOptions(), frozen: false);

    public bool IsFrozen => (Word & FrozenBit) != 0;
    public int Weight => (ushort)(Word >> WeightShift);
    public long LimitBytes => (long)(Word >> LimitShift << 4);
    public ClientOptions Options => new(Weight, LimitBytes);

    /// <summary>False for a word that no program of this version writes.</summary>
    public bool IsValid => (Word & 0xE) == 0 && Weight != 0;

    public static ClientSettings Of(in ClientOptions options, bool frozen)
    {
        // A limit below 16 bytes admits nothing, and must not become "none".
        var limit = options.LimitBytes == 0 ? 0 : Math.Max(1, (ulong)options.LimitBytes >> 4);
        return new(limit << LimitShift | (ulong)options.Weight << WeightShift | (frozen ? FrozenBit : 0));
    }
}
