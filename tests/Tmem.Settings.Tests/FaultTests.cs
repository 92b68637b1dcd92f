namespace Tmem.Settings.Tests;

/// <summary>What is wrong is told in one line: file, line, key, what, and what to write.</summary>
public class FaultTests
{
    private static readonly string s_long = new('x', 300);

    [Theory]
    [InlineData("[store]\ncapicity = \"1G\"", "tmem.toml:2: capicity: [store] has no such key; did you mean capacity?")]
    [InlineData("[store]\nsync_interval = 5",
        "tmem.toml:2: sync_interval: [store] has no such key; did you mean sync-interval?")]
    [InlineData("[store]\nhugepages = true", "tmem.toml:2: hugepages: [store] has no such key; did you mean huge-pages?")]
    [InlineData("[store]\npriority = 5", "tmem.toml:2: priority: [store] has no such key; it is one of [swap]")]
    [InlineData("[swap]\nqqqqqqqqqqqq = 5", "tmem.toml:2: qqqqqqqqqqqq: [swap] has no such key; give on, size, priority, pool")]
    [InlineData("[foo]\nx = 1", "tmem.toml:1: [foo]: there is no such section; give [store], [swap], [[swap]] or [[pool]]")]
    [InlineData("[stoer]\nmount = \"/x\"", "tmem.toml:1: [stoer]: there is no such section; did you mean [store]?")]
    [InlineData("[nothing-like-it]\n",
        "tmem.toml:1: [nothing-like-it]: there is no such section; give [store], [swap], [[swap]] or [[pool]]")]
    [InlineData("mount = \"/x\"", "tmem.toml:1: mount: it stands in no section; write it below [store]")]
    [InlineData("store = 5", "tmem.toml:1: store: it stands in no section; write [store] on a line, and its keys below")]
    [InlineData("[swap.fast]\non = true",
        "tmem.toml:1: fast: [swap] has no such key; devices are written as [[swap]], each with a pool")]
    [InlineData("[[swap]]\non = true", "tmem.toml:1: [[swap]]: it has no pool; write pool = \"...\" in it")]
    [InlineData("[[swap]]\npool = \"a\"\n[[swap]]\npool = \"a\"", "tmem.toml:4: pool: swap 'a' is there a second time, after ")]
    [InlineData("[[swap]]\npool = \"a/b\"", "tmem.toml:2: pool: pool name 'a/b' is no file name; use a name other than . and ..")]
    [InlineData("[[store]]\nthreads = 1", "tmem.toml:1: [store]: there is one such section; write [store]")]
    [InlineData("[pool]\nname = \"a\"", "tmem.toml:1: [pool]: there can be many pools; write [[pool]]")]
    [InlineData("[store.mount]\nx = 1", "tmem.toml:1: mount: a section is not possible; write a path in quotes")]
    [InlineData("[store]\nthreads = 1\nthreads = 2", "tmem.toml:3: threads: the key is there a second time, after ")]
    [InlineData("[store]\nthreads = 1\n[store]\nthreads = 2",
        "tmem.toml:4: threads: the key is there a second time, after ")]
    [InlineData("[store]\ncapacity = \"512X\"",
        "tmem.toml:2: capacity: '512X' has 'X' behind a number, which is no unit (K, M, G, T, KiB, MB...); write it as ")]
    [InlineData("[store]\ncapacity = \"17G\"",
        "tmem.toml:2: capacity: '17G' is more than the 16.0 GiB of memory that this machine has; write less")]
    [InlineData("[store]\ncapacity = \"ram * 2\"",
        "tmem.toml:2: capacity: 'ram * 2', which is 32.0 GiB, is more than the 16.0 GiB of memory that this machine ")]
    [InlineData("[store]\ncapacity = \"99999E\"", "tmem.toml:2: capacity: '99999E' is more than can be; write it as ")]
    [InlineData("[store]\ncapacity = 4096", "tmem.toml:2: capacity: 4096 is too small; write at least 1M")]
    [InlineData("[store]\ncapacity = -1", "tmem.toml:2: capacity: a size is not negative; write it as ")]
    [InlineData("[store]\ncapacity = 1.5",
        "tmem.toml:2: capacity: a number with a fraction or exponent is no size; write it as ")]
    [InlineData("[store]\nthreads = 0", "tmem.toml:2: threads: 0 is not possible; write a whole number from 1 to 64")]
    [InlineData("[store]\nthreads = \"4\"", "tmem.toml:2: threads: '4' is not possible; write a whole number from 1 to 64")]
    [InlineData("[store]\nspin = \"never\"",
        "tmem.toml:2: spin: 'never' is not possible; write a whole number from 0 to 10000, or \"auto\"")]
    [InlineData("[store]\nhuge-pages = \"yes\"",
        "tmem.toml:2: huge-pages: 'yes' is not possible; write true or false, without quotes")]
    [InlineData("[store]\nlog = \"loud\"",
        "tmem.toml:2: log: 'loud' is not possible; write \"debug\", \"info\", \"warning\" or \"error\"")]
    [InlineData("[store]\nmount = \"mnt\"",
        "tmem.toml:2: mount: 'mnt' does not begin with '/', and a file does not know where it")]
    [InlineData("[store]\nmount = \"\"", "tmem.toml:2: mount: the path is empty; write one")]
    [InlineData("[store]\nmount = \"/a\\u0000b\"", "tmem.toml:2: mount: '/a\\x00b' has a control character in it; write a path")]
    [InlineData("[store]\nsocket-group = \"no-such-group\"",
        "tmem.toml:2: socket-group: there is no group 'no-such-group' on this machine; make it first")]
    [InlineData("[[pool]]\nname = \"a\"\nowner = \"no-such-user\"",
        "tmem.toml:3: owner: there is no user 'no-such-user' on this machine; make it first, or write one of /etc/passwd, ")]
    [InlineData("[[pool]]\nlimit = \"1M\"", "tmem.toml:1: [[pool]]: it has no name; write name = \"...\" in it")]
    [InlineData("[[pool]]\nname = \"a/b\"",
        "tmem.toml:2: name: pool name 'a/b' is no file name; use a name other than . and ..")]
    [InlineData("[[pool]]\nname = \"a\"\n[[pool]]\nname = \"a\"", "tmem.toml:4: name: pool 'a' is there a second time, after ")]
    [InlineData("[[pool]]\nname = \"a\"\nmode = \"999\"",
        "tmem.toml:3: mode: '999' is no mode; write it in octal and in quotes, ")]
    [InlineData("[[pool]]\nname = \"a\"\nmode = 0x1c0", "tmem.toml:3: mode: 448 is no mode; write it in octal and in quotes, ")]
    [InlineData("[[pool]]\nname = \"a\"\npage-size = \"12K\"",
        "tmem.toml:3: page-size: 12K is no page; write 4K, or leave it out")]
    [InlineData("[[pool]]\nname = \"a\"\npage-size = \"64K\"",
        "tmem.toml:3: page-size: pools of files have pages of 4K, the kernel's own: a larger one would be unpacked and packed "
        + "whole for each of them; leave it out; programs that use the library choose it")]
    [InlineData("[[pool]]\nname = \"a\"\nlimit = \"5G\"",
        "tmem.toml:3: limit: '5G' is more than the 4.0 GiB of the store's capacity (default); write less")]
    [InlineData("[store]\ncapacity = 1G", "tmem.toml:2: this is not TOML: ")]
    [InlineData("[[pool]]\nname = 1G", "tmem.toml:2: this is not TOML: ")]
    [InlineData("[store]\nlog = bare", "tmem.toml:2: this is not TOML: ")]
    [InlineData("[store", "tmem.toml:1: this is not TOML: ")]
    [InlineData("[store]\nlog = \"\\u\"", "tmem.toml:2: this is not TOML: Unexpected escape character")]
    [InlineData("[store]\"\\u", "tmem.toml:1: this is not TOML: an escape or a number cannot be read here; correct the line")]
    [InlineData("[store]\nlog = \"\\ud800\"", "tmem.toml:2: this is not TOML: ")]
    public void A_fault_names_file_line_key_and_remedy(string text, string line) =>
        Assert.StartsWith(line, Folder.FaultOf(text), StringComparison.Ordinal);

