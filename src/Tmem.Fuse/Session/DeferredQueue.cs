using Tmem.Fuse.Abi;
using Tmem.Fuse.Protocol;

namespace Tmem.Fuse.Session;

/// <summary>
/// Answers that wait for the same kind of thing, and the thread that waits for it. It takes the list as it is: those that come
/// meanwhile share the next wait.
/// </summary>
internal sealed class DeferredQueue
{
    private readonly DeferredReplies _replies;
    private readonly DeferredList _list;
    private readonly Action? _prepare;
    private bool _isHeld;
    private bool _isBusy;

    /// <param name="replies">Whose answers they are.</param>
    /// <param name="name">The thread's name.</param>
    /// <param name="prepare">Run on the thread, first.</param>
    public DeferredQueue(DeferredReplies replies, string name, Action? prepare)
    {
        _replies = replies;
        _list = new DeferredList(replies.Table);
        _prepare = prepare;
        Thread = DeferredReplies.MakeThread(name, Run);
    }

    public Thread Thread { get; }

    /// <summary>With the gate held.</summary>
    public void Add(int entry)
    {
        _list.Add(entry);
        Monitor.PulseAll(_replies.Gate);
    }

    /// <summary>Takes nothing more, and returns when what it waits for has happened.</summary>
    public void Hold()
    {
        lock (_replies.Gate)
        {
            _isHeld = true;
            while (_isBusy && !_replies.IsStopped) Monitor.Wait(_replies.Gate);
        }
    }

    private void Run()
    {
        _prepare?.Invoke();
        while (TryTakeAll(out var entry))
        {
            var deferral = _replies.Table[entry].Deferral;
            // One write of the device is for all of them; what the kernel lets go of is each one's own.
            var isShared = deferral.Kind == DeferralKind.Durable;
            var error = _replies.Await(in deferral);
            while (entry != DeferredReply.Nobody)
            {
                if (!TryLookAt(entry, out var reply)) return;
                _replies.Answer(in reply, error);
                if (!TryRemove(entry)) return;
                entry = reply.Next;
                if (!isShared && entry != DeferredReply.Nobody) error = _replies.Await(_replies.Table[entry].Deferral);
            }
        }
    }

    /// <summary>Waits until there is something, and takes the list as it is. False if it is over.</summary>
    private bool TryTakeAll(out int entry)
    {
        lock (_replies.Gate)
        {
            _isBusy = false;
            Monitor.PulseAll(_replies.Gate);
            while ((_list.IsEmpty || _isHeld) && !_replies.IsStopped) Monitor.Wait(_replies.Gate);
            _isBusy = true;
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
