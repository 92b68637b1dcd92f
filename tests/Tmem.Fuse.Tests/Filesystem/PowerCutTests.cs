using CsCheck;
using Tmem.Engine;
using Tmem.Engine.Tests.Durability;
using Tmem.Fuse.Native;
using Tmem.Fuse.Protocol;
using Xunit;

namespace Tmem.Fuse.Tests.Filesystem;

/// <summary>
/// Names and contents after a power cut: each thread works in a directory of its own, and what is found there later is exactly
/// its state at some moment, no earlier than its last fsync that returned.
/// </summary>
public sealed class PowerCutTests
{
    private const int Threads = 3;
    private const int Names = 8;

    [Fact]
    public void What_was_synced_is_there_and_nothing_is_wrong() => Gen.Int.Sample(seed =>
    {
        var disk = new SimulatedDisk();
        var workers = Enumerable.Range(0, Threads).Select(number => new Worker(number, seed)).ToList();
        using (var volume = Open(disk))
        {
            var pool = volume.Pool();
            foreach (var worker in workers) worker.Directory = volume.Directory(pool, $"d{worker.Number}");
            Assert.Equal(Errno.Ok, Sync(volume, pool));
            foreach (var worker in workers) worker.Promise(disk.Now, 0);
            var threads = workers.Select(worker => new Thread(() => worker.Run(volume, disk))).ToList();
            threads.ForEach(one => one.Start());
            threads.ForEach(one => one.Join());
        }
        var random = new Random(seed);
        for (var cut = 0; cut < 100; cut++)
        {
            var moment = random.Next(disk.Now + 1);
            using var volume = Open(new SimulatedDisk(disk.AfterPowerCut(moment, random)));
            volume.AssertSound();
            foreach (var worker in workers) worker.Check(volume, moment);
        }
    }, iter: 3, threads: 1);

    [Fact]
    public void A_disk_that_refuses_is_the_answer_of_fsync()
    {
        var disk = new SimulatedDisk();
        using var volume = Open(disk);
        var file = volume.File(volume.Pool(), "f", TestVolume.Noise(100_000, 1));
        disk.Fails = what => what == "sync" ? Tmds.Linux.LibC.EIO : 0;
        Assert.Equal(Errno.EIO, Sync(volume, file));
        disk.Fails = null;
        disk.Size = 0;
        Assert.Equal(Errno.ENOSPC, Sync(volume, file));
        disk.Size = long.MaxValue;
        Assert.Equal(Errno.Ok, Sync(volume, file));
        Assert.Equal(Errno.ESTALE, Sync(volume, new NodeId(12345678)));
    }

    /// <summary>fsync, with the wait for the disk that its reply waits for.</summary>
    private static Errno Sync(TestVolume volume, NodeId node)
    {
        var error = volume.Files.Sync(node, 0, false, out var deferral);
        Assert.Equal(DeferralKind.Durable, deferral.Kind);
        return error == Errno.Ok ? volume.Files.MakeDurable() : error;
    }

    private static TestVolume Open(SimulatedDisk disk) =>
        new(new EngineOptions { CapacityBytes = 4 * TestVolume.Mebi, ImageFile = disk, SyncInterval = TimeSpan.Zero });

    /// <summary>
    /// A thread, and the state of its directory after each change: the version of each file's page, 0 if it is empty.
    /// </summary>
    private sealed class Worker(int number, int seed)
    {
        private readonly List<Dictionary<string, int>> _states = [[]];
        private readonly List<(int Moment, int Done)> _promises = [];
        private readonly Random _random = new(seed + number);

        public int Number => number;
        public NodeId Directory { get; set; }

        public void Promise(int moment, int done) => _promises.Add((moment, done));

        public void Run(TestVolume volume, SimulatedDisk disk)
        {
            for (var step = 1; step <= 400; step++)
            {
                var state = new Dictionary<string, int>(_states[^1]);
                var (name, other) = ($"f{_random.Next(Names)}", $"f{_random.Next(Names)}");
                var there = state.ContainsKey(name);
                switch (_random.Next(6))
                {
                    case 0 when there:
                        Assert.Equal(Errno.Ok, volume.Unlink(Directory, name));
                        state.Remove(name);
                        break;
                    case 1 when there && name != other:
                        Assert.Equal(Errno.Ok, volume.Rename(Directory, name, Directory, other));
                        state[other] = state[name];
                        state.Remove(name);
                        break;
                    case 2 when there && name != other && state.ContainsKey(other):
                        Assert.Equal(Errno.Ok, volume.Rename(Directory, name, Directory, other, 2));
                        (state[name], state[other]) = (state[other], state[name]);
                        break;
                    default:
                        if (there)
                        {
                            Write(volume, volume.Find(Directory, name), step);
                            state[name] = step;
                        }
                        else
                        {
                            volume.File(Directory, name);
                            state[name] = 0;
                        }
                        break;
                }
                _states.Add(state);
                if (_random.Next(60) != 0) continue;
                Assert.Equal(Errno.Ok, Sync(volume, Directory));
                Promise(disk.Now, _states.Count - 1);
            }
        }

        /// <summary>
        /// As the kernel does, which writes only to open files: of a write that is cut short between page and size, recovery
        /// takes the page away if the file was open.
        /// </summary>
        private void Write(TestVolume volume, NodeId file, int version)
        {
            Assert.Equal(Errno.Ok, volume.Files.Open(TestVolume.Root, file, 2, 0, out var open));
            volume.Write(file, 0, Page(version));
            volume.Files.Release(TestVolume.Root, file, open.Fh);
        }

        public void Check(TestVolume volume, int moment)
        {
            var promises = _promises.Where(one => one.Moment <= moment).ToList();
            if (promises.Count == 0) return;
            var directory = volume.Find(volume.Find(NodeId.Root, "p"), $"d{number}");
            var found = new Dictionary<string, int>();
            foreach (var listed in volume.List(directory))
            {
                var node = volume.Find(directory, listed.Name);
                var bytes = volume.Read(node, 0, 8192);
                var version = bytes.Length == 0 ? 0 : BitConverter.ToInt32(bytes);
                if (version != 0) Assert.Equal(Page(version), bytes);
                found[listed.Name] = version;
            }
            var least = promises.Max(one => one.Done);
            var matches = Enumerable.Range(0, _states.Count).Where(at => Same(_states[at], found)).ToList();
            Assert.True(matches.Any(at => at >= least),
                $"cut at {moment}: directory {number} was promised state {least}, and is as in {string.Join(", ", matches)}: "
                + string.Join(" ", found.OrderBy(one => one.Key).Select(one => $"{one.Key}={one.Value}")));
        }

        private byte[] Page(int version)
        {
            var page = TestVolume.Noise(TestVolume.Page, version * Threads + number);
            BitConverter.TryWriteBytes(page, version);
            return page;
        }

        private static bool Same(Dictionary<string, int> one, Dictionary<string, int> other) =>
            one.Count == other.Count && one.All(pair => other.TryGetValue(pair.Key, out var value) && value == pair.Value);
    }
}
