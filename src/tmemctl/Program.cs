using Tmem.Control.CommandLine;
using Tmem.Control.Host;
using Tmem.Ctl;
using Tmem.Ctl.Mounts;
using Tmem.Ctl.Recover;
using Tmem.Ctl.Reload;
using Tmem.Ctl.Swap;

StandardStreams.Occupy();
if (Helpers.TryRun(Environment.GetCommandLineArgs()[0], args, Console.Out, Console.Error, out var exit)) return exit;
if (DaemonStart.Read(args) is var (program, begin, typed))
    return DaemonStarter.Run(program, begin, typed, Console.Error);
return CommandTree.Run(args, Console.Out, Console.Error, new LinuxSwapSystem(), new LinuxMountSystem(),
    Console.IsInputRedirected ? null : Console.In);
