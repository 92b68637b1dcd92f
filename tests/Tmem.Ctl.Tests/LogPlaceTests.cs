using System.Diagnostics;
using System.Net.Sockets;
using System.Text;
using Microsoft.Win32.SafeHandles;
using Tmem.Ctl.Mounts;
using Xunit;

namespace Tmem.Ctl.Tests;

/// <summary>Where the log of a daemon in the background goes.</summary>
public sealed class LogPlaceTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("tmem-log-").FullName;

    private string In(string name) => Path.Combine(_folder, name);

    [Fact]
    public void To_the_journal_where_there_is_one()
    {
        using var journal = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        journal.Bind(new UnixDomainSocketEndPoint(In("journal")));
        journal.Listen();
        using var place = LogPlace.Open(null, In("run/x.log"), out _, In("journal"))!;
        using var stream = journal.Accept();
        var header = new byte[100];
        Assert.Equal("tmemd\n\n6\n1\n0\n0\n0\n", Encoding.ASCII.GetString(header, 0, stream.Receive(header)));
        using var stat = Process.Start(new ProcessStartInfo("stat",
            ["-L", "-c", "%d:%i", $"/proc/{Environment.ProcessId}/fd/{place.Descriptor}"]) { RedirectStandardOutput = true })!;
        Assert.Equal(stat.StandardOutput.ReadToEnd().Trim(), place.Stream);
        Assert.False(Directory.Exists(In("run")));
    }

    [Fact]
    public void Else_to_a_file_whose_folder_is_made()
    {
        using (var place = LogPlace.Open(null, In("run/x.log"), out _, In("no-journal"))!) Assert.Null(place.Stream);
        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.GroupRead,
            File.GetUnixFileMode(In("run/x.log")));
    }

    [Fact]
    public void A_file_that_was_asked_for_is_added_to()
    {
        File.WriteAllText(In("log"), "old\n");
        using (var place = LogPlace.Open(In("log"), In("run/x.log"), out _)!)
        using (var file = new FileStream(new SafeFileHandle(place.Descriptor, ownsHandle: false), FileAccess.Write))
            file.Write("new\n"u8);
        Assert.Equal("old\nnew\n", File.ReadAllText(In("log")));
    }

    /// <summary>
    /// Of a daemon that did not start nothing stays; what others have written does, and what is in a file that somebody named.
    /// </summary>
    [Theory]
    [InlineData(null, false, false, null)]
    [InlineData("old\n", false, false, "old\n")]
    [InlineData(null, true, false, "new\n")]
    [InlineData("old\n", false, true, "old\nnew\n")]
    public void What_was_written_is_taken_back_from_a_file_of_its_own(string? before, bool isNamed, bool isAnothers,
        string? after)
    {
        Directory.CreateDirectory(In("run"));
        if (before is not null) File.WriteAllText(In("run/x.log"), before);
        using (isAnothers ? LogPlace.Open(null, In("run/x.log"), out _, In("no-journal")) : null)
        using (var place = LogPlace.Open(isNamed ? In("run/x.log") : null, In("run/x.log"), out _, In("no-journal"))!)
        {
            RandomAccess.Write(new SafeFileHandle(place.Descriptor, ownsHandle: false), "new\n"u8, fileOffset: 0);
            place.TakeBack();
        }
        Assert.Equal(after, File.Exists(In("run/x.log")) ? File.ReadAllText(In("run/x.log")) : null);
    }

    [Fact]
    public void One_that_cannot_be_made_is_named()
    {
        Assert.Null(LogPlace.Open(In("none/log"), In("x.log"), out var problem));
        Assert.Equal($"the log cannot be written: {In("none")}: No such file or directory", problem);
    }

    public void Dispose() => Directory.Delete(_folder, recursive: true);
}
