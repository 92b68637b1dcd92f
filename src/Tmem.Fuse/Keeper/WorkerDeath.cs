using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Tmem.Fuse.Keeper;

/// <summary>How a worker ended.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct WorkerDeath
{
    public int Process;
    /// <summary>An exit code, or a signal's number; -1 if it is unknown because the worker was not the keeper's child.</summary>
    public int Number;
    public int BySignal;
    /// <summary>Whether it had served before.</summary>
    public int HadServed;
    public long UnixMilliseconds;
    public long ServedMilliseconds;

    /// <summary>
    /// Whether it died by itself: of a signal that a program's own fault raises, or with an exit code. Signals that other
    /// processes may send, above all SIGKILL, which the out-of-memory killer uses too, tell nothing of what it was doing.
    /// </summary>
    public readonly bool IsFault => BySignal == 0 ? Number > 0 : Number is 4 or 5 or 6 or 7 or 8 or 11 or 31;
}

/// <summary>The last deaths, each in the slot of its number. Process 0: none yet, or being written.</summary>
[InlineArray(Length)]
internal struct RecentDeaths
{
    public const int Length = 16;

    private WorkerDeath _first;
}
