using System.Globalization;
using System.Numerics;
using CsCheck;
using Tmem.Settings.Values;

namespace Tmem.Settings.Tests;

/// <summary>Sizes, against fractions of unlimited precision.</summary>
public class SizeExpressionTests
{
    private const long Ram = 16L << 30;
    private const long Whole = 4L << 30;

    private static readonly (string Unit, long Factor)[] s_units =
        [("", 1), ("K", 1024), ("M", 1 << 20), ("GiB", 1 << 30), ("kB", 1000), ("%", Whole)];

    [Theory]
    [InlineData("4096", 4096)]
    [InlineData("512M", 512L << 20)]
    [InlineData("2GiB", 2L << 30)]
    [InlineData("2 gib", 2L << 30)]
    [InlineData("1.5G", 3L << 29)]
    [InlineData("1GB", 1_000_000_000)]
    [InlineData("25%", 1L << 30)]
    [InlineData("12.5 %", 1L << 29)]
    [InlineData("300%", 12L << 30)]
    [InlineData("ram", Ram)]
    [InlineData("ram/2", Ram / 2)]
    [InlineData("ram * 0.75", Ram / 4 * 3)]
    [InlineData("min(ram / 2, 4G)", 4L << 30)]
    [InlineData("max(ram / 2, 4G)", Ram / 2)]
    [InlineData("min(8, 3, 5)", 3)]
    [InlineData("max(8)", 8)]
    [InlineData("(1 + 2) * 3 - 4 / 2", 7)]
    [InlineData("1 - 2 - 3 + 10", 6)]
    [InlineData("64 / 4 / 2", 8)]
    [InlineData("1 / 3 + 1 / 3 + 1 / 3", 1)]
    [InlineData("10 / 3", 3)]
    [InlineData("ram * ram / ram", Ram)]
    [InlineData("8E - 1", long.MaxValue)]
    [InlineData("\t ( ram )", Ram)]
    public void An_expression_comes_to(string text, long bytes)
    {
        Assert.Null(SizeExpression.Evaluate(text, new(Ram, Whole), out var found));
        Assert.Equal(bytes, found);
    }

    [Theory]
    [InlineData("", "ends too early")]
    [InlineData("5 +", "ends too early")]
    [InlineData("(5", "ends too early")]
    [InlineData("5)", "cannot be read from ')' on")]
    [InlineData("min(1, )", "cannot be read from ')' on")]
    [InlineData("min 1", "cannot be read from 'min 1' on")]
    [InlineData("min(2, 1", "ends too early")]
    [InlineData("swap / 2", "cannot be read from 'swap / 2' on")]
    [InlineData("RAM", "cannot be read from 'RAM' on")]
    [InlineData("5X", "has 'X' behind a number, which is no unit (K, M, G, T, KiB, MB...)")]
    [InlineData("512Mb/s", "cannot be read from '")]
    [InlineData("5.", "has '5.' in it, which is no number")]
    [InlineData("1.2.3", "has '1.2.3' in it, which is no number")]
    [InlineData("-5", "cannot be read from '-5' on")]
    [InlineData("ram ram", "cannot be read from 'ram' on")]
    [InlineData("4G 4G", "cannot be read from '4G' on")]
    [InlineData("1 / 0", "is more than can be computed, or divided by 0")]
    [InlineData("1 / (ram - ram)", "is more than can be computed, or divided by 0")]
    [InlineData("8E", "is more than can be")]
    [InlineData("ram * ram * ram * ram", "is more than can be computed, or divided by 0")]
    [InlineData("1 - 2", "is less than 0")]
    [InlineData("0 - 1 / 2", "is less than 0")]
    [InlineData("1111111111111111111111111", "has '1111111111111111111111111' in it, which is no number")]
    public void What_is_none_is_told(string text, string problem)
    {
        Assert.StartsWith(problem, SizeExpression.Evaluate(text, new(Ram, Whole), out var bytes)!, StringComparison.Ordinal);
        Assert.Equal(0, bytes);
    }

    [Fact]
    public void Neither_length_nor_depth_is_without_an_end()
    {
        var deep = new string('(', 32) + "7" + new string(')', 32);
        Assert.Null(SizeExpression.Evaluate(deep, default, out var bytes));
        Assert.Equal(7, bytes);
        Assert.Contains("parentheses", SizeExpression.Evaluate($"({deep})", default, out _), StringComparison.Ordinal);
        Assert.Contains("257 letters", SizeExpression.Evaluate(new string('1', 257), default, out _), StringComparison.Ordinal);
        Assert.NotNull(SizeExpression.Evaluate(new string('(', 100_000), default, out _));
    }

