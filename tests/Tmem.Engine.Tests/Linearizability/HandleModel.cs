namespace Tmem.Engine.Tests.Linearizability;

/// <summary>
/// The contract of one handle, one call at a time. The state is the number of the page stored, or <see cref="Absent"/>.
/// <para>Flushing an object is not one step for observers (docs/contract.md). For each single handle it is: at some moment
/// between call and answer that page was gone. So each handle's history has the flush in it with the same two stamps, and nothing
/// ties the moments together; "miss" says that the page was absent, "ok" says nothing about this one.</para>
/// </summary>
/// <param name="GetConsumes">The private ephemeral kind: a get takes the page away.</param>
/// <param name="MayVanish">Another thread evicts pages during the calls of the history.</param>
/// <param name="MayRefuse">A put may be answered "no room".</param>
internal readonly record struct HandleModel(bool GetConsumes, bool MayVanish, bool MayRefuse)
{
    public const long Absent = 0;

    /// <summary>Whether the contract allows this answer in this state, and the state after it.</summary>
    public bool Step(in Operation call, long before, out long after)
    {
        // A page vanishes for the first caller that notices: no earlier moment since the last sight of it can be told from that
        // one.
        var isAbsent = before == Absent || MayVanish;
        after = Absent;
        switch (call.Act, call.Status)
        {
            case (Act.Put or Act.Replace, TmemStatus.Ok):
                after = call.Value;
                return true;
            case (Act.Put, TmemStatus.NoRoom):
                return MayRefuse;
            case (Act.Replace, TmemStatus.NoRoom):
                after = before;
                return MayRefuse;
            case (Act.Get, TmemStatus.Ok):
                after = GetConsumes ? Absent : before;
                return before != Absent && before == call.Value;
            case (Act.Look, TmemStatus.Ok):
                after = before;
                return before != Absent;
            case (Act.FlushPage, TmemStatus.Ok):
                return before != Absent;
            case (Act.FlushObject, TmemStatus.Ok):
                return true;
            case (_, TmemStatus.Miss):
                return isAbsent;
            default:
                return false;
        }
    }
}
