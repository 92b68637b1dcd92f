
namespace Tmem.Engine.Tests.Durability;

/// <summary>Whose file may hold a region, and opening one without changing it.</summary>
public sealed class RegionFileTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("tmem-region-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    private string At(string name) => Path.Combine(_folder, name);

    [Fact]
    public void It_is_made_for_its_owner_alone_and_stays_so()
    {
        Open(At("r")).Dispose();
        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(At("r")));
        File.SetUnixFileMode(At("r"), UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.GroupRead
            | UnixFileMode.OtherRead);
        Open(At("r")).Dispose();
        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(At("r")));
        File.SetUnixFileMode(At("r"), UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.OtherWrite);
        Assert.Contains("chmod 0600", Assert.Throws<RegionException>(() => Open(At("r"))).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_link_is_followed_only_where_nobody_else_could_have_made_it()
    {
        File.CreateSymbolicLink(At("link"), At("r"));
        Open(At("link")).Dispose();
        Assert.True(File.Exists(At("r")));
        File.SetUnixFileMode(_folder, (UnixFileMode)0x3FF /* 1777 */);
        Assert.Contains("symbolic link", Assert.Throws<RegionException>(() => Open(At("link"))).Message,
            StringComparison.Ordinal);
        Open(At("r")).Dispose();
    }

    [Fact]
    public void Looking_at_a_file_leaves_it_as_it_is()
    {
        Assert.Contains("No such file", Assert.Throws<RegionException>(() => Open(At("none"), readOnly: true)).Message,
            StringComparison.Ordinal);
        PoolId pool;
        using (var engine = Open(At("r")))
        {
            pool = Engines.Pool(engine.Client(new TmemClientId(1)));
            for (uint i = 0; i < 1000; i++) engine.Client(new TmemClientId(1)).Put(pool, new ObjectId(1), i, Pages.Text((int)i));
            Assert.Contains("in use", Assert.Throws<RegionException>(() => Open(At("r"), readOnly: true)).Message,
                StringComparison.Ordinal);
        }
        var before = SparseFile.Read(At("r")).Hash();
        using (var look = Open(At("r"), readOnly: true))
        using (Open(At("r"), readOnly: true))
        {
            Assert.Equal(1000, Engines.Figures(look.Client(new TmemClientId(1)), pool).Pages);
            look.Client(new TmemClientId(1)).DestroyPool(pool);
            Assert.Equal(TmemStatus.Ok, look.Sync());
        }
        Assert.Equal(before, SparseFile.Read(At("r")).Hash());
    }

    private static TmemEngine Open(string path, bool readOnly = false) => TmemEngine.Open(new EngineOptions
    {
        CapacityBytes = readOnly ? EngineOptions.MinimumCapacity
            : 8 * Engines.Mebi, RegionPath = path, ReadOnly = readOnly, CompactInBackground = false,
    });
}
