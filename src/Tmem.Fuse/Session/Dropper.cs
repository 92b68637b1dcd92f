using Tmem.Fuse.Abi;
using Tmem.Fuse.Protocol;

namespace Tmem.Fuse.Session;

/// <summary>
/// Answers that wait for pages to be dropped, and the thread that drops them: a step of each in turn, so that a little does not
/// wait for a lot, and between two of them one of what nobody waits for.
/// </summary>
internal sealed class Dropper
{
    private readonly DeferredReplies _replies;
    private readonly IRequestHandler _handler;
    private readonly DeferredList _list;
    private bool _isAwake = true;
    private bool _isBusy;

    public Dropper(DeferredReplies replies, IRequestHandler handler)
    {
        _replies = replies;
        _handler = handler;
        _list = new DeferredList(replies.Table);
        Thread = DeferredReplies.MakeThread("fuse-drop", Run);
    }

    public Thread Thread { get; }

    /// <summary>There is something that nobody waits for.</summary>
    public void Wake()
    {
        lock (_replies.Gate)
        {
            _isAwake = true;
            Monitor.PulseAll(_replies.Gate);
        }
    }

    /// <summary>With the gate held.</summary>
    public void Add(int entry)
    {
        _list.Add(entry);
        Monitor.PulseAll(_replies.Gate);
    }

    /// <summary>Once it is over: returns when nothing is touched any more. With the gate held.</summary>
    public void AwaitStep()
    {
        while (_isBusy) Monitor.Wait(_replies.Gate);
    }

    private void Run()
    {
        while (TryTake(out var entry, out var reply))
        {
            var isAwake = _handler.DropSome();
            var deferral = reply.Deferral;
            var isLeft = entry != DeferredReply.Nobody && _handler.DropSome(in deferral);
            if (entry != DeferredReply.Nobody && !isLeft) _replies.Answer(in reply, Errno.Ok);
            lock (_replies.Gate)
            {
                _isAwake |= isAwake;
                if (isLeft) _list.Add(entry);
                // After the answer, as in the queues.
                else if (entry != DeferredReply.Nobody) _replies.Table.Remove(entry);
            }
        }
    }

    /// <summary>Waits until there is something. False if it is over.</summary>
    private bool TryTake(out int entry, out DeferredReply reply)
    {
        lock (_replies.Gate)
        {
            _isBusy = false;
            Monitor.PulseAll(_replies.Gate);
            while (_list.IsEmpty && !_isAwake && !_replies.IsStopped) Monitor.Wait(_replies.Gate);
            (entry, reply) = (DeferredReply.Nobody, default);
            if (_replies.IsStopped) return false;
            _isBusy = true;
            _isAwake = false;
            entry = _list.TakeFirst();
            if (entry != DeferredReply.Nobody) reply = _replies.Table[entry];
            return true;
        }
    }
}
