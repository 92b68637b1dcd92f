using System.Text;
using Tmem.Engine;

// Values by key in a file, found again by the next process:  KeyValues FILE set KEY VALUE | get KEY | remove KEY
// A key is an object, a value its pages: the first begins with the value's length. The pool is persistent, so what was set stays,
// or is refused; and SyncAsync returns when it is on the disk.
if (args is not ([_, "set", _, _] or [_, "get" or "remove", _]))
{
    Console.Error.WriteLine("usage: KeyValues FILE set KEY VALUE | get KEY | remove KEY");
    return 2;
}
using var engine = TmemEngine.Open(new EngineOptions { CapacityBytes = 64 << 20, RegionPath = args[0] });
var client = engine.Client(new TmemClientId(1));
if (client.Pools() is not [var pool]) client.NewPool(new PoolOptions(PoolKind.Persistent), out pool);
var key = ObjectId.FromKey(args[2]);
var page = new byte[TmemClient.PageSize];

switch (args[1])
{
    case "set":
        var value = Encoding.UTF8.GetBytes(args[3]);
        byte[] stored = [.. BitConverter.GetBytes(value.Length), .. value];
        Array.Resize(ref stored, (stored.Length + page.Length - 1) / page.Length * page.Length);
        client.FlushObject(pool, key);
        var status = client.PutRange(pool, key, first: 0, stored, out _);
        if (status == TmemStatus.Ok) status = await engine.SyncAsync();
        if (status == TmemStatus.Ok) return 0;
        Console.Error.WriteLine($"not stored: {status}");
        return 1;
    case "get" when client.TryGet(pool, key, 0, page, out _):
        var all = new byte[(BitConverter.ToInt32(page) + sizeof(int) + page.Length - 1) / page.Length * page.Length];
        client.GetRange(pool, key, first: 0, all, new TmemStatus[all.Length / page.Length]);
        Console.WriteLine(Encoding.UTF8.GetString(all, sizeof(int), BitConverter.ToInt32(page)));
        return 0;
    case "remove" when client.FlushObject(pool, key) == TmemStatus.Ok:
        await engine.SyncAsync();
        return 0;
    default:
        Console.Error.WriteLine($"there is no '{args[2]}'");
        return 1;
}
