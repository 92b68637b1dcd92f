namespace Tmem.Settings.Values;

/// <summary>
/// An exact fraction in lowest terms. Beyond 127 bits it is no number (<see cref="IsLost"/>) rather than a wrong one: what a size
/// is made of fits, and arbitrary precision would cost the daemon memory that is locked.
/// </summary>
internal readonly record struct Fraction
{
    private readonly Int128 _over;
    private readonly Int128 _under;

    private Fraction(Int128 over, Int128 under) => (_over, _under) = (over, under);

    /// <summary>What cannot be computed: too large, or divided by 0.</summary>
    public static Fraction Lost => default;

    public bool IsLost => _under == 0;

    public bool IsNegative => _over < 0;

    /// <summary>The fraction of two whole numbers.</summary>
    public static Fraction Of(Int128 over, Int128 under)
    {
        // Its magnitude is no number of this type.
        if (under == 0 || over == Int128.MinValue || under == Int128.MinValue) return Lost;
        if (under < 0) (over, under) = (-over, -under);
        var divisor = Divisor(Int128.Abs(over), under);
        return new(over / divisor, under / divisor);
    }

    /// <summary>The largest whole number that is not above it; false if it is negative, or that is none of 64 bits.</summary>
    public bool TryFloor(out long floor)
    {
        floor = 0;
        if (IsLost || IsNegative || _over / _under > long.MaxValue) return false;
        floor = (long)(_over / _under);
        return true;
    }

    public static Fraction operator +(Fraction left, Fraction right) => Try(left, right, static (a, b) =>
        Of(checked(a._over * b._under + b._over * a._under), checked(a._under * b._under)));

    public static Fraction operator -(Fraction left, Fraction right) =>
        left + (right.IsLost ? Lost : new(-right._over, right._under));

    public static Fraction operator *(Fraction left, Fraction right) => Try(left, right, static (a, b) =>
    {
        // Reduced crosswise first, so that a product that fits is found.
        var (one, other) = (Of(a._over, b._under), Of(b._over, a._under));
        return Of(checked(one._over * other._over), checked(one._under * other._under));
    });

    public static Fraction operator /(Fraction left, Fraction right) =>
        left * (right.IsLost ? Lost : Of(right._under, right._over));

    private static Fraction Try(Fraction left, Fraction right, Func<Fraction, Fraction, Fraction> compute)
    {
        if (left.IsLost || right.IsLost) return Lost;
        try
        {
            return compute(left, right);
        }
        catch (OverflowException)
        {
            return Lost;
        }
    }

    private static Int128 Divisor(Int128 left, Int128 right)
    {
        while (right != 0) (left, right) = (right, left % right);
        return left == 0 ? 1 : left;
    }
}
