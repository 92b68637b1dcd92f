namespace Tmem.Engine.Tests.Linearizability;

internal enum Act : byte { Put, Replace, Get, FlushPage, FlushObject, Look }

/// <summary>One finished call on one handle, as its caller saw it.</summary>
/// <param name="Act">What was asked.</param>
/// <param name="Value">The page that was given, or that was got; <see cref="StampedPage.Torn"/> if it is none that was ever
/// put.</param>
/// <param name="Status">What was answered.</param>
/// <param name="Invoked">When it was asked: it took effect no earlier.</param>
/// <param name="Returned">When it was answered: it took effect no later.</param>
internal readonly record struct Operation(Act Act, long Value, TmemStatus Status, long Invoked, long Returned)
{
    public override string ToString() => $"[{Invoked} .. {Returned}] {Act}{(Value != 0 ? $" {Value}" : "")}: {Status}";
}
