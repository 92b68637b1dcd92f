namespace Tmem.Benchmarks;

/// <summary>A run that cannot start or go on; the message names the thing and the remedy and is all the user sees.</summary>
internal sealed class BenchmarkException(string message) : Exception(message);
