using Tmem.Ctl;
using Tmem.Ctl.Swap;

return CommandTree.Run(args, Console.Out, Console.Error, new LinuxSwapSystem());
