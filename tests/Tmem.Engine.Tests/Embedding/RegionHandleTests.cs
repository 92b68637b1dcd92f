using Microsoft.Win32.SafeHandles;

namespace Tmem.Engine.Tests.Embedding;

/// <summary>A region's file that the caller has open, however it was opened, under any name or none.</summary>
public sealed class RegionHandleTests : IDisposable
{
    private readonly string _path = Path.GetTempFileName();

    public void Dispose() => File.Delete(_path);

    private SafeFileHandle Handle(FileAccess access = FileAccess.ReadWrite) =>
        File.OpenHandle(_path, FileMode.Open, access, FileShare.ReadWrite | FileShare.Delete);

    private static EngineOptions Options(SafeFileHandle handle) =>
        new() { CapacityBytes = 4 * Engines.Mebi, RegionHandle = handle };

    [Fact]
    public void What_was_stored_is_there_when_the_file_is_opened_again_though_its_name_is_gone()
    {
        using var handle = Handle();
        File.Delete(_path);
        var page = Pages.Random(1);
        PoolId pool;
        using (var engine = TmemEngine.Open(Options(handle)))
        {
            pool = Engines.Pool(engine.Client(new TmemClientId(1)));
            engine.Client(new TmemClientId(1)).Put(pool, new ObjectId(1), 3, page);
        }
        Assert.False(handle.IsClosed);
        using var again = TmemEngine.Open(Options(handle));
        Assert.True(again.Attached);
        var got = new byte[TmemClient.PageSize];
        Assert.True(again.Client(new TmemClientId(1)).TryGet(pool, new ObjectId(1), 3, got, out _));
        Assert.Equal(page, got);
    }

    [Fact]
    public void The_handle_stays_the_callers_and_may_be_closed()
    {
        var handle = Handle();
        using var engine = TmemEngine.Open(Options(handle));
        Assert.Equal(8, RandomAccess.Read(handle, new byte[8], 0));
        handle.Dispose();
        Engines.Pool(engine.Client(new TmemClientId(1)));
        Assert.Equal(TmemStatus.Ok, engine.Sync());
    }

    [Fact]
    public void Two_engines_do_not_have_one_file()
    {
        using var handle = Handle();
        using var engine = TmemEngine.Open(Options(handle));
        // The same handle again, then the file by its name.
        Assert.Contains("in use", Refusal(Options(handle)), StringComparison.Ordinal);
        Assert.Contains("in use", Refusal(new EngineOptions { CapacityBytes = 4 * Engines.Mebi, RegionPath = _path }),
            StringComparison.Ordinal);
    }

    [Fact]
    public void What_messages_call_it_is_the_path_if_there_is_one()
    {
        using var handle = Handle();
        using var engine = TmemEngine.Open(Options(handle));
        Assert.Contains("'the state'", Refusal(Options(handle) with { RegionPath = "the state" }), StringComparison.Ordinal);
    }

    [Fact]
    public void Others_can_write_it_so_it_is_refused()
    {
        using var handle = Handle();
        File.SetUnixFileMode(_path, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.OtherWrite);
        Assert.Contains("other users", Refusal(Options(handle)), StringComparison.Ordinal);
    }

    [Fact]
    public void A_closed_handle_is_a_mistake()
    {
        var handle = Handle();
        handle.Dispose();
        Assert.Throws<ObjectDisposedException>(() => TmemEngine.Open(Options(handle)));
    }

    private static string Refusal(EngineOptions options) =>
        Assert.Throws<RegionException>(() => TmemEngine.Open(options)).Message;
}
