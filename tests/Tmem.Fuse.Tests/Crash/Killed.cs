namespace Tmem.Fuse.Tests.Crash;

#pragma warning disable CA1032, CA1064 // Never leaves the tests; nobody makes one with a message.
/// <summary>Stands for the death of the process in the middle of an operation.</summary>
internal sealed class Killed : Exception;
#pragma warning restore CA1032, CA1064
