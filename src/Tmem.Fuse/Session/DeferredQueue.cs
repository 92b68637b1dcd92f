using Tmem.Fuse.Protocol;

namespace Tmem.Fuse.Session;

/// <summary>
/// Deferred replies that wait for the device, and the thread that waits for it. It takes the whole list: one write serves all of
/// them, and later ones share the next.
/// </summary>
internal sealed class DeferredQueue
{
    private readonly DeferredReplies _replies;
    private readonly DeferredList _list;

    /// <param name="replies">The owner of the replies.</param>
    /// <param name="name">The thread's name.</param>
    public DeferredQueue(DeferredReplies replies, string name)
    {
        _replies = replies;
        _list = new DeferredList(replies.Table);
        Thread = DeferredReplies.MakeThread(name, Run);
    }

    public Thread Thread { get; }

    /// <summary>With the gate held.</summary>
    public void Add(int entry)
    {
        _list.Add(entry);
        Monitor.PulseAll(_replies.Gate);
    }

    private void Run()
    {
        while (TryTakeAll(out var entry))
        {
            var error = _replies.Await(Deferral.Durable);
            while (entry != DeferredReply.Nobody)
            {
                if (!TryLookAt(entry, out var reply)) return;
                _replies.Answer(in reply, error);
                if (!TryRemove(entry)) return;
                entry = reply.Next;
            }
        }
    }

    /// <summary>Waits until there is an entry, and takes the whole list. False once stopped.</summary>
    private bool TryTakeAll(out int entry)
    {
        lock (_replies.Gate)
        {
            while (_list.IsEmpty && !_replies.IsStopped) Monitor.Wait(_replies.Gate);
            entry = _list.TakeAll();
            return !_replies.IsStopped;
        }
    }

    private bool TryLookAt(int entry, out DeferredReply reply)
    {
        lock (_replies.Gate)
        {
            reply = _replies.Table[entry];
            return !_replies.IsStopped;
        }
    }

    /// <summary>
    /// Called after the reply: a death in between leaves an entry whose reply the kernel refuses, not a request without a reply.
    /// </summary>
    private bool TryRemove(int entry)
    {
        lock (_replies.Gate)
        {
            if (_replies.IsStopped) return false;
            _replies.Table.Remove(entry);
            return true;
        }
    }
}
