using System.Reflection;
using System.Runtime.CompilerServices;
using System.Runtime.Versioning;
using System.Text;

namespace Tmem.Engine.Tests.Embedding;

/// <summary>
/// The public surface is what PublicSurface.txt says: it grows on purpose, in plain sight. After an intended change,
/// <c>TMEM_APPROVE=1 scripts/test Tmem.Engine.Tests</c> (or the test executable alone) rewrites the file; read the difference.
/// </summary>
public sealed class PublicSurfaceTests
{
    [Fact]
    public void The_public_surface_is_the_approved_one()
    {
        var approved = Path.Combine(Repository.Root, "tests", "Tmem.Engine.Tests", "Embedding", "PublicSurface.txt");
        var surface = Describe(typeof(TmemEngine).Assembly);
        if (Environment.GetEnvironmentVariable("TMEM_APPROVE") == "1") File.WriteAllText(approved, surface);
        var expected = File.ReadAllLines(approved);
        var found = surface.Split('\n')[..^1];
        Assert.True(expected.SequenceEqual(found),
            "the public surface is not the approved one (TMEM_APPROVE=1 approves "
            + $"it):\n{string.Join('\n', found.Except(expected).Select(l => "+ " + l))}\n"
            + string.Join('\n', expected.Except(found).Select(l => "- " + l)));
    }

    /// <summary>
    /// Safe code that uses the library reads, writes and frees only what it was given by a handle: no public member takes or
    /// gives a place, a pointer, a reference into memory, a span of the region or a raw descriptor.
    /// </summary>
    [Fact]
    public void No_public_member_reaches_memory_by_anything_but_a_handle()
    {
        const BindingFlags declared = BindingFlags.Public | BindingFlags.Instance | BindingFlags.Static
            | BindingFlags.DeclaredOnly;
        var types = typeof(TmemEngine).Assembly.GetExportedTypes();
        Assert.DoesNotContain(types, type => type.Namespace is not ("Tmem.Engine" or "Tmem.Engine.Diagnostics"));
        var methods = types.SelectMany(type => type.GetMethods(declared)).ToList();
        Assert.DoesNotContain(methods, method => GivesMemory(method.ReturnType)
            || method.Name.Contains("Descriptor", StringComparison.Ordinal));
        Assert.DoesNotContain(methods, method => method.GetParameters().Any(parameter => IsRaw(parameter.ParameterType)));
        Assert.DoesNotContain(types.SelectMany(type => type.GetFields(declared)), field => IsRaw(field.FieldType));

        static bool GivesMemory(Type type) => type.IsByRef || type.IsByRefLike || IsRaw(type);
        static bool IsRaw(Type type) => type.IsPointer || type.IsFunctionPointer || type == typeof(nint) || type == typeof(nuint)
            || (type.IsByRef && IsRaw(type.GetElementType()!));
    }

    [Fact]
    public void The_compiler_is_told_that_it_is_for_Linux() => Assert.Equal("linux", typeof(TmemEngine)
        .GetMethod(nameof(TmemEngine.Open))!.GetCustomAttribute<SupportedOSPlatformAttribute>()?.PlatformName);

    private static string Describe(Assembly assembly)
    {
        var text = new StringBuilder();
        foreach (var space in assembly.GetExportedTypes().GroupBy(type => type.Namespace)
            .OrderBy(group => group.Key, StringComparer.Ordinal))
        {
            text.Append(space.Key).Append('\n');
            foreach (var type in space.OrderBy(type => type.Name, StringComparer.Ordinal))
            {
                text.Append("  ").Append(Kind(type)).Append(' ').Append(Name(type)).Append('\n');
                foreach (var member in Members(type).Order(StringComparer.Ordinal))
                    text.Append("    ").Append(member).Append('\n');
            }
        }
        return text.ToString();
    }

    private static string Kind(Type type) => type switch
    {
        { IsEnum: true } => "enum",
        { IsInterface: true } => "interface",
        { IsValueType: true } => "struct",
        { IsAbstract: true, IsSealed: true } => "static class",
        { IsSealed: true } => "class",
        _ => "open class",
    };

    /// <summary>The members in the source; the record itself already implies those that the compiler makes for it.</summary>
    private static IEnumerable<string> Members(Type type)
    {
        if (type.IsEnum)
        {
            foreach (var name in Enum.GetNames(type)) yield return $"{Convert.ToUInt64(Enum.Parse(type, name)),3} {name}";
            yield break;
        }
        const BindingFlags declared = BindingFlags.Public | BindingFlags.Instance | BindingFlags.Static
            | BindingFlags.DeclaredOnly;
        foreach (var member in type.GetMembers(declared))
        {
            if (member.Name is "Equals" or "GetHashCode" or "ToString" or "Deconstruct" or "op_Equality" or "op_Inequality"
                or "<Clone>$") continue;
            switch (member)
            {
                case ConstructorInfo made:
                    yield return $"new({Parameters(made)})";
                    break;
                case PropertyInfo property:
                    yield return $"{Static(property.GetMethod!)}{Name(property.PropertyType)} {property.Name} "
                        + $"{Accessors(property)}";
                    break;
                case FieldInfo field:
                    yield return $"{(field.IsLiteral ? "const " : "static ")}{Name(field.FieldType)} {field.Name}";
                    break;
                case MethodInfo method when !method.IsSpecialName || method.Name.StartsWith("op_", StringComparison.Ordinal):
                    yield return $"{Static(method)}{Name(method.ReturnType)} "
                        + $"{method.Name}{(method.IsGenericMethod ? "<T>" : "")}({Parameters(method)})";
                    break;
            }
        }
    }

    private static string Accessors(PropertyInfo property) =>
        property.SetMethod is not { IsPublic: true } setter ? "{ get; }"
        : setter.ReturnParameter.GetRequiredCustomModifiers().Contains(typeof(IsExternalInit)) ? "{ get; init; }"
        : "{ get; set; }";

    private static string Static(MethodBase method) => method.IsStatic ? "static " : "";

    private static string Parameters(MethodBase method) => string.Join(", ", method.GetParameters().Select(parameter =>
        (parameter.IsOut ? "out " : parameter.IsIn ? "in " : parameter.ParameterType.IsByRef ? "ref " : "")
        + $"{Name(parameter.ParameterType)} {parameter.Name}"));

    private static string Name(Type type)
    {
        if (type.IsByRef) return Name(type.GetElementType()!);
        if (type.IsArray) return Name(type.GetElementType()!) + "[]";
        if (!type.IsGenericType) return type.Name;
        return $"{type.Name[..type.Name.IndexOf('`')]}<{string.Join(", ", type.GetGenericArguments().Select(Name))}>";
    }
}
