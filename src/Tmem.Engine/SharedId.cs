namespace Tmem.Engine;

/// <summary>
/// The 128-bit id that clients agree on to find a shared pool: the <c>uuid</c> of the Xen tmem ABI's NEW_POOL. 0 is none: the
/// pool is of the shared kind (a get copies and keeps) within one client. All ones, which in Xen asks for a private pool after
/// all, is refused: a client that asks to share must not silently get a pool of its own.
/// </summary>
/// <param name="Low">Low word.</param>
/// <param name="High">High word.</param>
public readonly record struct SharedId(ulong Low, ulong High)
{
    /// <summary>True for 0, the id of pools that no other client can find.</summary>
    public bool IsNone => (Low | High) == 0;

    /// <summary>True for all ones.</summary>
    internal bool IsReserved => (Low & High) == ulong.MaxValue;

    /// <summary>32 hexadecimal digits, most significant first.</summary>
    public override string ToString() => $"{High:x16}{Low:x16}";
}
