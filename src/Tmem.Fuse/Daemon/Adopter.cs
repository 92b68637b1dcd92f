using Tmem.Fuse.Keeper;
using Tmem.Fuse.Native;

namespace Tmem.Fuse.Daemon;

/// <summary>A keeper that a worker started because the one before it had died.</summary>
internal static class Adopter
{
    /// <summary>Runs until the mount is gone.</summary>
    /// <returns>The exit code: see <see cref="KeeperRun.Run"/>.</returns>
    public static int Run(int page, Link worker, int term) => KeeperRun.Run(run =>
    {
        if (Handover.Adopt(page, term) is not { } handover) return 0;
        Log.Level = (LogLevel)handover.Page.Current.LogLevel;
        Launcher.Close(handover, worker);
        LogPipe.Join(handover);
        run.CarryLog(handover);
        return run.Keep(handover, run.Secure(), worker);
    });
}
