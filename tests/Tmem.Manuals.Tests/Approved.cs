using Tmem.Engine.Tests.Embedding;

namespace Tmem.Manuals.Tests;

/// <summary>Files that are made and lie in the source tree all the same: <c>TMEM_APPROVE=1</c> writes them.</summary>
internal static class Approved
{
    public static void Check(string file, string made)
    {
        if (Environment.GetEnvironmentVariable("TMEM_APPROVE") == "1") File.WriteAllText(file, made);
        var found = File.Exists(file) ? File.ReadAllText(file) : "";
        if (found == made) return;
        var (now, then) = (made.Split('\n'), found.Split('\n'));
        var changes = now.Except(then).Select(line => "+ " + line).Concat(then.Except(now).Select(line => "- " + line));
        Assert.Fail($"{Path.GetRelativePath(Repository.Root, file)} is not what the programs tell (TMEM_APPROVE=1 writes it):\n"
            + string.Join('\n', changes));
    }
}
