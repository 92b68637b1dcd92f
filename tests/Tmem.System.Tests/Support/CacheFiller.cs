using System.Diagnostics;
using Mono.Unix.Native;

namespace Tmem.System.Tests.Support;

/// <summary>
/// Keeps a memory group at its limit with memory that the kernel can reclaim: a process in the group reads a file over and over,
/// whose cache counts there. Any other process in the group that needs memory must then reclaim some first.
/// </summary>
internal sealed class CacheFiller : IDisposable
{
    private readonly string _file = Path.GetTempFileName();
    private readonly Process _process;

    /// <param name="group">The group.</param>
    /// <param name="bytes">More than the group has room for beside its needs.</param>
    public CacheFiller(MemoryGroup group, long bytes)
    {
        using (var file = new FileStream(_file, FileMode.Create))
        {
            var block = new byte[1 << 20];
            Random.Shared.NextBytes(block);
            for (long written = 0; written < bytes; written += block.Length) file.Write(block);
            file.Flush(flushToDisk: true);
            // What is in the cache already counts where it was written.
            _ = Syscall.posix_fadvise((int)file.SafeFileHandle.DangerousGetHandle(), 0, 0,
                PosixFadviseAdvice.POSIX_FADV_DONTNEED);
        }
        var info = new ProcessStartInfo("nice") { RedirectStandardOutput = true };
        foreach (
            var word in new[] { "-n", "19", "sh", "-c", "echo $$ > \"$0\"; while :; do cat \"$1\" > /dev/null; sleep 0.1; done",
                Path.Combine(group.Folder, "cgroup.procs"), _file })
            info.ArgumentList.Add(word);
        _process = Process.Start(info)!;
    }

    public void Dispose()
    {
        Command.KillTree(_process.Id);
        _process.WaitForExit();
        _process.Dispose();
        File.Delete(_file);
    }
}
