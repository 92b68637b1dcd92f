namespace Tmem.Soak;

/// <summary>The store answered what it must not; the message says what and where.</summary>
internal sealed class SoakFailure(string message) : Exception(message);
