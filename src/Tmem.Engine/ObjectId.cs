namespace Tmem.Engine;

/// <summary>
/// The 192-bit id of an object: three words, compared most significant word last-to-first (word 2, then 1, then 0), as in the
/// kztmem patch of 2011 and the Xen tmem ABI. All ones is invalid and refused by every operation.
/// </summary>
/// <param name="Word0">Least significant word.</param>
/// <param name="Word1">Middle word.</param>
/// <param name="Word2">Most significant word.</param>
public readonly partial record struct ObjectId(ulong Word0, ulong Word1, ulong Word2) : IComparable<ObjectId>
{
    /// <summary>The one id the ABI reserves: all ones.</summary>
    public static readonly ObjectId Invalid = new(ulong.MaxValue, ulong.MaxValue, ulong.MaxValue);

    /// <summary>An id of one significant word, for users who number their objects.</summary>
    public ObjectId(ulong word0) : this(word0, 0, 0) { }

    /// <summary>False for the reserved id.</summary>
    public bool IsValid => (Word0 & Word1 & Word2) != ulong.MaxValue;

    /// <inheritdoc/>
    public int CompareTo(ObjectId other)
    {
        var order = Word2.CompareTo(other.Word2);
        if (order == 0) order = Word1.CompareTo(other.Word1);
        if (order == 0) order = Word0.CompareTo(other.Word0);
        return order;
    }

    /// <summary>The next id in order; after the last valid one, the reserved id.</summary>
    internal ObjectId Next()
    {
        if (Word0 != ulong.MaxValue) return this with { Word0 = Word0 + 1 };
        return Word1 != ulong.MaxValue ? new ObjectId(0, Word1 + 1, Word2) : new ObjectId(0, 0, Word2 + 1);
    }

    /// <summary>A 64-bit mix of all three words; its low byte chooses the bucket.</summary>
    internal ulong Hash()
    {
        // Two rounds of multiply-xorshift a word (the finaliser of SplitMix64): neighbouring numbers spread over all buckets.
        var h = Mix(Word0 + 0x9E3779B97F4A7C15UL);
        h = Mix(h ^ (Word1 + 0x9E3779B97F4A7C15UL));
        return Mix(h ^ (Word2 + 0x9E3779B97F4A7C15UL));
    }

    private static ulong Mix(ulong z)
    {
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9UL;
        z = (z ^ (z >> 27)) * 0x94D049BB133111EBUL;
        return z ^ (z >> 31);
    }

    /// <inheritdoc/>
    public static bool operator <(ObjectId left, ObjectId right) => left.CompareTo(right) < 0;

    /// <inheritdoc/>
    public static bool operator <=(ObjectId left, ObjectId right) => left.CompareTo(right) <= 0;

    /// <inheritdoc/>
    public static bool operator >(ObjectId left, ObjectId right) => left.CompareTo(right) > 0;

    /// <inheritdoc/>
    public static bool operator >=(ObjectId left, ObjectId right) => left.CompareTo(right) >= 0;

    /// <summary>Most significant word first, as 48 hexadecimal digits.</summary>
    public override string ToString() => $"{Word2:x16}{Word1:x16}{Word0:x16}";
}
