namespace Tmem.Engine.Tests;

/// <summary>Tests that measure the whole process: no other test may run beside them.</summary>
[CollectionDefinition(Name, DisableParallelization = true)]
public sealed class WholeProcess
{
    public const string Name = "whole process";
}
