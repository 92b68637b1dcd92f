using System.CommandLine;
using Tmem.Control.CommandLine;
using Tmem.Soak;

// Long runs that must end well. scripts/soak is the way in for people.
var root = new RootCommand("Runs tmem for a long time and checks everything it answers. Started by scripts/soak.")
{
    EngineSoakCommand.Create(),
    FlipsCommand.Create(),
    DisposalCommand.Create(),
};
return Usage.Run(root, "scripts/soak", args, new InvocationConfiguration());
