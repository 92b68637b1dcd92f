using System.Text;
using Tmem.Control;
using Tmem.Control.Messages;
using Tmem.Ctl.Native;
using Tmem.Ctl.Transfer;

namespace Tmem.Ctl.Commands;

/// <summary>Pools of a daemon, for a restore.</summary>
internal sealed class PoolMaker(ControlClient client, int root) : IPoolMaker
{
    private const int MostTries = 100, BetweenTries = 20;
    private const uint HiddenMode = 0x1C0; // 0700

    public int Root => root;

    public static CodecWish CodecOf(string? name) => name switch
    {
        "lz4-reference" => CodecWish.Lz4Reference,
        "zstd" => CodecWish.Zstd,
        _ => CodecWish.Lz4,
    };

    public string? Make(in SavedPool pool, string hidden) => Problem(client.CreatePool(new()
    {
        Name = hidden,
        Ephemeral = pool.IsEphemeral,
        RefuseIncompressible = pool.RefusesIncompressible,
        Codec = (CodecWish)pool.Codec is var codec and >= CodecWish.Lz4 and <= CodecWish.Zstd ? codec : CodecWish.Lz4,
        Mode = HiddenMode,
    }));

    public string? Limit(in SavedPool pool, string hidden) =>
        Problem(client.SetPool(new() { Name = hidden, Limit = pool.Limit }));

    public void Destroy(string hidden)
    {
        // The kernel tells of the last close a moment after it.
        for (var tries = 0; tries < MostTries; tries++, Thread.Sleep(BetweenTries))
            if (client.DestroyPool(hidden, force: true).Error?.Code != ControlErrorCode.Busy) return;
    }

    /// <summary>Removes what a restore that was killed has left: pools under a hidden name that nobody holds.</summary>
    public void RemoveLeft(IReadOnlyList<PoolSummary> pools)
    {
        // As Make makes them: root's alone. One that somebody has made under such a name stays.
        foreach (var pool in pools.Where(pool => pool.Name.StartsWith(TreeRestorer.Hidden, StringComparison.Ordinal)
            && pool is { Owner: 0, Group: 0, Mode: HiddenMode }))
        {
            if (Tree.Open(root, Encoding.UTF8.GetBytes(pool.Name), Files.DirectoryOnly, 0, out var folder) != Errno.Ok) continue;
            var isLeft = Files.Lock(folder) == Errno.Ok;
            Files.Close(folder);
            if (isLeft) Destroy(pool.Name);
        }
    }

    private static string? Problem<T>(Reply<T> reply) where T : class => reply.Error is { } error ? error.Message
        : reply.Unreachable;
}
