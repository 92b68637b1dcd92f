namespace Tmem.Benchmarks;

/// <summary>A run that cannot start or go on; the message names the thing and the remedy and is all the user sees.</summary>
internal class BenchmarkException(string message) : Exception(message);

/// <summary>Options that cannot mean what was typed: exit code 2.</summary>
internal sealed class UsageException(string message) : BenchmarkException(message);