    [Theory]
    [InlineData("[store]\nhuge-pages = true\nregion = \"/r\"",
        "tmem.toml:2: huge-pages: it is for a store without a file, and region is set (", "tmem.toml:3)")]
    [InlineData("[[pool]]\nname = \"a\"\nkind = \"ephemeral\"\nreserve = \"1M\"",
        "tmem.toml:4: reserve: pool 'a' is ephemeral (", "tmem.toml:3)")]
    [InlineData("[[pool]]\nname = \"a\"\nlimit = \"1M\"\nreserve = \"2M\"",
        "tmem.toml:4: reserve: 2.0 MiB for pool 'a' is above its limit of 1.0 MiB (", "tmem.toml:3)")]
    [InlineData("[store]\ncapacity = \"1G\"\n[[pool]]\nname = \"a\"\nreserve = \"60%\"\n"
            + "[[pool]]\nname = \"b\"\nreserve = \"60%\"",
        "tmem.toml:8: reserve: with that of pool 'b' the reserves are more than the 1.0 GiB of the store's capacity (",
        "tmem.toml:2)")]
    [InlineData("[store]\ncapacity = \"1G\"\n[swap]\nsize = \"11G\"",
        "tmem.toml:4: size: 11.0 GiB is more than 10 times the 1.0 GiB of the store's capacity (", "tmem.toml:2)")]
    [InlineData("[swap]\non = true\npool = \"a\"\n[[pool]]\nname = \"a\"\nkind = \"ephemeral\"",
        "tmem.toml:3: pool: pool 'a' is ephemeral (", "tmem.toml:6)")]
    [InlineData("[swap]\non = true\npool = \"a\"\n[[pool]]\nname = \"a\"",
        "tmem.toml:3: pool: others may look into pool 'a' (", "tmem.toml:5)")]
    public void Values_that_contradict_are_told_with_both_places(string text, string begin, string other)
    {
        var line = Folder.FaultOf(text);
        Assert.StartsWith(begin, line, StringComparison.Ordinal);
        Assert.Contains(other, line, StringComparison.Ordinal);
    }

