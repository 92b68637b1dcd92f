namespace Tmem.Engine.Tests.Linearizability;

internal enum Act : byte { Put, Replace, Get, FlushPage, FlushObject, Look }

/// <summary>One finished call on one handle, as its caller saw it.</summary>
/// <param name="Act">The kind of call.</param>
/// <param name="Value">The page that was put or got; <see cref="StampedPage.Torn"/> if nobody ever put it.</param>
/// <param name="Status">The answer.</param>
/// <param name="Invoked">The time of the call: it took effect no earlier.</param>
/// <param name="Returned">The time of the answer: it took effect no later.</param>
internal readonly record struct Operation(Act Act, long Value, TmemStatus Status, long Invoked, long Returned)
{
    public override string ToString() => $"[{Invoked} .. {Returned}] {Act}{(Value != 0 ? $" {Value}" : "")}: {Status}";
}
