using System.ComponentModel;
using System.Diagnostics;
using System.Reflection;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Text;
using System.Text.RegularExpressions;
using Tmem.Fuse.Abi;
using Xunit;

namespace Tmem.Fuse.Tests.Abi;

/// <summary>
/// Every struct of the Abi namespace against C: the test generates a program of _Static_asserts on the system's linux/fuse.h and
/// compiles it. What the header lacks, or has in an older form, the program declares itself, after the protocol's 7.45
/// definition.
/// </summary>
public sealed partial class WireLayoutTests
{
    private const string Header = "/usr/include/linux/fuse.h";

    private static readonly Dictionary<Type, (string Name, string Definition)> s_literal = new()
    {
        [typeof(FuseSetxattrCompatIn)] =
            ("tmem_setxattr_compat_in", "struct tmem_setxattr_compat_in { uint32_t size; uint32_t flags; };"),
        [typeof(FuseInitOut)] = ("tmem_init_out", """
            struct tmem_init_out {
                uint32_t major; uint32_t minor; uint32_t max_readahead; uint32_t flags; uint16_t max_background;
                uint16_t congestion_threshold; uint32_t max_write; uint32_t time_gran; uint16_t max_pages; uint16_t map_alignment;
                uint32_t flags2; uint32_t max_stack_depth; uint16_t request_timeout; uint16_t unused[11];
            };
            """),
    };

    /// <summary>Fields whose C name is not the C# name in lower case.</summary>
    private static readonly Dictionary<string, string> s_alias = new()
    {
        ["FuseKstatfs.NameLength"] = "namelen",
        ["FuseDirent.NameLength"] = "namelen",
        ["FuseNotifyInvalEntryOut.NameLength"] = "namelen",
        ["FuseInHeader.Length"] = "len",
        ["FuseOutHeader.Length"] = "len",
        ["FuseInHeader.TotalExtLength"] = "total_extlen",
        ["FuseInitOut.TimeGranularity"] = "time_gran",
        ["FuseOpenOut.BackingId"] = "padding",
    };

    [GeneratedRegex(@"struct\s+(\w+)\s*\{([^}]*)\}", RegexOptions.Singleline)]
    private static partial Regex StructPattern();

    [GeneratedRegex(@"(\w+)\s*(\[[^\]]*\])?\s*;")]
    private static partial Regex FieldPattern();

    [GeneratedRegex("(?<=[a-z0-9])([A-Z])")]
    private static partial Regex WordPattern();

    [GeneratedRegex(@"/\*.*?\*/", RegexOptions.Singleline)]
    private static partial Regex CommentPattern();

    private static Type[] Structs() =>
    [
        .. typeof(FuseInHeader).Assembly.GetTypes()
            .Where(t => t.Namespace == typeof(FuseInHeader).Namespace
                && t is { IsValueType: true, IsEnum: false, IsNested: false, IsPrimitive: false }),
    ];

    [Fact]
    public void Every_struct_has_the_layout_of_its_C_original()
    {
        var program = Generate(Structs());
        Assert.Equal("", Compile(program));
    }

    [Fact]
    public void A_wrong_offset_is_noticed()
    {
        var program = Generate([typeof(FuseReadIn)])
            .Replace("offsetof(struct fuse_read_in, size) == 16", "offsetof(struct fuse_read_in, size) == 20",
                StringComparison.Ordinal);
        Assert.Contains("static assertion failed", Compile(program), StringComparison.Ordinal);
    }

    [Fact]
    public void The_list_of_structs_is_not_empty_by_mistake() => Assert.InRange(Structs().Length, 30, 200);

    private static string Generate(IEnumerable<Type> types)
    {
        if (!File.Exists(Header)) Assert.Skip($"{Header} is missing: install linux-libc-dev.");
        var system = Definitions(File.ReadAllText(Header));
        var program = new StringBuilder("#include <stddef.h>\n#include <stdint.h>\n#include <linux/fuse.h>\n");
        foreach (var type in types)
        {
            var name = s_literal.TryGetValue(type, out var literal) ? literal.Name
                : WordPattern().Replace(type.Name, "_$1").ToLowerInvariant();
            if (literal.Definition is not null) program.AppendLine(literal.Definition);
            var original = literal.Definition is not null ? Definitions(literal.Definition)[name]
                : system.TryGetValue(name, out var found) ? found
                : throw new InvalidOperationException(
                    $"{type.Name}: no struct {name} in {Header}, and no literal definition here");
            Compare(program, type, name, original);
        }
        return program.AppendLine("int main(void) { return 0; }").ToString();
    }

    private static void Compare(StringBuilder program, Type type, string name, List<string> original)
    {
        var fields = type.GetFields(BindingFlags.Instance | BindingFlags.Public | BindingFlags.NonPublic);
        Assert.True(fields.Length == original.Count, $"{type.Name} has {fields.Length} fields, struct {name} {original.Count}");
        program.AppendLine($"_Static_assert(sizeof(struct {name}) == {SizeOf(type)}, \"{name}\");");
        for (var i = 0; i < fields.Length; i++)
        {
            var expected = s_alias.GetValueOrDefault($"{type.Name}.{fields[i].Name}", fields[i].Name);
            Assert.Equal(Plain(original[i]), Plain(expected));
            var offset = (int)Marshal.OffsetOf(type, fields[i].Name);
            program.AppendLine($"_Static_assert(offsetof(struct {name}, {original[i]}) == {offset}, \"{name}.{original[i]}\");");
            program.AppendLine(
                $"_Static_assert(sizeof(((struct {name} *)0)->{original[i]}) == {SizeOf(fields[i].FieldType)}, \"size of "
                + $"{name}.{original[i]}\");");
        }
    }

    private static string Plain(string name) => name.Replace("_", "", StringComparison.Ordinal).ToLowerInvariant();

    private static int SizeOf(Type type) =>
        (int)typeof(Unsafe).GetMethod(nameof(Unsafe.SizeOf))!.MakeGenericMethod(type).Invoke(null, null)!;

    /// <summary>Struct name to field names; members without a length of their own (name[]) are left out.</summary>
    private static Dictionary<string, List<string>> Definitions(string text)
    {
        var found = new Dictionary<string, List<string>>();
        foreach (Match match in StructPattern().Matches(CommentPattern().Replace(text, "")))
            found[match.Groups[1].Value] =
            [
                .. FieldPattern().Matches(match.Groups[2].Value).Where(f => f.Groups[2].Value != "[]")
                    .Select(f => f.Groups[1].Value),
            ];
        return found;
    }

    /// <summary>The compiler's complaints.</summary>
    private static string Compile(string program)
    {
        var folder = Directory.CreateTempSubdirectory("tmem-wire-");
        try
        {
            var source = Path.Combine(folder.FullName, "layout.c");
            File.WriteAllText(source, program);
            using var gcc = Process.Start(new ProcessStartInfo("gcc", ["-std=c11", "-fsyntax-only", source])
            {
                RedirectStandardError = true,
            })!;
            var complaints = gcc.StandardError.ReadToEnd();
            gcc.WaitForExit();
            Assert.Equal(gcc.ExitCode == 0, complaints.Length == 0);
            return complaints;
        }
        catch (Win32Exception e)
        {
            Assert.Skip($"gcc cannot be run ({e.Message}): install gcc.");
            return "";
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }
}
