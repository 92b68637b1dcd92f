using Tmem.Control.Host;
using Tmem.Ctl;
using Tmem.Ctl.Recover;
using Tmem.Ctl.Swap;

StandardStreams.Occupy();
return CommandTree.Run(args, Console.Out, Console.Error, new LinuxSwapSystem(), new LinuxMountSystem());
