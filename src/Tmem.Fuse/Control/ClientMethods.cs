using System.Globalization;
using Tmem.Control.Messages;
using Tmem.Engine;

namespace Tmem.Fuse.Control;

/// <summary>client.list and client.set: the owners of pools. The file system is client 1.</summary>
internal sealed class ClientMethods(IEngineView engine, ControlCommand tmemctl)
{
    private static readonly TmemClientId s_fileSystem = new(1);

    /// <summary>client.list.</summary>
    public RpcAnswer List() =>
        RpcAnswer.Of(new ClientListReply([.. All().Select(Figures.Of)]), ControlJson.Default.ClientListReply);

    /// <summary>client.set.</summary>
    public RpcAnswer Set(ClientSetParameters wish, Func<bool> wanted)
    {
        var name = wish.Id.ToString(CultureInfo.InvariantCulture);
        if (wish.Weight is < 1 or > ClientOptions.MaximumWeight)
            return RpcParameters.Invalid(name, $"client {name}: weight {wish.Weight} is out of range",
                $"give a number from 1 to {ClientOptions.MaximumWeight}");
        if (wish.Limit is < 0 or > ClientOptions.MaximumLimitBytes)
            return RpcParameters.Invalid(name, $"client {name}: the limit {wish.Limit} is out of range",
                $"give bytes, 0 for no limit, at most {ByteSize.Format(ClientOptions.MaximumLimitBytes)}");
        if (All().FirstOrDefault(client => client.Id.Value == wish.Id) is not { } known)
            return RpcAnswer.Fail(ControlErrorCode.NotFound, $"no client {name}", name, $"see '{tmemctl.Line("client list")}'");
        if (!wanted()) return RpcAnswer.HungUp($"client {name}", name);
        var options = new ClientOptions(wish.Weight ?? known.Options.Weight, wish.Limit ?? known.Options.LimitBytes);
        var status = engine.Configure(known.Id, options);
        return status == TmemStatus.Ok
            ? RpcAnswer.Of(Figures.Of(engine.Client(known.Id)), ControlJson.Default.ClientFigures)
            : RpcAnswer.Fail(ControlErrorCode.NoRoom, $"client {name} cannot be set: the store has settings of 256 clients "
                + "already", name, "give another client its defaults back");
    }

    /// <summary>The file system owns pools sooner or later: it is listed while it has none.</summary>
    private IEnumerable<ClientInfo> All()
    {
        var all = engine.Clients();
        return all.Any(client => client.Id == s_fileSystem) ? all : [engine.Client(s_fileSystem), .. all];
    }
}
