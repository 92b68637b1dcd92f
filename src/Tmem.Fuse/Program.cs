using System.CommandLine;
using Tmem.Fuse.Daemon;
using Tmem.Fuse.Keeper;

// Before anything else: it may start the program anew.
var warning = ProcessPriority.Restart();

var role = Launcher.RoleOf(out var page, out var line);
switch (role)
{
    case Role.Worker or Role.Successor:
        return Worker.Run(role, page, line);
    case Role.Adopter:
        return Adopter.Run(page, line);
    default:
        // Signals are the daemon's own business: a stop can be refused.
        var parsed = CommandLine.Create(options => Founder.Run(options, warning)).Parse(args);
        var exit = parsed.Invoke(new InvocationConfiguration { ProcessTerminationTimeout = null });
        return parsed.Errors.Count > 0 ? CommandLine.WrongUsage : exit;
}
