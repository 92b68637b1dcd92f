using Tmem.Fuse.Control;
using Tmem.Fuse.Keeper;
using Tmem.Fuse.Native;

namespace Tmem.Fuse.Daemon;

/// <summary>A keeper that a worker started because the one before it had died.</summary>
internal static unsafe class Adopter
{
    /// <summary>Runs until the mount is gone.</summary>
    public static int Run(int page, Link line)
    {
        try
        {
            var handover = Handover.Adopt(page);
            Log.Level = (LogLevel)handover.Page.Current.LogLevel;
            Launcher.Close(handover, line);
            ProcessRights.KeepMemoryToSelf();
            Log.CountLost(handover.LogLost);
            Log.GoesToJournal = handover.Page.LogIsJournal != 0;
            var log = LogPipe.Carry(handover);
            ProcessPriority.NameProcess("tmemd\0"u8);
            _ = LockedMemory.Lock();
            var advice = MemoryGroup.Read().AdviceFor(handover.Page.Current.CapacityBytes);
            var keeper = new Keeper<KeeperSystem>(handover, advice, new KeeperSystem(handover, advice));
            keeper.Adopt(line);
            var exit = keeper.Run();
            ControlSocket.Remove(handover.SocketPath, handover.SocketFile);
            log.Finish(Founder.LogPatience);
            return exit;
        }
        catch (StartupException e)
        {
            Log.Error(e.Message);
            return 1;
        }
    }
}