    [Fact]
    public void A_device_of_swap_stands_in_one_place()
    {
        using var folder = new Folder();
        var file = folder.Write("[swap]\non = true");
        var dropIn = folder.Write("[[swap]]\npool = \"swap\"", "50.toml");
        Assert.Equal($"{dropIn}:2: pool: 'swap' is the device of [swap] too ({file}:2); write its keys in one place, or name "
            + "another pool", Assert.Single(folder.Read().Faults).Line);
    }

    /// <summary>TOML itself does not have it; a copy of the default file with a [[swap]] behind it would be that.</summary>
    [Theory]
    [InlineData("[swap]\n[[swap]]\npool = \"a\"")]
    [InlineData("[[swap]]\npool = \"a\"\n[swap]\non = true")]
    public void One_and_many_of_a_section_in_one_file_are_a_fault(string text)
    {
        var faults = Folder.Of(text).Faults;
        Assert.NotEmpty(faults);
        Assert.All(faults, fault => Assert.Contains("swap", fault.Line, StringComparison.Ordinal));
    }

    [Fact]
    public void Two_files_that_contradict_are_both_named()
    {
        using var folder = new Folder();
        folder.Write("[store]\nregion = \"/r\"");
        var dropIn = folder.Write("# mine\n[store]\nhuge-pages = true", "50-huge.toml");
        var fault = Assert.Single(folder.Read().Faults);
        Assert.Equal($"{dropIn}:3: huge-pages: it is for a store without a file, and region is set "
            + $"({folder.Path}/tmem.toml:2); leave one of them out", fault.Line);
    }

    [Fact]
    public void All_faults_of_all_files_are_told_and_nothing_is_to_be_applied()
    {
        using var folder = new Folder();
        folder.Write("[store]\nthreads = 0\nmuont = \"/x\"");
        folder.Write("[swap]\non = 1\n[[pool]]\nname = \"\"\nlimit = \"x\"", "10-a.toml");
        folder.Write("[store]\nlog = \"loud\"\nspin spin", "20-b.toml");
        var read = folder.Read();
        Assert.Null(read.Settings);
        Assert.Equal(["tmem.toml:2: threads", "tmem.toml:3: muont", "10-a.toml:2: on", "10-a.toml:4: name", "10-a.toml:5: limit",
            "20-b.toml:3: this is not TOML", "20-b.toml:2: log"],
            read.Faults.Select(fault => $"{Path.GetFileName(fault.From.ToString())}: "
                + (fault.Key.Length > 0 ? fault.Key : fault.Problem.Split(": ")[0])));
    }

    [Fact]
    public void A_wrong_value_is_told_even_if_a_later_file_overrides_it()
    {
        using var folder = new Folder();
        folder.Write("[store]\nthreads = 0");
        folder.Write("[store]\nthreads = 5", "10.toml");
        Assert.Contains("tmem.toml:2: threads", Assert.Single(folder.Read().Faults).Line, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("[store]\n{0} = 1", "has no such key")]
    [InlineData("[{0}]\n", "there is no such section")]
    [InlineData("[[pool]]\nname = \"{0}\"", "the pool's name has 300 bytes; use at most 255")]
    [InlineData("[swap]\npool = \"{0}\"", "the pool's name has 300 bytes; use at most 255")]
    [InlineData("[store]\nsocket = \"/{0}\"", "the path has 301 bytes, and at most 107 can be")]
    [InlineData("[store]\nsocket-group = \"{0}\"", "there is no group 'xxx")]
    [InlineData("[store]\nlog = \"{0}\"", "is not possible; write \"debug\"")]
    [InlineData("[store]\ncapacity = \"{0}\"", "letters, and at most 256 can be")]
    public void A_word_of_300_letters_is_a_fault_of_one_line_that_does_not_repeat_it(string text, string told)
    {
        var line = Folder.FaultOf(string.Format(null, text, s_long));
        Assert.Contains(told, line, StringComparison.Ordinal);
        Assert.True(line.Length < 300, line);
    }

    [Fact]
    public void What_a_file_says_cannot_write_to_a_terminal()
    {
        var line = Folder.FaultOf("[store]\nlog = \"\\u001b[2J\\n\\u202e\"");
        Assert.DoesNotContain(line, letter => char.IsControl(letter) || letter == '\u202E');
    }
}
