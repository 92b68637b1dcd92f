using System.CommandLine;
using Tmem.Fuse.Daemon;
using Tmem.Fuse.Keeper;

// Before anything else: it may start the program anew.
var warning = ProcessPriority.Restart();

// Signals are the daemon's own business: a stop can be refused.
return CommandLine.Create(options => DaemonProcess.Run(options, warning)).Parse(args)
    .Invoke(new InvocationConfiguration { ProcessTerminationTimeout = null });
