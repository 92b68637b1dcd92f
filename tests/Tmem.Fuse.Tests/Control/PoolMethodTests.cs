using Tmem.Control.Messages;
using Tmem.Fuse.Native;
using Xunit;

namespace Tmem.Fuse.Tests.Control;

/// <summary>Pools are made, listed, shown, guaranteed memory and destroyed, over a real socket.</summary>
public sealed class PoolMethodTests : IDisposable
{
    private readonly ControlServerFixture _fixture = new();
    private readonly Peer _peer;

    public PoolMethodTests() => _peer = _fixture.Connect();

    [Fact]
    public void A_pool_is_created_listed_shown_and_destroyed()
    {
        var made = _peer.Call("pool.create",
            """{"name":"logs","ephemeral":true,"limit":1048576,"refuseIncompressible":true}""")["result"]!;
        Assert.Equal("ephemeral", made["kind"]!.GetValue<string>());
        Assert.Equal(Engine.PoolFlags.Shared, Assert.Single(_fixture.Store.Pools()).Options.Flags);
        _peer.Call("pool.create", """{"name":"data"}""");

        var list = _peer.Call("pool.list")["result"]!["pools"]!.AsArray();
        Assert.Equal(["data", "logs"], list.Select(pool => pool!["name"]!.GetValue<string>()));
        Assert.Equal(["persistent", "ephemeral"], list.Select(pool => pool!["kind"]!.GetValue<string>()));
        Assert.Equal(128, list[0]!["memoryBytes"]!.GetValue<long>());

        var shown = _peer.Call("pool.show", """{"name":"logs"}""")["result"]!;
        Assert.Equal(1048576, shown["limitBytes"]!.GetValue<long>());
        Assert.True(shown["refuseIncompressible"]!.GetValue<bool>());
        Assert.Equal(4096, shown["pageSize"]!.GetValue<int>());
        Assert.Equal(9, shown["figures"]!["evictions"]!.GetValue<long>());

        Assert.Equal(10, _peer.Call("pool.destroy", """{"name":"logs"}""")["result"]!["pagesFreed"]!.GetValue<long>());
        Assert.Equal("data", Assert.Single(_fixture.Store.Pools()).Name);
    }

    [Theory]
    [InlineData("\"zstd\"", "zstd", Engine.TmemCodec.Zstd)]
    [InlineData("\"lz4-reference\"", "lz4-reference", Engine.TmemCodec.Lz4)]
    [InlineData("\"pool\"", "lz4", Engine.TmemCodec.Page)]
    [InlineData("null", "lz4", Engine.TmemCodec.Page)]
    public void A_pool_is_made_with_a_codec(string wish, string name, Engine.TmemCodec codec)
    {
        var made = _peer.Call("pool.create", $$"""{"name":"a","codec":{{wish}}}""")["result"]!;
        Assert.Equal(name, made["codec"]!.GetValue<string>());
        Assert.Equal(codec, Assert.Single(_fixture.Store.Pools()).Options.Codec);
        Assert.Equal(name, _peer.Call("pool.list")["result"]!["pools"]![0]!["codec"]!.GetValue<string>());
    }

    [Fact]
    public void Which_pool_was_made_for_swap_is_told_and_of_others_nothing()
    {
        Assert.True(_peer.Call("pool.create", """{"name":"swap","forSwap":true}""")["result"]!["forSwap"]!.GetValue<bool>());
        Assert.Null(_peer.Call("pool.create", """{"name":"data"}""")["result"]!["forSwap"]);
        var list = _peer.Call("pool.list")["result"]!["pools"]!.AsArray();
        Assert.Equal([null, true], list.Select(pool => pool!["forSwap"]?.GetValue<bool>()));
        Assert.True(_peer.Call("pool.show", """{"name":"swap"}""")["result"]!["forSwap"]!.GetValue<bool>());
    }

