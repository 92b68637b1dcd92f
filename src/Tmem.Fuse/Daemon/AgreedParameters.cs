using Tmem.Fuse.Abi;
using Tmem.Fuse.Keeper;
using Tmem.Fuse.Protocol;

namespace Tmem.Fuse.Daemon;

/// <summary>The agreement of a worker with the kernel, kept where a successor finds it.</summary>
internal static class AgreedParameters
{
    /// <summary>The connection's parameters; null until a worker has agreed on them with the kernel.</summary>
    public static SessionParameters? Read(Handover handover)
    {
        ref var page = ref handover.Page;
        return Volatile.Read(ref page.Agreed) == 0 ? null
            : new SessionParameters(page.Minor, (FuseInitFlags)page.Flags, page.MaxWrite, (ushort)page.MaxPages,
                page.MaxReadahead);
    }

    /// <summary>
    /// Notes the agreement before the kernel gets it: a successor then finds it whether or not the reply was sent.
    /// </summary>
    public static void Note(Handover handover, SessionParameters parameters)
    {
        ref var page = ref handover.Page;
        page.Minor = parameters.Minor;
        page.MaxWrite = parameters.MaxWrite;
        page.MaxPages = parameters.MaxPages;
        page.MaxReadahead = parameters.MaxReadahead;
        page.Flags = (ulong)parameters.Flags;
        Volatile.Write(ref page.Agreed, 1);
    }
}
