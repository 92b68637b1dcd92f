global using RegionIndex = Tmem.Engine.Operations.PageIndex<
    Tmem.Engine.Index.RegionHost, Tmem.Engine.Pam.CompressedStore>;
global using RegionRelocation = Tmem.Engine.Operations.PageRelocation<
    Tmem.Engine.Index.RegionHost, Tmem.Engine.Pam.CompressedStore>;
global using RegionRemoval = Tmem.Engine.Operations.PageRemoval<
    Tmem.Engine.Index.RegionHost, Tmem.Engine.Pam.CompressedStore>;
using Tmem.Engine.Index;
using Tmem.Engine.Pam;

namespace Tmem.Engine.Operations;

/// <summary>The one combination the engine uses: nodes and objects in the region, pages compressed in the region.</summary>
internal sealed class RegionOperations
{
    public RegionOperations(RegionIndex index, RegionRemoval removal, IReclaimer reclaimer, ExchangeIntent intent)
    {
        Removal = removal;
        Search = new PageSearch<RegionHost, CompressedStore>(index);
        Pages = new PageOperations<RegionHost, CompressedStore>(index, removal, reclaimer);
        Runs = new PageRuns<RegionHost, CompressedStore>(index);
        Parts = new PageParts<RegionHost, CompressedStore>(index, removal, Pages, reclaimer);
        Exchange = new PageExchange<RegionHost, CompressedStore>(index, reclaimer, intent);
        Transfer = new PageTransfer<RegionHost, CompressedStore>(index, Pages, reclaimer);
    }

    public PageOperations<RegionHost, CompressedStore> Pages { get; }
    public PageRuns<RegionHost, CompressedStore> Runs { get; }
    public RegionRemoval Removal { get; }
    public PageSearch<RegionHost, CompressedStore> Search { get; }
    public PageParts<RegionHost, CompressedStore> Parts { get; }
    public PageExchange<RegionHost, CompressedStore> Exchange { get; }
    public PageTransfer<RegionHost, CompressedStore> Transfer { get; }
}
