using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Tmem.Engine;
using Tmem.Fuse.Abi;
using Tmem.Fuse.Filesystem;
using Tmem.Fuse.Native;
using Tmem.Fuse.Tests.Filesystem;
using Tmem.Fuse.Tests.Protocol;
using Xunit;
using static Tmem.Fuse.Tests.Crash.Requests;
using Answer = Tmem.Fuse.Tests.Protocol.Answer;

namespace Tmem.Fuse.Tests.Crash;

/// <summary>
/// Every operation is killed before each of its stores, and after the last one but before its answer; the next process attaches
/// to the region and the request is sent again. The state and the answers must be those of one undisturbed execution.
/// </summary>
public sealed class ExactlyOnceTests
{
    private const int ManyFiles = 70;
    // More stores than any operation makes; a run that reaches this does not end.
    private const int MostStores = 2000;

    private sealed record Scenario(Request Request, params Request[] Before);

    private static Func<CrashVolume, ulong> At(string path) => volume => volume.Node(path);

    /// <summary>The first node of each path on each volume: names come and go.</summary>
    private static Func<CrashVolume, ulong> Was(string path)
    {
        var nodes = new ConditionalWeakTable<CrashVolume, StrongBox<ulong>>();
        return volume => nodes.GetValue(volume, one => new StrongBox<ulong>(one.Node(path))).Value;
    }

    /// <summary>Looks up a node while its path exists.</summary>
    private static Request Note(Func<CrashVolume, ulong> node) => (volume, unique) =>
    {
        node(volume);
        return new Message(FuseOpcode.Access, 1, unique).With(default(FuseAccessIn));
    };

