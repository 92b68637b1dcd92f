// The one combination the engine runs: nodes and objects in the region, pages compressed in the region with LZ4.
global using RegionOperations = Tmem.Engine.Pools.PageOperations<
    Tmem.Engine.Index.RegionHost,
    Tmem.Engine.Pam.CompressedStore<Tmem.Engine.Codec.Lz4Codec>>;
