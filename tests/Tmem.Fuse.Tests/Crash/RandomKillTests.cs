using CsCheck;
using Tmem.Fuse.Native;
using Xunit;
using static Tmem.Fuse.Tests.Crash.Requests;

namespace Tmem.Fuse.Tests.Crash;

/// <summary>
/// Sequences of requests from several threads to a volume that is killed now and then, with requests half done and answers not
/// yet sent, and the same sequence to one that never is. The test plays the kernel's part too: what was not answered is sent
/// again, in any order, before or after anything else.
/// </summary>
public sealed class RandomKillTests
{
    private static readonly string[] s_directories = ["p", "p/d", "p/e"];
    private static readonly string[] s_names = ["a", "b", "c"];

    /// <param name="Fate">0 to 5: answered. 6 or 7: carried out, the answer not yet sent. 8: killed after all its answers are
    /// sent; more: killed at a store.</param>
    private sealed record Step(int Operation, int Directory, int Name, int OtherDirectory, int OtherName, int Variant, int Fate);

    private static readonly Gen<Step> s_step = Gen.Select(
        Gen.Int[0, 13], Gen.Int[0, 2], Gen.Int[0, 2], Gen.Int[0, 2], Gen.Int[0, 2], Gen.Int[0, 2], Gen.Int[0, 20],
        (operation, directory, name, other, otherName, variant, fate) =>
            new Step(operation, directory, name, other, otherName, variant, fate));

    [Fact]
    public void Kills_leave_no_trace() => s_step.List[1, 40].Sample(Run, iter: 150, threads: 1);

    private static void Run(List<Step> steps)
    {
        using var killed = new CrashVolume();
        using var undisturbed = new CrashVolume();
        var run = new Session(killed, undisturbed);
        foreach (var request in new[] { MakeDirectory("", "p"), MakeDirectory("p", "d"), MakeDirectory("p", "e") })
        {
            killed.Send(request(killed, killed.NextUnique()).Build());
            undisturbed.Send(request(undisturbed, undisturbed.NextUnique()).Build());
        }
        foreach (var step in steps) run.Apply(step);
        run.Kill(0);
        Assert.Equal(Snapshot.Of(undisturbed), Snapshot.Of(killed));
        killed.AssertSound();
    }

    private sealed class Session(CrashVolume killed, CrashVolume undisturbed)
    {
        private const int Threads = 6;
        /// <summary>By thread: a request carried out and not answered.</summary>
        private readonly SortedDictionary<int, (byte[] Message, Errno Error)> _unanswered = [];

        public void Apply(Step step)
        {
            if (RequestOf(step) is not { } request) return;
            var expected = undisturbed.Send(request(undisturbed, undisturbed.NextUnique()).Build()).Error;
            var message = request(killed, killed.NextUnique()).Build();
            var thread = Enumerable.Range(0, Threads).First(one => !_unanswered.ContainsKey(one));
            killed.KillAt = step.Fate > 8 ? step.Fate - 8 : 0;
            try
            {
                var answer = killed.Send(message, thread);
                killed.KillAt = 0;
                Assert.Equal(expected, answer.Error);
                // A failure is determined anew, and may then be a success; a listing is made again.
                var stays = step.Fate is 6 or 7 && answer.Error == Errno.Ok && step.Operation != 13
                    && _unanswered.Count < Threads - 1;
                if (stays && answer.Length > 0) _unanswered[thread] = (message, expected);
                if (step.Fate == 8) Kill(step.Variant);
            }
            catch (Killed)
            {
                killed.KillAt = 0;
                _unanswered[thread] = (message, expected);
                Kill(step.Variant);
            }
        }

        /// <summary>The next process takes over, and every unanswered request is sent again.</summary>
        public void Kill(int order)
        {
            killed.Reopen();
            killed.AssertSound();
            var messages = _unanswered.Values.ToList();
            if (order == 1) messages.Reverse();
            var thread = order;
            foreach (var (message, error) in messages)
            {
                Assert.Equal(error, killed.SendAgain(message, thread++).Error);
                // Once more: this process dies as well, before it sends its answers.
                if (order != 2) continue;
                killed.Reopen();
                Assert.Equal(error, killed.SendAgain(message, thread).Error);
            }
            _unanswered.Clear();
            Assert.Equal(Snapshot.Of(undisturbed), Snapshot.Of(killed));
        }

        private Request? RequestOf(Step step)
        {
            var directory = DirectoryOf(step.Directory);
            var other = DirectoryOf(step.OtherDirectory);
            var (name, otherName) = (s_names[step.Name], s_names[step.OtherName]);
            var path = $"{directory}/{name}";
            var exists = Exists(path);
            switch (step.Operation)
            {
                case 0: return MakeNode(directory, name);
                case 1: return Create(directory, name, step.Variant switch { 0 => 0, 1 => Exclusive, _ => Truncate });
                case 2: return MakeDirectory("p", step.Variant == 0 ? "d" : "e");
                case 3: return RemoveDirectory("p", step.Variant == 0 ? "d" : "e");
                case 4: return Unlink(directory, name);
                case 5 or 6: return Rename(directory, name, other, otherName, (uint)step.Variant);
                case 7: return SymbolicLink(directory, name, "target");
                case 13: return List(directory);
            }
            if (!exists) return Lookup(directory, name);
            ulong Node(CrashVolume volume) => volume.Node(path);
            return step.Operation switch
            {
                8 => Link(path, other, otherName),
                9 => Open(path),
                10 => Release(Node),
                11 => SetAttribute(path, "user.a", name, (uint)step.Variant),
                // The kernel forgets only what it was told of: a request without an answer told it nothing.
                _ => _unanswered.Count == 0 ? Forget(Node, 1) : null,
            };
        }

        private string DirectoryOf(int number) => Exists(s_directories[number]) ? s_directories[number] : "p";

        private bool Exists(string path)
        {
            try { return undisturbed.Node(path) != 0; }
            catch (KeyNotFoundException) { return false; }
        }
    }
}