    private static Dictionary<string, Scenario> Scenarios()
    {
        var f = Was("p/f");
        var e = Was("p/e");
        var empty = new FuseSetattrIn { Valid = FuseSetattrValid.Size };
        var owner = new FuseSetattrIn
        {
            Valid = FuseSetattrValid.Uid | FuseSetattrValid.Mode | FuseSetattrValid.Mtime, Uid = 7, Mode = 0x9FF, Mtime = 5,
        };
        return new Dictionary<string, Scenario>
        {
            ["lookup"] = new(Lookup("p", "f")),
            ["lookup of nothing"] = new(Lookup("p", "nothing")),
            ["lookup of a pool"] = new(Lookup("", "p")),
            ["mknod"] = new(MakeNode("p", "n")),
            ["mknod of a name in use"] = new(MakeNode("p", "f")),
            ["symlink"] = new(SymbolicLink("p", "n", "target")),
            ["mkdir"] = new(MakeDirectory("p/d", "n")),
            ["mkdir of a pool"] = new(MakeDirectory("", "q")),
            ["create"] = new(Create("p", "n")),
            ["create exclusive"] = new(Create("p", "n", Exclusive)),
            ["create of a name in use, exclusive"] = new(Create("p", "f", Exclusive)),
            ["create of a name in use"] = new(Create("p", "f")),
            ["create of a name in use, truncating"] = new(Create("p", "f", Truncate)),
            ["create of an empty name in use, truncating"] = new(Create("p/d", "y", Truncate), MakeNode("p/d", "y")),
            ["open"] = new(Open("p/f")),
            ["opendir"] = new(OpenDirectory("p/d")),
            ["release"] = new(Release(At("p/f")), Open("p/f"), Open("p/f")),
            ["release of a removed file"] = new(Release(f), Open("p/f"), Note(f), Unlink("p", "f"), Forget(f, 1)),
            ["releasedir of a removed directory"] =
                new(Release(e, directory: true), OpenDirectory("p/e"), Note(e), RemoveDirectory("p", "e"), Forget(e, 1)),
            ["link"] = new(Link("p/f", "p/d", "n")),
            ["unlink"] = new(Unlink("p", "f")),
            ["unlink of a file nobody knows"] = new(Unlink("p", "f"), Forget(At("p/f"), 1)),
            ["unlink of an open file"] = new(Unlink("p", "f"), Open("p/f"), Forget(At("p/f"), 1)),
            ["unlink of one name of two"] = new(Unlink("p", "f"), Link("p/f", "p", "n")),
            ["unlink of a symlink nobody knows"] = new(Unlink("p", "l"), SymbolicLink("p", "l", "t"), Forget(At("p/l"), 1)),
            ["rmdir"] = new(RemoveDirectory("p", "e")),
            ["rmdir of one nobody knows"] = new(RemoveDirectory("p", "e"), Forget(At("p/e"), 1)),
            ["rmdir of one that is not empty"] = new(RemoveDirectory("p", "d")),
            ["rmdir of a pool"] = new(RemoveDirectory("", "q"), MakeDirectory("", "q")),
            ["rename"] = new(Rename("p", "f", "p/d", "n")),
            ["rename of a directory"] = new(Rename("p", "e", "p/d", "n")),
            ["rename of a pool"] = new(Rename("", "p", "", "q")),
            ["rename over a file"] = new(Rename("p", "f", "p/d", "x")),
            ["rename over a file nobody knows"] = new(Rename("p", "f", "p/d", "x"), Forget(At("p/d/x"), 1)),
            ["rename over a directory"] = new(Rename("p", "e", "p", "g"), MakeDirectory("p", "g")),
            ["rename that may not replace"] = new(Rename("p", "f", "p/d", "n", 1)),
            ["rename that may not replace and would"] = new(Rename("p", "f", "p/d", "x", 1)),
            ["exchange"] = new(Rename("p", "f", "p/d", "x", 2)),
            ["exchange of a file and a directory"] = new(Rename("p/d", "x", "p", "e", 2)),
            ["setxattr"] = new(SetAttribute("p/f", "user.n", "value")),
            ["setxattr of a new one"] = new(SetAttribute("p/f", "user.n", "value", 1)),
            ["setxattr of one that is there"] = new(SetAttribute("p/f", "user.a", "value", 2)),
            ["setxattr of one that may not be there"] = new(SetAttribute("p/f", "user.a", "value", 1)),
            ["removexattr"] = new(RemoveAttribute("p/f", "user.a")),
            ["forget"] = new(Forget(At("p/f"), 1), Lookup("p", "f"), Lookup("p", "f")),
            ["forget of a removed file"] = new(Forget(f, 1), Note(f), Unlink("p", "f")),
            ["batch forget"] = new(
                BatchForget((f, 1), (At("p/d"), 1), (volume => 12345, 1), (At("p/d"), 1), (e, 1)),
                Note(f), Note(e), Lookup("p", "d"), Lookup("p", "d"), Unlink("p", "f"), RemoveDirectory("p", "e")),
            ["listing"] = new(List("p")),
            ["listing of many"] = new(List("p/m"),
                [MakeDirectory("p", "m"), .. Enumerable.Range(0, ManyFiles).Select(i => MakeNode("p/m", $"{i}"))]),
            ["truncate"] = new(Change("p/f", empty with { Size = 5000 }), SetAttribute("p/f", "security.capability", "c")),
            ["growth"] = new(Change("p/f", empty with { Size = 50_000 })),
            ["chown"] = new(Change("p/f", owner), SetAttribute("p/f", "security.capability", "c")),
            ["write"] = new(Write("p/f", 6000, TestVolume.Noise(20_000, 3)), SetAttribute("p/f", "security.capability", "c")),
            ["punch"] = new(Allocate("p/f", 100, 9000, 3)),
            ["zero range"] = new(Allocate("p/f", 100, 40_000, 0x10)),
        };
    }

    public static TheoryData<string> Names() => [.. Scenarios().Keys];