    [Fact]
    public void Any_expression_comes_to_what_unlimited_precision_makes_of_it() => Expressions(4).Sample(expression =>
    {
        var (text, model) = expression;
        var problem = SizeExpression.Evaluate(text, new(Ram, Whole), out var bytes);
        if (text.Length > 256) Assert.NotNull(problem);
        else if (problem is null) Assert.Equal(model!.Value.Floor, bytes);
        else if (model is { } value && problem.StartsWith("is more than can be computed", StringComparison.Ordinal))
            Assert.True(value.Heaviest > BigInteger.One << 100, $"{text} is given up at {value.Heaviest}");
        else
            Assert.True(model is null || model.Value.IsNegative || model.Value.Floor > long.MaxValue, $"{text}: {problem}");
    }, iter: 20_000);

    [Fact]
    public void No_text_at_all_breaks_the_reader() =>
        Gen.Char["0123456789.%()+-*/,KMGiBramnx \0é"].Array[0, 40].Select(letters => new string(letters)).Sample(text =>
        {
            var problem = SizeExpression.Evaluate(text, new(Ram, Whole), out var bytes);
            Assert.True(problem is null ? bytes >= 0 : bytes == 0);
        }, iter: 50_000);

    /// <summary>Expressions as texts, with what they come to; null where something is divided by 0.</summary>
    private static Gen<(string Text, Exact? Value)> Expressions(int depth)
    {
        var number = Gen.Select(Gen.Long[0, 1L << 20], Gen.Int[0, 3], Gen.Int[0, s_units.Length - 1])
            .Select((n, places, which) =>
            {
                var (unit, factor) = s_units[which];
                var digits = places == 0 ? $"{n}" : $"{n}.{new string('5', places)}";
                var over = BigInteger.Parse(digits.Replace(".", "", StringComparison.Ordinal), CultureInfo.InvariantCulture);
                return ($"{digits}{unit}", (Exact?)Exact.Of(over * factor, BigInteger.Pow(10, places) * (unit == "%" ? 100 : 1)));
            });
        var leaf = Gen.OneOf(number, Gen.Const(("ram", (Exact?)Exact.Of(Ram, 1))));
        if (depth == 0) return leaf;
        var part = Expressions(depth - 1);
        var sum = Gen.Select(part, part, Gen.Char["+-*/"]).Select((left, right, sign) =>
            ($"({left.Item1} {sign} {right.Item1})", Exact.Do(sign, left.Item2, right.Item2)));
        var least = Gen.Select(part, part, Gen.Bool).Select((left, right, isLeast) =>
            ($"{(isLeast ? "min" : "max")}({left.Item1},{right.Item1})", Exact.Best(isLeast, left.Item2, right.Item2)));
        return Gen.OneOf(leaf, sum, least);
    }

    /// <summary>The model: a fraction, and the largest number that was met on the way.</summary>
    private readonly record struct Exact(BigInteger Over, BigInteger Under, BigInteger Heaviest)
    {
        public bool IsNegative => Over.Sign < 0;

        public BigInteger Floor => Over.Sign >= 0 ? Over / Under : -((-Over + Under - 1) / Under);

        public static Exact Of(BigInteger over, BigInteger under) => Make(over, under, BigInteger.Zero);

        public static Exact? Do(char sign, Exact? left, Exact? right)
        {
            if (left is not { } a || right is not { } b || (sign == '/' && b.Over.IsZero)) return null;
            var met = BigInteger.Max(a.Heaviest, b.Heaviest);
            return sign switch
            {
                '+' => Make(a.Over * b.Under + b.Over * a.Under, a.Under * b.Under, met),
                '-' => Make(a.Over * b.Under - b.Over * a.Under, a.Under * b.Under, met),
                '*' => Make(a.Over * b.Over, a.Under * b.Under, met),
                _ => Make(a.Over * b.Under, a.Under * b.Over, met),
            };
        }

        public static Exact? Best(bool isLeast, Exact? left, Exact? right)
        {
            if (Do('-', right, left) is not { } more) return null;
            var best = more.IsNegative == isLeast ? right!.Value : left!.Value;
            return best with { Heaviest = more.Heaviest };
        }

        private static Exact Make(BigInteger over, BigInteger under, BigInteger met)
        {
            met = BigInteger.Max(met, BigInteger.Max(BigInteger.Abs(over), BigInteger.Abs(under)));
            if (under.Sign < 0) (over, under) = (-over, -under);
            var divisor = BigInteger.GreatestCommonDivisor(over, under);
            return new(over / divisor, under / divisor, met);
        }
    }
}
