using System.Net.Sockets;
using Tmem.System.Tests.Support;
using Xunit;

namespace Tmem.System.Tests;

/// <summary>The Debian package and its unit, looked at without installing them; scripts/guest installs them.</summary>
public sealed class PackagingTests : IDisposable
{
    private readonly string _folder = Daemon.NewFolder();

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public void The_package_is_made_and_lintian_finds_nothing()
    {
        Requires.Machine();
        Requires.Programs("dpkg-buildpackage", "dh", "lintian");
        // The programs under test, in a folder of the package's own.
        foreach (var program in new[] { Built.Daemon, Built.Control })
            File.Copy(program, Path.Combine(_folder, Path.GetFileName(program)));
        var made = Command.RunFor(300, "env", $"TMEM_OUT={_folder}", Path.Combine(Built.Repository, "scripts/package"));
        Assert.True(made.Code == 0, made.All);
        var package = Assert.Single(Directory.GetFiles(_folder, "tmem_*.deb"));
        var content = Command.Run("dpkg-deb", "--contents", package).Succeeds().Output;
        foreach (var file in new[] { "usr/sbin/tmemd", "usr/bin/tmemctl", "usr/lib/tmem/tmem.toml", "etc/tmem/tmem.d/",
            "lib/systemd/system/tmemd.service", "lib/systemd/system/tmemd-settings.service",
            "lib/systemd/system/tmem-metrics.service",
            "usr/share/tmem/grafana/tmem.json", "usr/share/tmem/prometheus/tmem.rules.yml", "usr/sbin/mount.tmem ->",
            "usr/share/bash-completion/completions/tmemctl", "usr/share/man/man8/tmemctl.8.gz",
            "usr/share/doc/tmem/copyright" })
            Assert.Contains($" ./{file}", content, StringComparison.Ordinal);
        // Regions are for root alone.
        Assert.Matches(@"(?m)^drwx------ root/root .* \./var/lib/tmem/$", content);
        // Nothing is started or enabled by its installation.
        var control = Path.Combine(_folder, "control");
        Command.Run("dpkg-deb", "--control", package, control).Succeeds();
        var postinst = File.ReadAllText(Path.Combine(control, "postinst"));
        Assert.DoesNotContain("deb-systemd-invoke start", postinst, StringComparison.Ordinal);
        Assert.DoesNotContain("deb-systemd-invoke $_dh_action", postinst, StringComparison.Ordinal);
        foreach (var script in new[] { "postinst", "prerm", "postrm" })
            Command.Run("sh", "-n", Path.Combine(control, script)).Succeeds();
    }

    [Fact]
    public void Its_removal_stops_the_daemons_of_its_program_alone_and_leaves_what_is_others()
    {
        Requires.Machine();
        Requires.Programs("unshare");
        var run = Directory.CreateDirectory(Path.Combine(_folder, "run/tmem")).FullName;
        foreach (var other in (string[])["etc/tmem", "lib/tmem"]) Directory.CreateDirectory(Path.Combine(_folder, other));
        using var own = Listener("own");
        using var others = Listener("mount-others");
        foreach (var log in (string[])["mount-own.log", "mount-others.log", "their.log"])
            File.WriteAllText(Path.Combine(run, log), "");
        var (calls, fake) = (Path.Combine(_folder, "calls"), Path.Combine(_folder, "tmemctl"));
        File.WriteAllText(fake, "#!/bin/sh\n"
            + "case \"$*\" in */own.sock\\ status*) echo '\"program\": \"/usr/sbin/tmemd\"' ;;\n"
            + "*status*) echo '\"program\": \"/usr/local/sbin/tmemd\"' ;;\n"
            + $"*) echo \"$*\" >> {calls} ;;\nesac\n");
        Command.Run("chmod", "0755", fake).Succeeds();
        // The scripts know absolute paths: they are given others of the test's own, which end with their namespace.
        Outcome Script(string name, string argument) => Command.RunFor(60, "unshare", "--mount", "--propagation", "private", "sh",
            "-ec", $"mount --bind {_folder}/run /run; mount --bind {_folder}/lib /var/lib; "
            + $"cp {Path.Combine(Built.Repository, "packaging/debian", name)} {_folder}/script; "
            + $"mount --bind {_folder}/etc /etc; PATH={_folder}:$PATH; sh {_folder}/script {argument}").Succeeds();

        Script("tmem.prerm", "remove");
        Assert.Equal(["--socket /run/tmem/own.sock stop --swap-off"], File.ReadAllLines(calls));
        own.Dispose();
        File.Delete(Path.Combine(run, "own.sock"));
        Script("tmem.postrm", "purge");
        Assert.False(Path.Exists(Path.Combine(_folder, "etc/tmem")) || Path.Exists(Path.Combine(_folder, "lib/tmem")));
        Assert.Equal(["mount-others.log", "mount-others.sock", "their.log"],
            Directory.GetFileSystemEntries(run).Select(Path.GetFileName).Order(StringComparer.Ordinal));
        Directory.Delete(run, recursive: true);
        Directory.CreateDirectory(run);
        // A region is somebody's data, of which there may be no other copy.
        var region = Path.Combine(Directory.CreateDirectory(Path.Combine(_folder, "lib/tmem")).FullName, "region");
        File.WriteAllText(region, "pages");
        Assert.Contains("tmem: /var/lib/tmem is kept", Script("tmem.postrm", "purge").Output, StringComparison.Ordinal);
        Assert.Equal("pages", File.ReadAllText(region));
        Assert.False(Path.Exists(run));

        Socket Listener(string name)
        {
            var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
            socket.Bind(new UnixDomainSocketEndPoint(Path.Combine(run, name + ".sock")));
            return socket;
        }
    }

    [Fact]
    public void The_units_are_such_as_systemd_understands()
    {
        Requires.Machine();
        Requires.Programs("systemd-analyze");
        var units = Directory.GetFiles(Path.Combine(Built.Repository, "packaging/systemd"), "*.service").Select(unit =>
        {
            var copy = Path.Combine(_folder, Path.GetFileName(unit));
            File.WriteAllText(copy, File.ReadAllText(unit).Replace("/usr/sbin/tmemd", Built.Daemon, StringComparison.Ordinal)
                .Replace("/usr/bin/tmemctl", Built.Control, StringComparison.Ordinal));
            return copy;
        });
        var verified = Command.Run("systemd-analyze", ["verify", "--man=no", .. units]);
        Assert.True(verified.Code == 0 && verified.All.Trim().Length == 0, verified.All);
    }
}
