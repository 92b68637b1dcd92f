using Tmem.Engine;
using Tmem.Fuse.Native;
using Tmem.Fuse.Protocol;
using Xunit;

namespace Tmem.Fuse.Tests.Filesystem;

/// <summary>Extended attributes: names, limits, who sees which, and those that tell of a pool.</summary>
public sealed class ExtendedAttributeTests : IDisposable
{
    private readonly TestVolume _volume = new();
    private readonly NodeId _pool;

    public ExtendedAttributeTests() => _pool = _volume.Pool();

    public void Dispose()
    {
        _volume.AssertSound();
        _volume.Dispose();
    }

    [Fact]
    public void Extended_attributes_are_stored_replaced_listed_and_removed()
    {
        var file = _volume.File(_pool, "f");
        Assert.Equal(Errno.ENODATA, _volume.GetAttribute(file, "user.a", out _));
        Assert.Equal(Errno.ENODATA, _volume.SetAttribute(file, "user.a", "1"u8, 2));
        Assert.Equal(Errno.Ok, _volume.SetAttribute(file, "user.a", "1"u8, 1));
        Assert.Equal(Errno.EEXIST, _volume.SetAttribute(file, "user.a", "2"u8, 1));
        Assert.Equal(Errno.Ok, _volume.SetAttribute(file, "user.a", "22"u8, 2));
        Assert.Equal(Errno.EINVAL, _volume.SetAttribute(file, "user.a", "22"u8, 4));
        Assert.Equal(Errno.Ok, _volume.SetAttribute(file, "trusted.b", default));
        Assert.Equal(Errno.Ok, _volume.SetAttribute(file, "security.c", "x"u8));
        Assert.Equal(["security.c", "trusted.b", "user.a"], _volume.AttributeNames(file).Order(StringComparer.Ordinal));
        Assert.Equal(Errno.Ok, _volume.GetAttribute(file, "user.a", out var value));
        Assert.Equal("22"u8.ToArray(), value);
        Assert.Equal(Errno.Ok, _volume.Files.GetExtendedAttribute(file, "user.a"u8, [], out var length));
        Assert.Equal(2, length);
        Assert.Equal(Errno.ERANGE, _volume.Files.GetExtendedAttribute(file, "user.a"u8, new byte[1], out _));
        Assert.Equal(Errno.ERANGE, _volume.Files.ListExtendedAttributes(TestVolume.Root, file, new byte[10], out _));
        Assert.Equal(Errno.Ok, _volume.Files.RemoveExtendedAttribute(TestVolume.Root, file, "trusted.b"u8));
        Assert.Equal(Errno.ENODATA, _volume.Files.RemoveExtendedAttribute(TestVolume.Root, file, "trusted.b"u8));
        Assert.Equal(["security.c", "user.a"], _volume.AttributeNames(file).Order(StringComparer.Ordinal));
    }

    [Fact]
    public void Trusted_names_are_shown_to_root_alone()
    {
        var file = _volume.File(_pool, "f");
        Assert.Equal(Errno.Ok, _volume.SetAttribute(file, "trusted.a", "1"u8));
        Assert.Equal(Errno.Ok, _volume.SetAttribute(file, "security.b", "1"u8));
        Assert.Equal(Errno.Ok, _volume.SetAttribute(file, "user.c", "1"u8));
        Assert.Equal(3, _volume.AttributeNames(file).Length);
        Assert.Equal(["security.b", "user.c"], _volume.AttributeNames(file, TestVolume.User).Order(StringComparer.Ordinal));
    }

