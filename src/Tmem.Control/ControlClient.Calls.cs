using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using Tmem.Control.Messages;

namespace Tmem.Control;

/// <summary>The methods of <see cref="ControlMethod"/>, with the parameters, result and time limit of each.</summary>
internal sealed partial class ControlClient
{
    public Reply<StatusReply> Status() => Call<StatusReply>(ControlMethod.Status, Usual);

    public Reply<MetricsReply> Metrics() => Call<MetricsReply>(ControlMethod.Metrics, Usual);

    public Reply<PoolListReply> Pools() => Call<PoolListReply>(ControlMethod.PoolList, Usual);

    public Reply<PoolReply> ShowPool(string name) =>
        Call<PoolNameParameters, PoolReply>(ControlMethod.PoolShow, new() { Name = name }, Usual);

    public Reply<PoolReply> CreatePool(PoolCreateParameters wish) =>
        Call<PoolCreateParameters, PoolReply>(ControlMethod.PoolCreate, wish, Usual);

    public Reply<PoolDestroyReply> DestroyPool(string name, bool force = false) =>
        Call<PoolDestroyParameters, PoolDestroyReply>(ControlMethod.PoolDestroy, new() { Name = name, Force = force }, Long);

    public Reply<PoolSetReply> SetPool(PoolSetParameters wish) =>
        Call<PoolSetParameters, PoolSetReply>(ControlMethod.PoolSet, wish, Long);

    public Reply<PoolRecompressReply> RecompressPool(string name) =>
        Call<PoolNameParameters, PoolRecompressReply>(ControlMethod.PoolRecompress, new() { Name = name }, Long);

    public Reply<PoolEmptyReply> EmptyPool(string name) =>
        Call<PoolNameParameters, PoolEmptyReply>(ControlMethod.PoolEmpty, new() { Name = name }, Long);

    public Reply<RoomReply> Resize(long capacity) =>
        Call<ResizeParameters, RoomReply>(ControlMethod.Resize, new() { Capacity = capacity }, Long);

    public Reply<RoomReply> Shrink(long size) =>
        Call<ShrinkParameters, RoomReply>(ControlMethod.Shrink, new() { Size = size }, Long);

    public Reply<RoomReply> Compact() => Call<RoomReply>(ControlMethod.Compact, Long);

    public Reply<SyncReply> Sync() => Call<SyncReply>(ControlMethod.Sync, Long);

    public Reply<ClientListReply> Clients() => Call<ClientListReply>(ControlMethod.ClientList, Usual);

    public Reply<ClientFigures> SetClient(ClientSetParameters wish) =>
        Call<ClientSetParameters, ClientFigures>(ControlMethod.ClientSet, wish, Usual);

    public Reply<CheckReply> Check() => Call<CheckReply>(ControlMethod.Check, Timeout.InfiniteTimeSpan);

    public Reply<StopReply> Stop(bool discard = false) => discard
        ? Call<StopParameters, StopReply>(ControlMethod.Stop, new() { Discard = true }, Long)
        : Call<StopReply>(ControlMethod.Stop, Long);

    /// <summary>Whether a stop would be refused once swap is off.</summary>
    public Reply<StopReply> CheckStop(bool discard) =>
        Call<StopParameters, StopReply>(ControlMethod.Stop, new() { Discard = discard, DryRun = true }, Long);

    public Reply<UpgradeReply> Upgrade(UpgradeParameters wish) =>
        Call<UpgradeParameters, UpgradeReply>(ControlMethod.Upgrade, wish, Long);

    public Reply<AdoptReply> Adopt() => Call<AdoptReply>(ControlMethod.Adopt, Usual);

    private Reply<T> Call<T>(string method, TimeSpan patience) where T : class => Call<T>(method, null, patience);

    private Reply<T> Call<TParameters, T>(string method, TParameters parameters, TimeSpan patience) where T : class =>
        Call<T>(method, JsonSerializer.SerializeToElement(parameters,
            (JsonTypeInfo<TParameters>)ControlJson.Default.GetTypeInfo(typeof(TParameters))!), patience);
}
