namespace Tmem.Ctl.Tests;

/// <summary>A daemon and a kernel of a few lines each, for the commands of swap.</summary>
public abstract class SwapTests : IDisposable
{
    private protected const string Key = "swap/swapfile";

    // The free part of 1 GiB, less 1 MiB, in pages of 4160 bytes.
    private protected const long Sure = ((1L << 30) - (256L << 20) - (1L << 20)) / 4160 * 4096;

    private protected readonly FakeServer _server = new();
    private protected readonly FakeSwapSystem _system;

    protected SwapTests() => _system = new FakeSwapSystem { Life = _server.Life };

    private protected string Tmemctl => $"tmemctl --socket {_server.SocketPath}";

    private protected string SwapPath => $"{_server.Mount}/{Key}";

    public void Dispose()
    {
        _server.Dispose();
        GC.SuppressFinalize(this);
    }

    private protected Outcome Run(params string[] arguments) => Ctl.Run(_system, _server.SocketPath, arguments);
}
