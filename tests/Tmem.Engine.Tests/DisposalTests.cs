using System.Reflection;
using System.Reflection.Emit;
using Tmem.Engine.Tests.Embedding;

namespace Tmem.Engine.Tests;

/// <summary>The end of an engine: calls after it, beside it, and from within.</summary>
public sealed class DisposalTests
{
    private const BindingFlags Declared = BindingFlags.Public | BindingFlags.Instance | BindingFlags.DeclaredOnly;

    /// <summary>
    /// Covers all present and future members: a public member that reaches the region without checking for disposal is found
    /// here.
    /// </summary>
    [Fact]
    public void Every_public_member_of_a_disposed_engine_says_that_it_is_disposed()
    {
        var engine = Engines.Anonymous();
        var client = engine.Client(new TmemClientId(1));
        engine.Dispose();
        engine.Dispose();
        var called = 0;
        foreach (var subject in new object[] { engine, client })
        {
            foreach (var method in subject.GetType().GetMethods(Declared)
                .Where(method => method.Name != nameof(IDisposable.Dispose)))
            {
                Assert.False(method.IsGenericMethodDefinition, $"{method} needs a call of its own here");
                var failure = Record.Exception(() => Call(method)(subject));
                Assert.True(failure is ObjectDisposedException, $"{method}: {failure?.ToString() ?? "no exception"}");
                called++;
            }
        }
        Assert.True(called > 40, $"{called} members");
        // No other public type holds an engine: the rest are values and options.
        Assert.DoesNotContain(typeof(TmemEngine).Assembly.GetExportedTypes(), type => type != typeof(TmemClient)
            && type.GetFields(BindingFlags.NonPublic | BindingFlags.Instance)
                .Any(field => field.FieldType == typeof(TmemEngine)));
    }

    [Fact]
    public void Disposal_beside_calls_of_every_kind_ends_them_and_crashes_nothing()
    {
        // In a process of its own: a crash must not take the tests along.
        var said = Repository.Run(AppContext.BaseDirectory, "dotnet", "Tmem.Soak.dll", "disposal", "--rounds", "60", "--seed",
            "1");
        Assert.Contains("soak: PASS 60 engines", said, StringComparison.Ordinal);
    }

    [Fact]
    public void Disposal_waits_for_the_call_that_is_under_way_and_lets_it_make_its_own()
    {
        var engine = Engines.Anonymous();
        var client = engine.Client(new TmemClientId(1));
        var pool = Engines.Pool(client);
        client.Put(pool, new ObjectId(1), 1, Pages.Random(1));
        using var stream = new HeldStream(() => Assert.True(engine.Room().Used > 0));
        TransferResult? saved = null;
        var save = new Thread(() => saved = client.SavePool(pool, stream));
        save.Start();
        stream.Reached.Wait();
        var disposal = new Thread(engine.Dispose);
        disposal.Start();
        while (!engine.Gate.IsClosed) Thread.Yield();
        Assert.Throws<ObjectDisposedException>(() => engine.Room());
        Assert.False(disposal.Join(50));
        stream.GoOn.Set();
        save.Join();
        disposal.Join();
        Assert.Equal(TransferStatus.Ok, saved!.Status);
    }

    [Fact]
    public void Disposal_from_within_a_call_is_refused_and_the_engine_goes_on()
    {
        using var engine = Engines.Anonymous();
        var client = engine.Client(new TmemClientId(1));
        var pool = Engines.Pool(client);
        using var stream = new HeldStream(engine.Dispose);
        stream.GoOn.Set();
        Assert.Throws<InvalidOperationException>(() => client.SavePool(pool, stream));
        Assert.Equal(TmemStatus.Ok, client.Put(pool, new ObjectId(1), 1, Pages.Random(1)));
        Engines.AssertSound(engine);
    }

    [Fact]
    public void A_thread_that_has_ended_leaves_its_seat_to_the_next()
    {
        using var engine = Engines.Anonymous();
        for (var i = 0; i < 60; i++)
        {
            var thread = new Thread(() => engine.Room());
            thread.Start();
            thread.Join();
        }
        Assert.InRange(engine.Gate.Seats, 1, 10);
    }

    [Fact]
    public void A_thread_may_use_several_engines_by_turns()
    {
        using var first = Engines.Anonymous();
        var second = Engines.Anonymous();
        for (var i = 0; i < 10; i++) Assert.True(first.Room().Capacity == second.Room().Capacity);
        second.Dispose();
        Assert.Throws<ObjectDisposedException>(() => second.Room());
        Assert.True(first.Room().Used > 0);
        Assert.Equal(1, first.Gate.Seats);
    }

    /// <summary>A call with made-up arguments, spans included, which reflection alone cannot make.</summary>
    private static Action<object> Call(MethodInfo method)
    {
        var made = new DynamicMethod("call", null, [typeof(object)], typeof(DisposalTests).Module, skipVisibility: true);
        var code = made.GetILGenerator();
        code.Emit(OpCodes.Ldarg_0);
        code.Emit(OpCodes.Castclass, method.DeclaringType!);
        foreach (var parameter in method.GetParameters())
        {
            var type = parameter.ParameterType;
            if (type == typeof(Stream))
            {
                code.Emit(OpCodes.Ldsfld, typeof(Stream).GetField(nameof(Stream.Null))!);
                continue;
            }
            var local = code.DeclareLocal(type.IsByRef ? type.GetElementType()! : type);
            code.Emit(type.IsByRef ? OpCodes.Ldloca : OpCodes.Ldloc, local);
        }
        code.Emit(OpCodes.Callvirt, method);
        if (method.ReturnType != typeof(void)) code.Emit(OpCodes.Pop);
        code.Emit(OpCodes.Ret);
        return made.CreateDelegate<Action<object>>();
    }

    private sealed class HeldStream(Action within) : MemoryStream
    {
        public ManualResetEventSlim Reached { get; } = new();
        public ManualResetEventSlim GoOn { get; } = new();

        public override void Write(ReadOnlySpan<byte> buffer)
        {
            Reached.Set();
            GoOn.Wait();
            within();
            base.Write(buffer);
        }

        protected override void Dispose(bool disposing)
        {
            Reached.Dispose();
            GoOn.Dispose();
            base.Dispose(disposing);
        }
    }
}
