using System.Runtime.InteropServices;
using Tmem.Fuse.Native;

namespace Tmem.Fuse.Keeper;

/// <summary>
/// A word of shared memory that a thread holds and the kernel marks when that thread ends, however it ends (set_robust_list(2),
/// futex(2)). It does so before it tears down the process's memory, which takes 30 to 70 ms a GiB and precedes all other signs of
/// a death: an end of file, a pidfd, SIGCHLD.
/// </summary>
/// <param name="word">The word: 0 until it is held for the first time.</param>
internal readonly unsafe struct RobustWord(uint* word)
{
    private const uint HolderEnded = 0x4000_0000;
    private const uint HasWaiters = 0x8000_0000;
    private const uint Holder = 0x3FFF_FFFF;

    /// <summary>struct robust_list_head, and the one entry of the list.</summary>
    [StructLayout(LayoutKind.Sequential)]
    private struct List
    {
        public nint First;
        public nint WordFromEntry;
        public nint Pending;
        public nint Entry;
    }

    /// <summary>
    /// Makes the calling thread its holder, and wakes the waiters for the previous one. The thread must do nothing else: the
    /// kernel no longer releases the C library's own robust mutexes when it ends.
    /// </summary>
    public void Hold()
    {
        var list = (List*)NativeMemory.AllocZeroed((nuint)sizeof(List));
        var entry = &list->Entry;
        *list = new List { First = (nint)entry, WordFromEntry = (nint)word - (nint)entry, Entry = (nint)list };
        var isMarked = NativeProcess.SetRobustList(list, 3 * sizeof(nint)) == 0;
        Volatile.Write(ref *word, isMarked ? (uint)NativeProcess.ThreadNumber() : 0);
        NativeProcess.FutexWake(word);
    }

    /// <summary>
    /// Waits until its holder has ended. False if it was never held, or if <paramref name="stopped"/> is true after a wake.
    /// </summary>
    public bool AwaitEnd(Func<bool> stopped)
    {
        while (!stopped())
        {
            var seen = Volatile.Read(ref *word);
            if ((seen & HolderEnded) != 0) return true;
            if ((seen & Holder) == 0) return false;
            var waiting = seen | HasWaiters;
            if (seen == waiting || Interlocked.CompareExchange(ref *word, waiting, seen) == seen)
                NativeProcess.FutexWait(word, waiting);
        }
        return false;
    }

    /// <summary>Makes the waiters check again whether to stop.</summary>
    public void Wake() => NativeProcess.FutexWake(word);
}
