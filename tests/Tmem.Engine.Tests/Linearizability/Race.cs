using System.Diagnostics;

namespace Tmem.Engine.Tests.Linearizability;

/// <summary>
/// Threads that call at random on a few handles, and the history of their calls, handle by handle. Two handles are pages 0 and 70
/// of one object: each put and flush of 70 grows and shrinks the object's tree, and moves page 0 between the object and a node.
/// </summary>
internal static class Race
{
    private static readonly (ObjectId Object, uint Index)[] s_handles = [(new(1), 0), (new(1), 70), (new(2), 0)];

    public static void AssertLinearizable(Subject subject, HandleModel model, int threads, int calls, int seed)
    {
        var wrong = Run(subject, model, threads, calls, seed);
        Assert.True(wrong is null, wrong);
    }

    /// <summary>Runs the race from empty handles; returns the checker's complaint, or null.</summary>
    public static string? Run(Subject subject, HandleModel model, int threads, int calls, int seed)
    {
        foreach (var (obj, _) in s_handles) subject.FlushObject(obj);
        var recorded = new List<(int Handle, Operation Call)>[threads];
        using var start = new Barrier(threads);
        var running = Enumerable.Range(0, threads).Select(number => new Thread(() =>
        {
            start.SignalAndWait();
            recorded[number] = Calls(subject, threads, number, calls, seed);
        })).ToList();
        running.ForEach(thread => thread.Start());
        running.ForEach(thread => thread.Join());

        for (var handle = 0; handle < s_handles.Length; handle++)
        {
            // A flush of an object is a call on each of its handles.
            var history = recorded.SelectMany(list => list)
                .Where(entry => entry.Handle == handle
                    || (entry.Call.Act == Act.FlushObject && s_handles[entry.Handle].Object == s_handles[handle].Object))
                .Select(entry => entry.Call).ToList();
            if (LinearizabilityChecker.Check(history, model) is { } wrong) return $"seed {seed}, handle {handle}: {wrong}";
        }
        return null;
    }

    private static List<(int, Operation)> Calls(Subject subject, int threads, int number, int calls, int seed)
    {
        var random = new Random(seed * 100 + number);
        var made = new List<(int, Operation)>(calls);
        var page = new byte[Pages.Size];
        for (var i = 0; i < calls; i++)
        {
            var handle = random.Next(s_handles.Length);
            var (obj, index) = s_handles[handle];
            var act = random.Next(20) switch
            {
                < 5 => Act.Put,
                < 7 => Act.Replace,
                < 14 => Act.Get,
                < 17 => Act.FlushPage,
                < 18 => Act.FlushObject,
                _ => Act.Look,
            };
            // Numbers of four neighbouring rounds differ in kind, and no two calls have the same number.
            long value = act is Act.Put or Act.Replace ? ((long)seed * calls + i + 1) * threads + number : 0;
            if (value != 0) StampedPage.Write(page, value);
            var invoked = Stopwatch.GetTimestamp();
            var status = act switch
            {
                Act.Put => subject.Put(obj, index, page),
                Act.Replace => subject.Replace(obj, index, page),
                Act.Get => subject.Get(obj, index, page),
                Act.FlushPage => subject.FlushPage(obj, index),
                Act.FlushObject => subject.FlushObject(obj),
                _ => subject.Look(obj, index),
            };
            var returned = Stopwatch.GetTimestamp();
            if (act == Act.Get && status == TmemStatus.Ok) value = StampedPage.Read(page);
            made.Add((handle, new Operation(act, value, status, invoked, returned)));
        }
        return made;
    }
}
