using Tmem.Control;
using Tmem.Control.Messages;
using Tmem.Ctl.Native;
using Tmem.Ctl.Output;
using Tmem.Ctl.Swap;
using Tmem.Settings;

namespace Tmem.Ctl.Reload;

/// <summary>
/// [[pool]] against the pools that are there. One that is missing is made; one that no file names is left alone; of one that is
/// there, only what the files write is compared, so that a pool made by hand keeps what was set by hand. Its kind and page size
/// are for life.
/// </summary>
internal sealed class PoolPlan(ControlClient client, ISwapSystem system, StatusReply status)
{
    /// <summary>The differences.</summary>
    public IEnumerable<Change> Of(IReadOnlyList<PoolSettings> wanted, IReadOnlyList<PoolSummary> there)
    {
        var places = ControlProtocol.MaximumPools - there.Count;
        return wanted.SelectMany(pool => there.FirstOrDefault(one => one.Name == pool.Name.Value) is { } found
            ? Changes(pool, found) : places-- > 0 ? Made(pool) : [NoPlace(pool)]);
    }

    private static Change NoPlace(PoolSettings pool) => new(Outcome.Refuse, $"{Of(pool)}: made", pool.Name.From,
        $"with those that are there it is one more than the {ControlProtocol.MaximumPools} of which no store has more",
        Remedy: "destroy others first, or leave it out");

    private IEnumerable<Change> Made(PoolSettings pool)
    {
        var kind = pool.Ephemeral.Value ? "ephemeral" : "persistent";
        return [new(Outcome.Apply, $"{Of(pool)}: made, {kind}, limit {Words.Limit(pool.Limit.Value)}"
            + Words.Reserve(pool.Reserve.Value), pool.Name.From, Do: () => Make(pool))];
    }

    private Obstacle? Make(PoolSettings pool)
    {
        var made = client.CreatePool(new()
        {
            Name = pool.Name.Value, Ephemeral = pool.Ephemeral.Value, Limit = pool.Limit.Value, Reserve = pool.Reserve.Value,
            Codec = pool.Codec.Value,
        });
        return Obstacle.Of(made) ?? Give(pool.Name.Value, pool.Owner.Value, pool.Group.Value, pool.Mode.Value);
    }

    private IEnumerable<Change> Changes(PoolSettings pool, PoolSummary found)
    {
        var kind = pool.Ephemeral.Value ? "ephemeral" : "persistent";
        if (found.Kind != kind)
        {
            yield return new(Outcome.Refuse, $"{Of(pool)}: kind {kind}",
                pool.Ephemeral.From == Origin.Default ? pool.Name.From : pool.Ephemeral.From,
                $"the pool that is there is {found.Kind}", Remedy: "write that, or destroy the pool first with "
                + $"'{client.Command.Line("pool destroy", pool.Name.Value)}'");
            yield break;
        }
        if (IsWritten(pool.PageSize) && pool.PageSize.Value != found.PageSize)
            yield return new(Outcome.Later, $"{Of(pool)}: page-size: {ByteSize.Exact(found.PageSize)} to "
                + ByteSize.Exact(pool.PageSize.Value), pool.PageSize.From, "a pool that is there keeps what it was made with");
        foreach (var change in Figures(pool, found)) yield return change;
        if ((IsWritten(pool.Owner) || IsWritten(pool.Group) || IsWritten(pool.Mode)) && Rights(pool) is { } rights)
            yield return rights;
    }

    /// <summary>One request for all: a lower limit may be possible only with a lower reserve.</summary>
    private IEnumerable<Change> Figures(PoolSettings pool, PoolSummary found)
    {
        var wish = new PoolSetParameters { Name = pool.Name.Value };
        List<(string What, Origin From)> changes = [];
        void Note(string key, string now, string then, Origin from) => changes.Add(($"{Of(pool)}: {key}: {now} to {then}", from));

        if (IsWritten(pool.Limit) && pool.Limit.Value != found.LimitBytes)
        {
            wish = wish with { Limit = pool.Limit.Value };
            Note("limit", Words.Limit(found.LimitBytes), Words.Limit(pool.Limit.Value), pool.Limit.From);
        }
        if (IsWritten(pool.Codec) && found.Codec is { } codec && StorePlan.Word(pool.Codec.Value) != codec)
        {
            wish = wish with { Codec = pool.Codec.Value };
            Note("codec", codec, StorePlan.Word(pool.Codec.Value), pool.Codec.From);
        }
        if (IsWritten(pool.Reserve) && pool.Reserve.Value != found.ReserveBytes)
        {
            wish = wish with { Reserve = pool.Reserve.Value };
            Note("reserve", Words.Limit(found.ReserveBytes), Words.Limit(pool.Reserve.Value), pool.Reserve.From);
        }
        Obstacle? Apply() => Obstacle.Of(client.SetPool(wish));
        Func<Obstacle?> once = Apply;
        var turn = wish.Reserve < found.ReserveBytes ? Turn.GivesRoom : Turn.Usual;
        return changes.Select(change => new Change(Outcome.Apply, change.What, change.From, Do: once, Turn: turn));
    }

    private Change? Rights(PoolSettings pool)
    {
        if (system.OpenPool(SwapFile.PlaceOf(status), pool.Name.Value, out var folder) is { } problem)
            return new(Outcome.Refuse, $"{Of(pool)}: owner, group and mode", pool.Name.From, problem,
                Remedy: "correct that, and reload again");
        using (folder)
        {
            var (owner, group, mode) = (folder!.Owner, folder.Group, folder.Permissions);
            var (newOwner, newGroup, newMode) = (Or(pool.Owner, owner), Or(pool.Group, group), Or(pool.Mode, mode));
            if ((owner, group, mode) == (newOwner, newGroup, newMode)) return null;
            var from = IsWritten(pool.Mode) ? pool.Mode.From : IsWritten(pool.Owner) ? pool.Owner.From : pool.Group.From;
            return new(Outcome.Apply, $"{Of(pool)}: {Shown(owner, group, mode)} to {Shown(newOwner, newGroup, newMode)}", from,
                Do: () => Give(pool.Name.Value, newOwner, newGroup, newMode));
        }
    }

    private Obstacle? Give(string pool, uint owner, uint group, uint mode)
    {
        if (system.OpenPool(SwapFile.PlaceOf(status), pool, out var folder) is { } problem) return new(problem);
        using (folder)
            return (folder!.Owner, folder.Group, folder.Permissions) == (owner, group, mode) ? null
                : Obstacle.Of(folder.Give(owner, group, mode));
    }

    private static string Shown(uint owner, uint group, uint mode) =>
        $"owner {AccountNames.User(owner)}, group {AccountNames.Group(group)}, mode {Convert.ToString(mode, 8).PadLeft(4, '0')}";

    private static T Or<T>(Setting<T> written, T now) => IsWritten(written) ? written.Value : now;

    private static bool IsWritten<T>(Setting<T> setting) => setting.From != Origin.Default;

    private static string Of(PoolSettings pool) => $"pool '{pool.Name.Value}'";
}
