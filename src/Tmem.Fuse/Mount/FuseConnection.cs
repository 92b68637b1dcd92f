using Tmem.Control.Messages;
using Tmem.Fuse.Session;

namespace Tmem.Fuse.Mount;

/// <summary>
/// A mount with the descriptors that serve it. As long as one process has them open, the death of another loses nothing.
/// </summary>
/// <param name="Mount">The mount.</param>
/// <param name="Devices">The first one and its clones.</param>
internal sealed record FuseConnection(FuseMount Mount, IReadOnlyList<FuseDevice> Devices)
{
    /// <summary>Opens the device, mounts, and makes the clones. On failure nothing stays behind.</summary>
    /// <param name="wish">What to mount where.</param>
    /// <param name="threads">How many descriptors.</param>
    /// <param name="tmemctl">Command lines that address this daemon.</param>
    /// <exception cref="StartupException">The message names the obstacle and the remedy.</exception>
    public static FuseConnection Open(MountWish wish, int threads, ControlCommand tmemctl)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(threads, 1);
        var devices = new List<FuseDevice> { FuseDevice.Open() };
        FuseMount? mount = null;
        try
        {
            mount = FuseMount.Create(devices[0], wish, tmemctl);
            while (devices.Count < threads) devices.Add(devices[0].Clone());
            return new FuseConnection(mount, devices);
        }
        catch
        {
            // With no reader, only unmounting frees the connection.
            _ = mount?.Unmount();
            foreach (var device in devices) device.Dispose();
            throw;
        }
    }

    /// <summary>Closes the descriptors, which ends the connection unless another process holds them too.</summary>
    public void Close()
    {
        foreach (var device in Devices) device.Dispose();
    }
}
