using Spectre.Console.Rendering;
using Tmem.Ctl.Output;
using Xunit;

namespace Tmem.Ctl.Tests;

/// <summary>Tables: columns line up by the room that letters take on a terminal, and a line ends with its last word.</summary>
public sealed class TableTests
{
    [Fact]
    public void Columns_line_up_under_their_headings()
    {
        using var output = new StringWriter { NewLine = "\n" };
        Table.Write(output, ["NAME", "N>", "LAST"], [["a", "1", ""], ["long one", "22", "x"]]);
        Assert.Equal("NAME       N  LAST\na          1\nlong one  22  x\n", output.ToString());
    }

    [Theory]
    [InlineData("日本語")]
    [InlineData("e\u0301e\u0301")]
    [InlineData("\U0001F600")]
    [InlineData("a\tb")]
    public void Letters_that_take_two_cells_or_none_move_no_column(string name)
    {
        using var output = new StringWriter { NewLine = "\n" };
        Table.Write(output, ["NAME", "N>"], [[name, "1"], ["plain name", "22"]]);
        var lines = output.ToString().TrimEnd('\n').Split('\n');
        Assert.All(lines, line => Assert.Equal("plain name  22".Length, new Segment(line).CellCount()));
        Assert.DoesNotContain('\t', output.ToString());
    }

    [Fact]
    public void A_table_without_rows_is_its_headings()
    {
        using var output = new StringWriter { NewLine = "\n" };
        Table.Write(output, ["A", "B>"], []);
        Table.WritePairs(output, []);
        Assert.Equal("A  B\n", output.ToString());
    }
}
