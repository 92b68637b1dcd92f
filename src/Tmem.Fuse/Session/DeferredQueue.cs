using Tmem.Fuse.Protocol;

namespace Tmem.Fuse.Session;

/// <summary>
/// Answers that wait for the device, and the thread that waits for it. It takes the list as it is: one write is for all of them,
/// and those that come meanwhile share the next.
/// </summary>
internal sealed class DeferredQueue
{
    private readonly DeferredReplies _replies;
    private readonly DeferredList _list;

    /// <param name="replies">Whose answers they are.</param>
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

    /// <summary>Waits until there is something, and takes the list as it is. False if it is over.</summary>
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
    /// After the answer: a death in between leaves an entry whose answer the kernel refuses, and not a request without one.
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
