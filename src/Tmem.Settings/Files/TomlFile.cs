using Tomlyn;
using Tomlyn.Parsing;
using Tmem.Settings.Values;

namespace Tmem.Settings.Files;

/// <summary>A section of a file as it was written.</summary>
/// <param name="Name">"store"; empty for what stands before the first one.</param>
/// <param name="IsOneOfMany">Whether it was begun with [[...]].</param>
/// <param name="Begun">Where it begins, if the library tells.</param>
/// <param name="Entries">Its keys in order.</param>
internal sealed record Section(string Name, bool IsOneOfMany, Origin Begun, List<Entry> Entries)
{
    /// <summary>Where it begins, or its first key stands.</summary>
    public Origin From => Begun.Line == 0 && Entries.Count > 0 ? Entries[0].From : Begun;
}

/// <summary>
/// Reads TOML into sections of keys, with the line of each. Through the library's stream of events and not through its
/// serialiser: that keeps no lines, stops at the first wrong value, and is several times as large. What the events leave to their
/// reader is checked here: a key that is there twice. A section may be begun again.
/// </summary>
internal sealed class TomlFile
{
    private readonly string _path;
    private readonly List<Fault> _faults;
    private readonly TomlParser _parser;
    private readonly Dictionary<(string Section, int OneOfMany, string Key), Origin> _keys = [];
    private readonly List<Section> _sections = [];
    private int _line = 1;

    private TomlFile(string path, string text, List<Fault> faults)
    {
        (_path, _faults) = (path, faults);
        _parser = TomlParser.Create(text,
            new TomlParserOptions { Mode = TomlParserMode.Tolerant, DecodeScalars = true, EagerStringValues = true }, null);
    }

    /// <summary>The sections of a text. At a fault of syntax it ends: what stands before it is returned.</summary>
    public static IReadOnlyList<Section> Read(string path, string text, List<Fault> faults)
    {
        var file = new TomlFile(path, text, faults);
        file.Run();
        return file._sections;
    }

    private void Run()
    {
        try
        {
            // The document, its table, and then what stands in it.
            while (_parser.MoveNext())
                if (_parser.Current.Kind == TomlParseEventKind.PropertyName) TopLevel();
            // What is told after the first follows from it.
            if (_parser.Diagnostics.FirstOrDefault() is { } wrong) Syntax(wrong.Span.Start.Line + 1, wrong.Message);
        }
        catch (TomlException error)
        {
            Syntax(error.Line ?? 0, error.Message);
        }
        catch (Exception error) when (error is ArgumentException or FormatException or OverflowException
            or InvalidOperationException or IndexOutOfRangeException)
        {
            // The library answers so to some escapes that are none ("\u"), without a place: it is behind the last key.
            Syntax(_line, "an escape or a number cannot be read here");
        }
    }

    private void Syntax(int line, string message)
    {
        _faults.Add(new(new(_path, line), "", $"this is not TOML: {Plain(message)}",
            "correct the line; what stands behind it was not looked at"));
        if (line == 0) return;
        // Of 1G the library tells the 1 first: half a value is none, and a pool without its name no pool.
        _ = _sections.RemoveAll(section => section.Entries.RemoveAll(entry => entry.From.Line >= line) > 0
            && section.IsOneOfMany);
    }

    /// <summary>The library's sentence as a clause of ours.</summary>
    private static string Plain(string message)
    {
        var text = message.Contains("error : ", StringComparison.Ordinal) ? message[(message.IndexOf("error : ",
            StringComparison.Ordinal) + 8)..] : message;
        text = text.TrimEnd('.', ' ', '\r', '\n').Replace('`', '\'');
        const int longest = 160;
        return text.Length == 0 ? "it cannot be read" : text.Length > longest ? text[..longest] + "…" : text;
    }

    private void TopLevel()
    {
        var name = _parser.GetPropertyName();
        var line = LineOfCurrent();
        if (!_parser.MoveNext()) return;
        switch (_parser.Current.Kind)
        {
            case TomlParseEventKind.StartTable:
                Table(Begin(name, isOneOfMany: false, line));
                break;
            case TomlParseEventKind.StartArray:
                Array(name, line);
                break;
            default:
                Add(Before(), name, Value(), line);
                break;
        }
    }

    private Section Before() => _sections.FirstOrDefault(one => one.Name.Length == 0)
        ?? Begin("", isOneOfMany: false, line: 1);

    private Section Begin(string name, bool isOneOfMany, int line)
    {
        var section = new Section(name, isOneOfMany, new(_path, line), []);
        _sections.Add(section);
        return section;
    }

    private void Array(string name, int line)
    {
        var isTables = false;
        for (var depth = 1; depth > 0 && _parser.MoveNext();)
        {
            switch (_parser.Current.Kind)
            {
                case TomlParseEventKind.StartArray: depth++; break;
                case TomlParseEventKind.EndArray: depth--; break;
                case TomlParseEventKind.StartTable:
                    // The library tells no place for the table itself: its first key's line is near.
                    Table(Begin(name, isOneOfMany: true, isTables ? 0 : line));
                    isTables = true;
                    break;
                default: break;
            }
        }
        if (!isTables) Add(Before(), name, new(WrittenKind.Other, "a list"), line);
    }

    private void Table(Section section)
    {
        while (_parser.MoveNext() && _parser.Current.Kind != TomlParseEventKind.EndTable)
        {
            if (_parser.Current.Kind != TomlParseEventKind.PropertyName) continue;
            var (key, line) = (_parser.GetPropertyName(), LineOfCurrent());
            if (!_parser.MoveNext()) return;
            Add(section, key, Value(), line);
        }
    }

    private void Add(Section section, string key, Written? value, int line)
    {
        // No value: the line is no TOML, which is told once.
        if (value is null) return;
        var entry = new Entry(key, value.Value, new(_path, line));
        var place = (section.Name, section.IsOneOfMany ? _sections.Count : 0, key);
        if (_keys.TryAdd(place, entry.From)) section.Entries.Add(entry);
        else _faults.Add(new(entry.From, entry.Key, $"the key is there a second time, after {_keys[place]}", "write it once"));
    }

    /// <summary>The current event as a value; of a table or a list, all of it is passed over.</summary>
    private Written? Value()
    {
        var current = _parser.Current;
        switch (current.Kind)
        {
            case TomlParseEventKind.String: return Written.Of(_parser.GetString());
            case TomlParseEventKind.Integer: return Written.Of(current.GetInt64());
            case TomlParseEventKind.Boolean: return Written.Of(current.GetBoolean());
            case TomlParseEventKind.StartTable: Pass(); return Written.Section;
            case TomlParseEventKind.StartArray: Pass(); return new Written(WrittenKind.Other, "a list");
            case TomlParseEventKind.Float: return new Written(WrittenKind.Other, "a number with a fraction or exponent");
            case TomlParseEventKind.DateTime: return new Written(WrittenKind.Other, "a date");
            default: return null;
        }
    }

    private void Pass()
    {
        for (var depth = 1; depth > 0 && _parser.MoveNext();)
        {
            if (_parser.Current.Kind is TomlParseEventKind.StartTable or TomlParseEventKind.StartArray) depth++;
            else if (_parser.Current.Kind is TomlParseEventKind.EndTable or TomlParseEventKind.EndArray) depth--;
        }
    }

    private int LineOfCurrent() => _line = _parser.Current.Span is { } span ? span.Start.Line + 1 : _line;
}
