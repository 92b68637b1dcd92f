using Tmem.Control.Host;

namespace Tmem.Fuse.Mount;

/// <summary>What to mount.</summary>
/// <param name="Directory">Where.</param>
/// <param name="Flags">The kernel's, of <see cref="MountFlags"/>.</param>
/// <param name="Source">The first column of the mount table, which the kernel only shows.</param>
internal readonly record struct MountWish(
    string Directory, uint Flags = MountFlags.Usual, string Source = MountFlags.UsualSource);
