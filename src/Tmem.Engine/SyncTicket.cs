namespace Tmem.Engine;

/// <summary>
/// A sync requested by <see cref="TmemEngine.BeginSync"/>. An engine answers its tickets in the order it gave them out.
/// </summary>
public readonly record struct SyncTicket
{
    internal SyncTicket(long number) => Number = number;

    internal long Number { get; }
}