    private static readonly Request[] s_base =
    [
        MakeDirectory("", "p"), Create("p", "f"), Release(At("p/f")), Write("p/f", 0, TestVolume.Noise(3 * 4096, 1)),
            SetAttribute("p/f", "user.a", "old"),
        MakeDirectory("p", "d"), MakeDirectory("p", "e"), MakeNode("p/d", "x"), Write("p/d/x", 0, TestVolume.Noise(5000, 2)),
    ];

    private static CrashVolume Prepare(Scenario scenario)
    {
        var volume = new CrashVolume();
        foreach (var request in s_base.Concat(scenario.Before))
            Assert.Equal(Errno.Ok, volume.Send(request(volume, volume.NextUnique()).Build()).Error);
        return volume;
    }

    /// <summary>
    /// An answer in words that do not depend on the places of records. For a listing only the error: its order is that of hashes.
    /// </summary>
    private static string Words(CrashVolume volume, byte[] message, Answer answer)
    {
        var opcode = MemoryMarshal.Read<FuseInHeader>(message).Opcode;
        if (answer.Error != Errno.Ok || answer.Body.Length == 0) return $"{answer.Error}";
        if (opcode == FuseOpcode.Readdirplus) return answer.Body.Length > 0 ? "entries" : "none";
        var at = 0;
        var words = "";
        if (opcode is FuseOpcode.Lookup or FuseOpcode.Mknod or FuseOpcode.Mkdir or FuseOpcode.Symlink or FuseOpcode.Link
            or FuseOpcode.Create)
        {
            var entry = answer.As<FuseEntryOut>();
            at = Unsafe.SizeOf<FuseEntryOut>();
            ref var inode = ref volume.Records.Get<InodeRecord>(new Engine.Records.RecordRef(entry.NodeId));
            Assert.Equal((inode.Generation, entry.NodeId), (entry.Generation, entry.Attr.Ino));
            words =
                $"entry {entry.EntryValid} {entry.AttrValid} {entry.Attr.Mode:x} {entry.Attr.Size} {entry.Attr.Nlink} "
                + $"{entry.Attr.Uid} ";
        }
        if (opcode is FuseOpcode.Open or FuseOpcode.Opendir or FuseOpcode.Create)
        {
            var open = answer.As<FuseOpenOut>(at);
            Assert.True(volume.Records.IsRecord(new Engine.Records.RecordRef(open.Fh), RecordKind.Inode));
            words += $"open {open.OpenFlags}";
        }
        return words + $" {answer.Body.Length} bytes";
    }

    private static (string Answer, string State) Undisturbed(Scenario scenario)
    {
        using var volume = Prepare(scenario);
        var message = scenario.Request(volume, volume.NextUnique()).Build();
        var words = Words(volume, message, volume.Send(message));
        volume.AssertSound();
        return (words, Snapshot.Of(volume));
    }

