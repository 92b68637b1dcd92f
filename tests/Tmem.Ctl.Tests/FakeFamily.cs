using System.Diagnostics;

namespace Tmem.Ctl.Tests;

/// <summary>Two sleeping processes that look like a daemon's keeper and worker.</summary>
internal sealed class FakeFamily : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("tmem-ctl-").FullName;
    private readonly Process _keeper;
    private readonly Process _worker;

    public FakeFamily()
    {
        // A process has the name of its file, and these two have one command line.
        var program = Path.Combine(_folder, "tmemd-worker");
        File.CreateSymbolicLink(program, "/bin/sleep");
        (_keeper, _worker) = (Process.Start(program, "600"), Process.Start(program, "600"));
    }

    public int Keeper => _keeper.Id;

    public int Worker => _worker.Id;

    /// <summary>Ends both, the keeper last.</summary>
    public void End()
    {
        foreach (var process in (Process[])[_worker, _keeper])
        {
            process.Kill();
            process.WaitForExit();
        }
    }

    public void Dispose()
    {
        End();
        _worker.Dispose();
        _keeper.Dispose();
        Directory.Delete(_folder, recursive: true);
    }
}
