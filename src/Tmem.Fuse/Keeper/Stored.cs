using System.Globalization;
using System.Runtime.CompilerServices;
using Tmem.Control.Host;

namespace Tmem.Fuse.Keeper;

/// <summary>
/// What a supervisor holds for a daemon, so that it outlives all its processes at once: each descriptor of the handover page has
/// a place here, and a name by which the next daemon finds it.
/// </summary>
internal static class Stored
{
    public const int Page = 0;
    public const int Region = 1;
    public const int RegionFile = 2;
    public const int Buffers = 3;
    public const int Listener = 4;
    public const int Program = 5;
    public const int LogEnd = 6;
    public const int LogBegin = 7;
    public const int FirstDevice = 8;
    public const int Places = FirstDevice + HandoverPage.MaximumDevices;

    private static readonly string[] s_names = Enumerable.Range(0, Places).Select(place => place switch
    {
        Page => "tmem-page",
        Region => "tmem-region",
        RegionFile => "tmem-region-file",
        Buffers => "tmem-buffers",
        Listener => "tmem-listener",
        Program => "tmem-program",
        LogEnd => "tmem-log-end",
        LogBegin => "tmem-log-begin",
        _ => string.Create(CultureInfo.InvariantCulture, $"tmem-device-{place - FirstDevice}"),
    }).ToArray();

    /// <summary>The name of a place.</summary>
    public static string NameOf(int place) => s_names[place];

    /// <summary>Whether it can be made anew if it is missing.</summary>
    public static bool CanBeMade(int place) => place is Listener or Program or LogEnd or LogBegin;

    /// <summary>Where the page notes which file it has in a place, if that is ever the same.</summary>
    public static ref FileIdentity IdentityOf(ref HandoverPage page, int place)
    {
        switch (place)
        {
            case Region: return ref page.RegionIs;
            case RegionFile: return ref page.RegionFileIs;
            case Buffers: return ref page.BuffersAre;
            default: return ref Unsafe.NullRef<FileIdentity>();
        }
    }

    /// <summary>The descriptor that the page has in a place; -1 for none.</summary>
    public static int DescriptorOf(Handover handover, int place) => place == Page ? handover.Descriptor
        : place >= FirstDevice && place - FirstDevice >= handover.Page.DeviceCount ? -1 : In(ref handover.Page, place);

    /// <summary>A place of the page.</summary>
    public static unsafe ref int In(ref HandoverPage page, int place)
    {
        switch (place)
        {
            case Region: return ref page.Region;
            case RegionFile: return ref page.RegionFile;
            case Buffers: return ref page.Buffers;
            case Listener: return ref page.Listener;
            case Program: return ref page.Current.Program;
            case LogEnd: return ref page.LogEnd;
            case LogBegin: return ref page.LogBegin;
            default: return ref page.Devices[place - FirstDevice];
        }
    }
}