    [Fact]
    public void A_pool_is_guaranteed_memory_when_it_is_made_and_later()
    {
        var made = _peer.Call("pool.create", """{"name":"swap","reserve":1048576}""")["result"]!;
        Assert.Equal(1048576, made["reserveBytes"]!.GetValue<long>());
        Assert.Equal(0, _peer.Call("pool.reserve",
            """{"name":"swap","reserve":0}""")["result"]!["reserveBytes"]!.GetValue<long>());
        Assert.Equal(4096, _peer.Call("pool.reserve",
            """{"name":"swap","reserve":4096}""")["result"]!["reserveBytes"]!.GetValue<long>());
        Assert.Equal(4096, _peer.Call("pool.list")["result"]!["pools"]![0]!["reserveBytes"]!.GetValue<long>());

        Assert.Equal(ControlErrorCode.NotFound, _peer.Call("pool.reserve", """{"name":"none","reserve":1}""").Code());
        Assert.Equal(ControlErrorCode.InvalidParameters, _peer.Call("pool.reserve", """{"name":"swap","reserve":-1}""").Code());
        Assert.Equal(ControlErrorCode.InvalidParameters, _peer.Call("pool.create",
            """{"name":"e","ephemeral":true,"reserve":1}""").Code());
        Assert.Equal(ControlErrorCode.InvalidParameters, _peer.Call("pool.create",
            """{"name":"l","limit":1048576,"reserve":1048577}""").Code());
        _fixture.Store.CreateAnswers = Errno.ENOSPC;
        Assert.Equal(ControlErrorCode.NoRoom, _peer.Call("pool.reserve", """{"name":"swap","reserve":8192}""").Code());
    }

    [Fact]
    public void A_pool_that_holds_files_is_destroyed_by_force_alone()
    {
        _peer.Call("pool.create", """{"name":"full"}""");
        _fixture.Store.Filled.Add("full");
        Assert.Equal(ControlErrorCode.NotEmpty, _peer.Call("pool.destroy", """{"name":"full"}""").Code());
        Assert.NotNull(_peer.Call("pool.destroy", """{"name":"full","force":true}""")["result"]);
    }

    [Fact]
    public void A_pool_in_use_is_not_destroyed_at_all()
    {
        _peer.Call("pool.create", """{"name":"used"}""");
        _fixture.Store.Busy.Add("used");
        var unseen = _peer.Call("pool.destroy", """{"name":"used","force":true}""");
        Assert.Equal(ControlErrorCode.Busy, unseen.Code());
        Assert.Equal("pool 'used' cannot be destroyed: a file of it is open (EBUSY)", unseen.Message());
        _fixture.Daemon.Holders["used"] = ["/mnt/used/f by process 123 (bash)", "/mnt/used/g by process 124 (cat)"];
        Assert.Equal("pool 'used' cannot be destroyed: files of it are open: /mnt/used/f by process 123 (bash), /mnt/used/g by "
            + "process 124 (cat) (EBUSY)", _peer.Call("pool.destroy", """{"name":"used","force":true}""").Message());
    }

    /// <summary>mkdir takes any name: such a pool is shown and destroyed by the name that it has.</summary>
    [Fact]
    public void A_pool_that_mkdir_made_can_be_named_whatever_its_name()
    {
        var directory = _fixture.Store;
        Assert.Equal(Errno.Ok, directory.CreatePool("a\tb", default, 0, out _));
        Assert.Equal("a\tb", _peer.Call("pool.show", """{"name":"a\tb"}""")["result"]!["name"]!.GetValue<string>());
        Assert.NotNull(_peer.Call("pool.destroy", """{"name":"a\tb"}""")["result"]);
        Assert.Equal(Errno.Ok, directory.CreatePool("\u202e ", default, 0, out _));
        Assert.NotNull(_peer.Call("pool.destroy", """{"name":"\u202e "}""")["result"]);
        // Bytes that are not UTF-8 are shown as U+FFFD, by which the file system does not find them.
        Assert.Equal(Errno.Ok, directory.CreatePool("\ufffd", default, 0, out _));
        _fixture.Store.DestroyAnswers = Errno.ENOENT;
        var reply = _peer.Call("pool.destroy", """{"name":"\ufffd"}""");
        Assert.Contains("its name is not UTF-8", reply.Message());
        Assert.Contains("through the mount", reply["error"]!["data"]!["remedy"]!.GetValue<string>());
    }

    public void Dispose()
    {
        _peer.Dispose();
        _fixture.Dispose();
    }
}
