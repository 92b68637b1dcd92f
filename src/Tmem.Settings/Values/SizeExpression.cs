using System.Globalization;
using Tmem.Control.Messages;

namespace Tmem.Settings.Values;

/// <summary>What the names and shares in an expression stand for, in bytes.</summary>
/// <param name="Ram">The machine's memory.</param>
/// <param name="Whole">What a percentage is of.</param>
internal readonly record struct SizeScale(long Ram, long Whole);

/// <summary>
/// Sizes as they are written in settings: 512M, 2GiB, 4096, 25%, and what can be computed of them and <c>ram</c> with + - * /,
/// parentheses, min and max, as in zram-generator's settings. There a plain number is megabytes; here it is bytes, as on the
/// command lines, and a unit says otherwise. Computed exactly and rounded down to bytes at the end.
/// <code>
/// sum     = product { ("+" | "-") product }
/// product = value { ("*" | "/") value }
/// value   = NUMBER [ UNIT | "%" ] | "ram" | ("min" | "max") "(" sum { "," sum } ")" | "(" sum ")"
/// </code>
/// </summary>
internal ref struct SizeExpression
{
    /// <summary>Examples, for messages.</summary>
    public const string Examples = "512M, 2GiB, 25% or min(ram / 2, 4G)";

    private const int Longest = 256;
    private const int Deepest = 32;
    private const int MostDigits = 24;

    private readonly ReadOnlySpan<char> _text;
    private readonly SizeScale _scale;
    private int _at;
    private int _depth;
    private string? _problem;

    private SizeExpression(string text, SizeScale scale)
    {
        _text = text;
        _scale = scale;
    }

    /// <summary>Computes a size.</summary>
    /// <param name="text">As written.</param>
    /// <param name="scale">Of the names in it.</param>
    /// <param name="bytes">The size; 0 if there is a problem.</param>
    /// <returns>Null, or what is wrong: a clause about the expression.</returns>
    public static string? Evaluate(string text, SizeScale scale, out long bytes)
    {
        bytes = 0;
        if (text.Length > Longest) return $"has {text.Length} letters, and at most {Longest} can be";
        var reader = new SizeExpression(text, scale);
        var size = reader.Sum();
        if (reader._problem is null && reader.Next() != '\0') reader.Stop();
        if (reader._problem is { } problem) return problem;
        if (size.IsLost) return "is more than can be computed, or divided by 0";
        if (size.IsNegative) return "is less than 0";
        return size.TryFloor(out bytes) ? null : "is more than can be";
    }

    private Fraction Sum()
    {
        var sum = Product();
        while (true)
        {
            if (Take('+')) sum += Product();
            else if (Take('-')) sum -= Product();
            else return sum;
        }
    }

    private Fraction Product()
    {
        var product = Value();
        while (true)
        {
            if (Take('*')) product *= Value();
            else if (Take('/')) product /= Value();
            else return product;
        }
    }

    private Fraction Value()
    {
        if (_problem is not null) return Fraction.Lost;
        if (char.IsAsciiDigit(Next())) return Number();
        if (Take('(')) return Within();
        var start = _at;
        var word = Word();
        switch (word)
        {
            case "ram":
                return Fraction.Of(_scale.Ram, 1);
            case "min" or "max" when Take('('):
                return Within(word == "min");
            default:
                _at = start;
                return Stop();
        }
    }

    /// <summary>What stands between an opening parenthesis and its end: one sum, or the least or most of several.</summary>
    private Fraction Within(bool? isLeast = null)
    {
        if (++_depth > Deepest) return Stop($"has more than {Deepest} parentheses in one another");
        var best = Sum();
        while (isLeast is { } least && Take(','))
        {
            var other = Sum();
            var more = other - best;
            if (more.IsLost) best = Fraction.Lost;
            else if (more.IsNegative == least) best = other;
        }
        _depth--;
        return Take(')') ? best : Stop();
    }

    private Fraction Number()
    {
        var start = _at;
        while (_at < _text.Length && (char.IsAsciiDigit(_text[_at]) || _text[_at] == '.')) _at++;
        var digits = _text[start.._at];
        var point = digits.IndexOf('.');
        if (digits.Length > MostDigits || digits.Count('.') > 1 || digits[^1] == '.')
            return Stop($"has '{Fault.Shorten(digits.ToString())}' in it, which is no number");
        Int128 parts = 1;
        for (var i = point < 0 ? 0 : digits.Length - point - 1; i > 0; i--) parts *= 10;
        var number = Fraction.Of(Int128.Parse(digits.ToString().Replace(".", "", StringComparison.Ordinal), NumberStyles.None,
            CultureInfo.InvariantCulture), parts);
        if (Take('%')) return number * Fraction.Of(_scale.Whole, 100);
        _ = Next();
        var unit = Word();
        if (unit.Length == 0) return number;
        return ByteSize.TryUnit(unit, out var factor) ? number * Fraction.Of(factor, 1)
            : Stop($"has '{Fault.Shorten(unit)}' behind a number, which is no unit (K, M, G, T, KiB, MB...)");
    }

    private string Word()
    {
        var start = _at;
        while (_at < _text.Length && char.IsAsciiLetter(_text[_at])) _at++;
        return _text[start.._at].ToString();
    }

    private bool Take(char sign)
    {
        if (_problem is not null || Next() != sign) return false;
        _at++;
        return true;
    }

    /// <summary>The next letter that is no blank; 0 at the end.</summary>
    private char Next()
    {
        while (_at < _text.Length && _text[_at] is ' ' or '\t') _at++;
        return _at < _text.Length ? _text[_at] : '\0';
    }

    private Fraction Stop(string? problem = null)
    {
        _problem ??= problem ?? (Next() == '\0' ? "ends too early"
            : $"cannot be read from '{Fault.Shorten(_text[_at..].ToString())}' on");
        return Fraction.Lost;
    }
}
