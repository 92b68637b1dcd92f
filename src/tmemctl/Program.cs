using Tmem.Ctl;
using Tmem.Ctl.Recover;
using Tmem.Ctl.Swap;

return CommandTree.Run(args, Console.Out, Console.Error, new LinuxSwapSystem(), new LinuxMountSystem());