    /// <summary>Sends a request and kills at a store. True if the request was completed before that.</summary>
    private static bool TrySend(CrashVolume volume, byte[] message, int killAt)
    {
        volume.KillAt = killAt;
        try
        {
            volume.Send(message, thread: 3);
            return true;
        }
        catch (Killed)
        {
            return false;
        }
        finally
        {
            volume.KillAt = 0;
        }
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void An_operation_killed_at_any_store_happens_once(string name)
    {
        var scenario = Scenarios()[name];
        var expected = Undisturbed(scenario);
        var completed = false;
        for (var store = 1; !completed; store++)
        {
            Assert.True(store < MostStores);
            using var volume = Prepare(scenario);
            var message = scenario.Request(volume, volume.NextUnique()).Build();
            completed = TrySend(volume, message, store);
            volume.Reopen();
            volume.AssertSound();
            var answer = volume.SendAgain(message, thread: 1);
            volume.AssertSound();
            Assert.Equal((store, expected.Answer), (store, Words(volume, message, answer)));
            Assert.Equal(expected.State, Snapshot.Of(volume));
            // The request is sent once more if its answer, too, did not reach the kernel; and others come first.
            Lookups(volume, 5);
            volume.Reopen();
            Lookups(volume, 5);
            answer = volume.SendAgain(message, thread: 2);
            Assert.Equal((store, expected.Answer), (store, Words(volume, message, answer)));
            Assert.Equal(expected.State, Snapshot.Of(volume));
            volume.Files.DropKernelReferences();
            volume.AssertSound();
        }
    }

    /// <summary>Requests of other threads that leave answers of their own: lookups, each of which is forgotten again.</summary>
    private static void Lookups(CrashVolume volume, int threads)
    {
        var root = Snapshot.Children(volume, volume.Records.Get<RootRecord>(volume.Records.Root).RootInode).Keys.First();
        for (var thread = 10; thread < 10 + threads; thread++)
        {
            Assert.Equal(Errno.Ok, volume.Send(Lookup("", root)(volume, volume.NextUnique()).Build(), thread).Error);
            volume.Send(Forget(At(root), 1)(volume, volume.NextUnique()).Build(), thread);
        }
    }

    [Theory]
    [InlineData("create"), InlineData("rename over a file nobody knows"), InlineData("setxattr of one that is there"),
        InlineData("batch forget")]
    [InlineData("rmdir of a pool"), InlineData("listing"), InlineData("unlink of a file nobody knows"),
        InlineData("mkdir of a pool")]
    public void A_recovery_killed_at_any_store_is_taken_up_by_the_next(string name)
    {
        var scenario = Scenarios()[name];
        var expected = Undisturbed(scenario);
        var completed = false;
        for (var store = 1; !completed; store++)
        {
            var recovered = false;
            for (var recovery = 1; !recovered; recovery++)
            {
                Assert.True(store < MostStores && recovery < MostStores);
                using var volume = Prepare(scenario);
                var message = scenario.Request(volume, volume.NextUnique()).Build();
                completed = TrySend(volume, message, store);
                volume.KillAt = recovery;
                try
                {
                    volume.Reopen();
                    recovered = true;
                }
                catch (Killed)
                {
                    volume.KillAt = 0;
                    volume.Reopen();
                }
                volume.KillAt = 0;
                volume.AssertSound();
                Assert.Equal((store, expected.Answer), (store, Words(volume, message, volume.SendAgain(message))));
                Assert.Equal(expected.State, Snapshot.Of(volume));
                volume.AssertSound();
            }
        }
    }

    [Theory]
    [InlineData(true), InlineData(false)]
    public void A_pool_is_managed_wholly_or_not_at_all(bool creates)
    {
        using var without = Prepare(new Scenario(Lookup("p", "f")));
        using var with = Prepare(new Scenario(Lookup("p", "f")));
        if (creates) Create(with);
        else Assert.Equal(Errno.Ok, without.Files.DestroyPool("p", force: true));
        foreach (var volume in new[] { without, with }) volume.Files.DropKernelReferences();
        var states = (Snapshot.Of(without), Snapshot.Of(with));
        var completed = false;
        var seen = new HashSet<string>();
        for (var store = 1; !completed; store++)
        {
            using var volume = Prepare(new Scenario(Lookup("p", "f")));
            volume.KillAt = store;
            try
            {
                if (creates) Create(volume);
                else volume.Files.DestroyPool("p", force: true);
                completed = true;
            }
            catch (Killed)
            {
            }
            volume.KillAt = 0;
            volume.Reopen();
            volume.AssertSound();
            volume.Files.DropKernelReferences();
            volume.AssertSound();
            while (volume.Files.DropSome()) { }
            volume.AssertSound();
            var state = Snapshot.Of(volume);
            Assert.True(state == states.Item1 || state == states.Item2, state);
            seen.Add(state);
        }
        Assert.Equal(2, seen.Count);

        static void Create(CrashVolume volume) =>
            Assert.Equal(Errno.Ok, volume.Files.CreatePool("q", new PoolOptions(PoolFlags.None, 1 << 20), 0x1ED, out _));
    }
}
