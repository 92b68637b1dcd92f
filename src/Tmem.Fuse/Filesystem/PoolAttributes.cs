using System.Globalization;
using System.Text;
using Tmem.Engine;
using Tmem.Fuse.Native;

namespace Tmem.Fuse.Filesystem;

/// <summary>
/// The extended attributes of a pool's directory that describe its pool: not stored, in the management's vocabulary.
/// </summary>
internal static class PoolAttributes
{
    public static ReadOnlySpan<byte> Prefix => "user.tmem."u8;

    private static ReadOnlySpan<byte> Kind => "user.tmem.kind"u8;
    private static ReadOnlySpan<byte> Limit => "user.tmem.limit"u8;
    private static ReadOnlySpan<byte> Codec => "user.tmem.codec"u8;
    private static ReadOnlySpan<byte> PageSize => "user.tmem.page_size"u8;
    private static ReadOnlySpan<byte> Pool => "user.tmem.pool"u8;

    /// <summary>Appends the names, as <see cref="ExtendedAttributes.List"/>.</summary>
    public static void List(Span<byte> names, ref int length)
    {
        ExtendedAttributes.AppendName(Kind, names, ref length);
        ExtendedAttributes.AppendName(Limit, names, ref length);
        ExtendedAttributes.AppendName(Codec, names, ref length);
        ExtendedAttributes.AppendName(PageSize, names, ref length);
        ExtendedAttributes.AppendName(Pool, names, ref length);
    }

    /// <summary>ENODATA, ERANGE; an empty buffer asks for the length alone.</summary>
    public static Errno Get(PoolState pool, ReadOnlySpan<byte> name, Span<byte> value, out int length)
    {
        length = 0;
        if (name.SequenceEqual(Kind))
            return ExtendedAttributes.Copy(pool.IsEphemeral ? "ephemeral"u8 : "persistent"u8, value, out length);
        if (name.SequenceEqual(Limit) && pool.Options.LimitBytes == 0)
            return ExtendedAttributes.Copy("none"u8, value, out length);
        Span<byte> text = stackalloc byte[20];
        if (name.SequenceEqual(Codec))
        {
            var written = Encoding.UTF8.GetBytes(pool.Options.Codec.Name(), text);
            return ExtendedAttributes.Copy(text[..written], value, out length);
        }
        long figure;
        if (name.SequenceEqual(Limit)) figure = pool.Options.LimitBytes;
        else if (name.SequenceEqual(PageSize)) figure = pool.Options.Flags.PageSize();
        else if (name.SequenceEqual(Pool)) figure = pool.Id.Value;
        else return Errno.ENODATA;
        figure.TryFormat(text, out var digits, default, CultureInfo.InvariantCulture);
        return ExtendedAttributes.Copy(text[..digits], value, out length);
    }
}
