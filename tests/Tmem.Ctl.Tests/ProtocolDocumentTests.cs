using System.Collections;
using System.Reflection;
using System.Text;
using System.Text.Json;
using System.Text.Json.Serialization;
using Tmem.Control.Messages;
using Xunit;

namespace Tmem.Ctl.Tests;

/// <summary>
/// docs/protocol.md has every method with who may call it, and every field of every message with its type and unit, as the
/// message types have them. With TMEM_APPROVE=1 the tables are written anew: what a field means stays, and is to be written for a
/// new one.
/// </summary>
public sealed class ProtocolDocumentTests
{
    private const string Head = "| field | type | unit | meaning |\n|---|---|---|---|\n";

    /// <summary>Where the name does not end in it.</summary>
    private static readonly Dictionary<string, string> s_units = new()
    {
        ["limit"] = "bytes", ["reserve"] = "bytes", ["capacity"] = "bytes", ["pageSize"] = "bytes", ["spin"] = "microseconds",
        ["syncInterval"] = "seconds", ["size"] = "bytes",
    };

    private static string Document { get; } = File.ReadAllText(Path());

    [Fact]
    public void Every_method_is_there_with_who_may_call_it()
    {
        var rows = Document.Split('\n').Where(line => line.StartsWith("| `", StringComparison.Ordinal))
            .Select(line => line.Split(" | ")).Where(cells => cells[1] is "group" or "root")
            .ToDictionary(cells => cells[0][2..].Trim('`', ' '), cells => cells[1]);
        var methods = typeof(ControlMethod).GetFields().Where(field => field.IsLiteral)
            .Select(field => (string)field.GetRawConstantValue()!);
        Assert.Equal(methods.Order().Select(method => (method, ControlMethod.IsOfFigures(method) ? "group" : "root")),
            rows.OrderBy(row => row.Key).Select(row => (row.Key, row.Value)));
    }

    [Fact]
    public void Every_field_is_there_with_its_type_and_unit()
    {
        var start = Document.IndexOf("## Messages\n", StringComparison.Ordinal);
        Assert.True(start > 0);
        var meanings = Meanings(Document[start..]);
        var expected = Document[..start] + Tables(meanings);
        if (Environment.GetEnvironmentVariable("TMEM_APPROVE") == "1") File.WriteAllText(Path(), expected);
        Assert.Equal(expected, Document);
        Assert.All(meanings, meaning => Assert.NotEmpty(meaning.Value));
    }

    private static string Tables(Dictionary<string, string> meanings)
    {
        var text = new StringBuilder("## Messages\n");
        foreach (var type in Messages())
        {
            text.Append("\n### ").Append(type.Name).Append("\n\n").Append(Head);
            foreach (var field in Fields(type))
            {
                var name = JsonNamingPolicy.CamelCase.ConvertName(field.Name);
                text.Append("| `").Append(name).Append("` | ").Append(TypeOf(field)).Append(" | ").Append(UnitOf(name))
                    .Append(" | ").Append(meanings.GetValueOrDefault($"{type.Name}.{name}", "")).Append(" |\n");
            }
        }
        return text.ToString();
    }

    private static Dictionary<string, string> Meanings(string text)
    {
        var meanings = new Dictionary<string, string>();
        var type = "";
        foreach (var line in text.Split('\n'))
        {
            if (line.StartsWith("### ", StringComparison.Ordinal)) type = line[4..];
            else if (line.StartsWith("| `", StringComparison.Ordinal) && line.Split(" | ") is [var name, _, _, var meaning])
                meanings[$"{type}.{name[2..].Trim('`')}"] = meaning[..^2].Trim();
        }
        return meanings;
    }

    /// <summary>The messages and what they contain, each before what it contains.</summary>
    private static List<Type> Messages()
    {
        var found = new List<Type>();
        foreach (var listed in typeof(ControlJson).GetCustomAttributesData()
            .Where(attribute => attribute.AttributeType == typeof(JsonSerializableAttribute)))
            Visit((Type)listed.ConstructorArguments[0].Value!);
        return found;

        void Visit(Type type)
        {
            if (ElementOf(type) is { } element) Visit(element);
            if (type.Assembly != typeof(ControlJson).Assembly || type.IsEnum || found.Contains(type)) return;
            found.Add(type);
            foreach (var field in Fields(type)) Visit(Nullable.GetUnderlyingType(field.PropertyType) ?? field.PropertyType);
        }
    }

    private static IEnumerable<PropertyInfo> Fields(Type type) => type.GetProperties(BindingFlags.Public | BindingFlags.Instance)
        .Where(field => field.GetCustomAttribute<JsonIgnoreAttribute>() is null && field.Name != "EqualityContract")
        .OrderBy(field => field.DeclaringType == type ? 1 : 0);

    private static string TypeOf(PropertyInfo field)
    {
        var isOptional = Nullable.GetUnderlyingType(field.PropertyType) is not null
            || new NullabilityInfoContext().Create(field).ReadState == NullabilityState.Nullable;
        return NameOf(Nullable.GetUnderlyingType(field.PropertyType) ?? field.PropertyType) + (isOptional ? ", optional" : "");
    }

    private static string NameOf(Type type) => type == typeof(string) ? "string"
        : type == typeof(bool) ? "boolean"
        : type == typeof(double) ? "number"
        : type == typeof(int) || type == typeof(uint) || type == typeof(long) || type == typeof(ulong) ? "integer"
        : type == typeof(DateTimeOffset) ? "time"
        : type == typeof(JsonElement) ? "object"
        : type.IsEnum ? "one of " + string.Join(", ", type.GetFields(BindingFlags.Public | BindingFlags.Static)
            .Select(word => word.GetCustomAttribute<JsonStringEnumMemberNameAttribute>()?.Name ?? word.Name))
        : ElementOf(type) is { } element ? $"array of {NameOf(element)}"
        : type.Name;

    private static Type? ElementOf(Type type) => type != typeof(string) && type.IsAssignableTo(typeof(IEnumerable))
        && type.IsGenericType ? type.GetGenericArguments()[0] : null;

    private static string UnitOf(string name)
    {
        foreach (var unit in (ReadOnlySpan<string>)["bytes", "microseconds", "nanoseconds", "seconds"])
            if (name.Contains(unit, StringComparison.OrdinalIgnoreCase)) return unit;
        return s_units.GetValueOrDefault(name, "");
    }

    private static string Path()
    {
        var folder = AppContext.BaseDirectory;
        while (!File.Exists(System.IO.Path.Combine(folder, "Tmem.sln"))) folder = System.IO.Path.GetDirectoryName(folder)!;
        return System.IO.Path.Combine(folder, "docs", "protocol.md");
    }
}
