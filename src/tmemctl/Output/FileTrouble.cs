using Tmem.Ctl.Native;

namespace Tmem.Ctl.Output;

/// <summary>Why a file cannot be read or written, as a clause: the runtime's sentences name a file, and not always the one that
/// was given.</summary>
internal static class FileTrouble
{
    private const int BadDescriptor = 9; // EBADF

    public static string Clause(Exception error) => error switch
    {
        DirectoryNotFoundException => "its directory does not exist",
        FileNotFoundException => "no file can be made there",
        PathTooLongException => "its path is too long",
        UnauthorizedAccessException { InnerException.HResult: BadDescriptor } => "it is closed",
        UnauthorizedAccessException => "permission denied",
        _ when error.HResult is > 0 and var number => ((Errno)number).Problem()!,
        _ => error.Message.TrimEnd('.'),
    };
}
