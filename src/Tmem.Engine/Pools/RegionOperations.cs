// The one combination the engine runs: nodes and objects in the region, pages compressed in the region.
global using RegionOperations = Tmem.Engine.Pools.PageOperations<Tmem.Engine.Index.RegionHost, Tmem.Engine.Pam.CompressedStore>;
