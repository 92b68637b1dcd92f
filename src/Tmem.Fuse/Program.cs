using System.CommandLine;
using Tmem.Control.CommandLine;
using Tmem.Control.Host;
using Tmem.Fuse.Daemon;
using Tmem.Fuse.Keeper;

StandardStreams.Occupy();
// Before anything else: it may start the program anew.
var warning = ProcessPriority.Restart();

var role = Launcher.RoleOf(out var page, out var line, out var term);
switch (role)
{
    case Role.Worker or Role.Successor:
        return Worker.Run(role, page, line, term);
    case Role.Adopter:
        return Adopter.Run(page, line, term);
    default:
        if (Reviver.TryRun(out var exit)) return exit;
        // The daemon handles signals itself: a stop can be refused.
        return Usage.Run(CommandLine.Create(options => Founder.Run(options, warning)), "tmemd", args,
            new InvocationConfiguration { ProcessTerminationTimeout = null });
}
