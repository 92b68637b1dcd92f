namespace Tmem.Engine;

/// <summary>
/// A sync that <see cref="TmemEngine.BeginSync"/> asked for. Tickets of one engine are answered in the order they were
/// given in.
/// </summary>
public readonly record struct SyncTicket
{
    internal SyncTicket(long number) => Number = number;

    internal long Number { get; }
}
