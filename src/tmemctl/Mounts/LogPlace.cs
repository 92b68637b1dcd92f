using System.Globalization;
using System.Net.Sockets;
using System.Text;
using Microsoft.Win32.SafeHandles;
using Tmem.Control.Host;

namespace Tmem.Ctl.Mounts;

/// <summary>
/// Where the log of a daemon in the background goes: the journal's stream where there is one, as systemd-cat has it, else a file.
/// </summary>
internal sealed class LogPlace : IDisposable
{
    private const string Journal = "/run/systemd/journal/stdout";
    private const int WriteOnly = 1, Create = 0x40, Append = 0x400;
    private const uint ForItsGroupToo = 0x1A0; // 0640

    private readonly Socket? _journal;

    // Of a file that nobody named, and that is this process's alone.
    private readonly string? _own;
    private readonly long _length;

    private LogPlace(Socket journal)
    {
        _journal = journal;
        Descriptor = (int)journal.Handle;
        _ = FileStatus.Of(Descriptor, "", FileStatus.OfDescriptor, FileStatus.Basic, out var status);
        // st_dev, as the C library composes it.
        var (major, minor) = ((ulong)status.DeviceMajor, (ulong)status.DeviceMinor);
        var device = (minor & 0xFF) | ((major & 0xFFF) << 8) | ((minor & ~0xFFUL) << 12) | ((major & ~0xFFFUL) << 32);
        Stream = string.Create(CultureInfo.InvariantCulture, $"{device}:{status.Inode}");
    }

    private LogPlace(int descriptor, string? own)
    {
        Descriptor = descriptor;
        // Held with the descriptor, which the daemon gets: as long as one lives that writes to it, the file is not another's.
        if (own is null || Native.Files.Lock(descriptor) != Native.Errno.Ok) return;
        _own = own;
        using var file = new SafeFileHandle((nint)descriptor, ownsHandle: false);
        _length = RandomAccess.GetLength(file);
    }

    /// <summary>Open for writing.</summary>
    public int Descriptor { get; }

    /// <summary>The value of JOURNAL_STREAM that belongs to it; null for a file.</summary>
    public string? Stream { get; }

    /// <summary>Opens it; null if that is impossible.</summary>
    /// <param name="file">The file that was asked for; null for the journal, and if there is none <paramref name="otherwise"/>.
    /// </param>
    /// <param name="otherwise">A file whose directory is made if it is missing.</param>
    /// <param name="problem">Why there is none.</param>
    /// <param name="journal">The journal's socket.</param>
    public static LogPlace? Open(string? file, string otherwise, out string problem, string journal = Journal)
    {
        problem = "";
        if (file is null)
        {
            if (TryJournal(journal) is { } stream) return stream;
            if (MakeFolder(Path.GetDirectoryName(otherwise)!) is { } refused)
            {
                problem = refused;
                return null;
            }
        }
        var opened = TrustedPath.Open(file ?? otherwise, new PathWish
        {
            Flags = WriteOnly | Create | Append, Mode = ForItsGroupToo,
        });
        problem = opened.Problem is { } why ? $"the log cannot be written: {why}" : "";
        return opened.IsOpen ? new LogPlace(opened.Descriptor, file is null ? otherwise : null) : null;
    }

    /// <summary>
    /// Takes back what a daemon that did not start has written, of which the reason has been told: nobody would ever remove it. A
    /// file that somebody named keeps it.
    /// </summary>
    public void TakeBack()
    {
        if (_own is null) return;
        using var file = new SafeFileHandle((nint)Descriptor, ownsHandle: false);
        if (_length > 0) RandomAccess.SetLength(file, _length);
        else File.Delete(_own);
    }

    private static LogPlace? TryJournal(string journal)
    {
        var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        try
        {
            socket.Connect(new UnixDomainSocketEndPoint(journal));
            // Name, unit, priority of lines without one, whether lines may begin with one, and three places to forward to.
            _ = socket.Send(Encoding.ASCII.GetBytes("tmemd\n\n6\n1\n0\n0\n0\n"));
            return new LogPlace(socket);
        }
        catch (SocketException)
        {
            socket.Dispose();
            return null;
        }
    }

    private static string? MakeFolder(string folder)
    {
        var opened = TrustedPath.Open(folder, new PathWish { Flags = Create, IsDirectory = true, OnlyOurs = true });
        if (opened.IsOpen) Native.Files.Close(opened.Descriptor);
        return opened.Problem;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        if (_journal is not null) _journal.Dispose();
        else Native.Files.Close(Descriptor);
    }
}
