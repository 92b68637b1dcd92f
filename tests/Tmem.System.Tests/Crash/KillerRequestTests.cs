using System.Buffers.Binary;
using System.Globalization;
using System.Text.RegularExpressions;
using Tmem.System.Tests.Support;
using Xunit;

namespace Tmem.System.Tests.Crash;

/// <summary>
/// A request that kills every worker, in the real daemon: the program is a copy of tmemd in which the operation behind
/// readlink(2) begins with an invalid instruction.
/// </summary>
public sealed partial class KillerRequestTests
{
    [Fact]
    public void It_is_answered_EIO_and_named_once_two_workers_have_died_of_it()
    {
        Requires.Machine();
        Requires.Programs("nm", "readlink");
        using var daemon = Daemon.Start("64M");
        var pool = daemon.Pool("p");
        Bounded.Run(() =>
        {
            File.WriteAllText(Path.Combine(pool, "f"), "whole");
            File.CreateSymbolicLink(Path.Combine(pool, "link"), "f");
        });
        daemon.Control("upgrade", "--binary", Break(daemon.Folder, "tmemd_Tmem_Fuse_Filesystem_TmemFileSystem__ReadLink"))
            .Succeeds();

        for (var times = 1; times <= 2; times++)
        {
            var outcome = Command.RunFor(60, "readlink", "--verbose", Path.Combine(pool, "link"));
            Assert.Equal(1, outcome.Code);
            Assert.Contains("Input/output error", outcome.All, StringComparison.Ordinal);
            Assert.Equal(2 * times, daemon.Figure("processes.restarts"));
            Assert.Equal(times, KilledTwo().Count(daemon.Log));
        }
        Assert.Equal("whole", Bounded.Run(() => File.ReadAllText(Path.Combine(pool, "f"))));
        daemon.Control("check").Succeeds();
        daemon.Stop();
    }

    [GeneratedRegex(
        "READLINK on node [0-9]+ of process [0-9]+ .user 0. has killed two workers, [0-9]+ and [0-9]+; it is answered EIO")]
    private static partial Regex KilledTwo();

    /// <summary>A copy of the program that dies at the start of a method.</summary>
    private static string Break(string folder, string symbol)
    {
        var symbols = Built.Daemon + ".dbg";
        if (!File.Exists(symbols)) Assert.Skip($"{symbols} is missing; run scripts/build.");
        var line = Command.Run("nm", symbols).Succeeds().Output.Split('\n')
            .SingleOrDefault(l => l.EndsWith(" t " + symbol, StringComparison.OrdinalIgnoreCase));
        Assert.True(line is not null, $"{symbols} has no {symbol}; name another method");
        var program = File.ReadAllBytes(Built.Daemon);
        var at = OffsetOf(program, ulong.Parse(line.Split(' ')[0], NumberStyles.HexNumber, CultureInfo.InvariantCulture));
        ReadOnlySpan<byte> undefined = Environment.Is64BitProcess && program[18] == 62 ? [0x0F, 0x0B] : [0, 0, 0, 0];
        undefined.CopyTo(program.AsSpan((int)at));
        var copy = Path.Combine(folder, "tmemd-broken");
        File.WriteAllBytes(copy, program);
        File.SetUnixFileMode(copy, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        return copy;
    }

    /// <summary>The place in an ELF file that an address is loaded from.</summary>
    private static ulong OffsetOf(byte[] elf, ulong address)
    {
        const uint load = 1;
        var (headers, size, count) = (BinaryPrimitives.ReadUInt64LittleEndian(elf.AsSpan(32)),
            BinaryPrimitives.ReadUInt16LittleEndian(elf.AsSpan(54)),
            BinaryPrimitives.ReadUInt16LittleEndian(elf.AsSpan(56)));
        for (var number = 0; number < count; number++)
        {
            var header = elf.AsSpan((int)headers + number * size);
            var (offset, start, bytes) = (BinaryPrimitives.ReadUInt64LittleEndian(header[8..]),
                BinaryPrimitives.ReadUInt64LittleEndian(header[16..]),
                BinaryPrimitives.ReadUInt64LittleEndian(header[32..]));
            if (BinaryPrimitives.ReadUInt32LittleEndian(header) == load && address >= start && address < start + bytes)
                return address - start + offset;
        }
        throw new InvalidOperationException($"nothing is loaded at {address:x}");
    }
}
