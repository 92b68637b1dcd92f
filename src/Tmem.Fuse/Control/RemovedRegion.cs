using Tmem.Control.Messages;

namespace Tmem.Fuse.Control;

/// <summary>
/// Words for a store whose region's file has been removed or replaced: sound or not, it is lost with its process.
/// </summary>
internal static class RemovedRegion
{
    /// <summary>The problem and the remedy: clauses.</summary>
    public static (string What, string Remedy) Of(IDaemon daemon, ControlCommand tmemctl) =>
        ($"region file {daemon.RegionName} has been removed or replaced, and all that is stored would be gone with this daemon",
            $"copy what is needed out of {daemon.MountPoint}, then stop with '{tmemctl.Line("stop --discard")}'");
}
