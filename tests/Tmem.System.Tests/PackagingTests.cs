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