    [Fact]
    public void Extended_attributes_have_limits_and_places()
    {
        var file = _volume.File(_pool, "f");
        Assert.Equal(Errno.Ok, _volume.SetAttribute(file, "user.a", new byte[32_000]));
        Assert.Equal(Errno.E2BIG, _volume.SetAttribute(file, "user.a", new byte[32_001]));
        Assert.Equal(Errno.Ok, _volume.SetAttribute(file, "user.b", new byte[32_000]));
        Assert.Equal(Errno.ENOSPC, _volume.SetAttribute(file, "user.c", new byte[32_000]));
        Assert.Equal(Errno.Ok, _volume.SetAttribute(file, "user.b", new byte[31_999]));
        Assert.Equal(Errno.EOPNOTSUPP, _volume.SetAttribute(file, "system.posix_acl_access", [1]));
        Assert.Equal(Errno.EOPNOTSUPP, _volume.GetAttribute(file, "system.posix_acl_access", out _));
        Assert.Equal(Errno.EOPNOTSUPP, _volume.SetAttribute(file, "other.a", [1]));
        Assert.Equal(Errno.ERANGE, _volume.SetAttribute(file, "user." + new string('n', 251), [1]));
        Assert.Equal(Errno.Ok, _volume.Files.SymbolicLink(TestVolume.Root, _pool, "l"u8, "f"u8, out var link));
        Assert.Equal(Errno.EPERM, _volume.SetAttribute(new NodeId(link.NodeId), "user.a", [1]));
        Assert.Equal(Errno.Ok, _volume.SetAttribute(new NodeId(link.NodeId), "trusted.a", [1]));
        Assert.Equal(Errno.Ok, _volume.SetAttribute(_pool, "user.a", [1]));
        Assert.Equal(Errno.Ok, _volume.SetAttribute(NodeId.Root, "user.a", [1]));
    }

    [Theory]
    [InlineData("user."), InlineData("trusted."), InlineData("security.")]
    public void A_prefix_alone_is_no_name_of_an_extended_attribute(string name)
    {
        var file = _volume.File(_pool, "f");
        foreach (var node in (NodeId[])[file, _pool])
        {
            Assert.Equal(Errno.EINVAL, _volume.SetAttribute(node, name, "1"u8));
            Assert.Equal(Errno.EINVAL, _volume.GetAttribute(node, name, out _));
            Assert.Equal(Errno.EINVAL, _volume.Files.RemoveExtendedAttribute(TestVolume.Root, node,
                System.Text.Encoding.UTF8.GetBytes(name)));
            Assert.DoesNotContain(name, _volume.AttributeNames(node));
        }
        Assert.Equal(Errno.Ok, _volume.SetAttribute(file, name + "a", "1"u8));
    }

    [Fact]
    public void A_pool_tells_what_it_is()
    {
        var ephemeral = _volume.Pool("e", PoolFlags.None, 1 << 20);
        var id = _volume.Files.Pools().Single(pool => pool.Name == "e").Id;
        string[] names = ["user.tmem.kind", "user.tmem.limit", "user.tmem.codec", "user.tmem.page_size", "user.tmem.pool"];
        Assert.Equal(names, _volume.AttributeNames(ephemeral));
        Assert.Equal(["ephemeral", "1048576", "lz4", "4096", id.Value.ToString()], names.Select(Text));
        Assert.Equal(Errno.Ok, _volume.GetAttribute(_pool, "user.tmem.kind", out var kind));
        Assert.Equal("persistent"u8.ToArray(), kind);
        Assert.Equal(Errno.Ok, _volume.GetAttribute(_pool, "user.tmem.limit", out var limit));
        Assert.Equal("none"u8.ToArray(), limit);
        Assert.Equal(Errno.ENODATA, _volume.GetAttribute(_pool, "user.tmem.colour", out _));
        Assert.Equal(Errno.EPERM, _volume.SetAttribute(_pool, "user.tmem.limit", "5"u8));
        Assert.Equal(Errno.EPERM, _volume.Files.RemoveExtendedAttribute(TestVolume.Root, _pool, "user.tmem.kind"u8));
        var inner = _volume.Directory(_pool, "d");
        Assert.Empty(_volume.AttributeNames(inner));
        Assert.Equal(Errno.ENODATA, _volume.GetAttribute(inner, "user.tmem.kind", out _));

        string Text(string name)
        {
            Assert.Equal(Errno.Ok, _volume.GetAttribute(ephemeral, name, out var value));
            return System.Text.Encoding.UTF8.GetString(value);
        }
    }
}
