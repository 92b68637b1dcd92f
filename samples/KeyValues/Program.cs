using KeyValues;
using Tmem.Engine;

// Values by key in a file, found again by the next process:  KeyValues FILE set KEY VALUE | get KEY | remove KEY
// The pool is persistent, so what was set stays, and a set that is refused leaves the value before it. SyncAsync returns when all
// is on the disk.
if (args is not ([_, "set", _, _] or [_, "get" or "remove", _]))
{
    Console.Error.WriteLine("usage: KeyValues FILE set KEY VALUE | get KEY | remove KEY");
    return 2;
}
try
{
    using var engine = TmemEngine.Open(new EngineOptions { CapacityBytes = 64 << 20, RegionPath = args[0] });
    var client = engine.Client(new TmemClientId(1));
    var status = TmemStatus.Ok;
    if (client.Pools() is not [var pool, ..]) status = client.NewPool(new PoolOptions(PoolKind.Persistent), out pool);
    var values = new ValueStore(client, pool);
    var value = "";
    if (status == TmemStatus.Ok)
        status = args[1] switch
        {
            "set" => values.Set(args[2], args[3]),
            "get" => values.Get(args[2], out value),
            _ => values.Remove(args[2]),
        };
    if (status != TmemStatus.Ok)
        return Fail(status == TmemStatus.Miss ? $"there is no '{args[2]}'" : $"{args[1]} '{args[2]}': {status}");
    if (args[1] == "get") Console.WriteLine(value);
    else if (await engine.SyncAsync() is var synced and not TmemStatus.Ok)
        return Fail($"done, but not on the disk yet: {synced}");
    return 0;
}
catch (RegionException e)
{
    return Fail(e.Message);
}

static int Fail(string why)
{
    Console.Error.WriteLine($"KeyValues: {why}");
    return 1;
}
