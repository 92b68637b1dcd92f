namespace Tmem.Fuse.Keeper;

/// <summary>A process that the keeper watches: by a pidfd, so that it need not be a child, and by its end of the link.</summary>
internal struct Watched
{
    /// <summary>0: there is none.</summary>
    public int Process;
    /// <summary>Its pidfd.</summary>
    public int Descriptor;
    public Link Line;
    public bool Serves;
    public long ServesSince;
    /// <summary>Its end of the link is closed: it is dying.</summary>
    public bool LineClosed;

    public readonly bool Exists => Process != 0;
}
