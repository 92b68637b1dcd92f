namespace Tmem.Control.Messages;

/// <summary>
/// The management API in one place: JSON-RPC 2.0 over a Unix stream socket, one message a line, UTF-8. Batches are not served: a
/// line is a request. A request is not begun if its peer has already hung up: a client that sends one and closes at once, without
/// reading the answer, asks for nothing. HTTP was considered and measured: a web server costs the daemon 23 MB more of locked
/// memory than these lines do.
/// </summary>
internal static class ControlProtocol
{
    /// <summary>The default socket.</summary>
    public const string DefaultSocket = "/run/tmem/tmemd.sock";

    /// <summary>Longest path of a Unix socket, in bytes.</summary>
    public const int LongestSocketPath = 107;

    /// <summary>Longest request line in bytes, newline excluded. Replies may be longer (a list of 1024 pools).</summary>
    public const int MaximumRequest = 64 * 1024;

    /// <summary>Most session threads.</summary>
    public const int MaximumThreads = 64;

    /// <summary>Most pools of a store: the region's table has so many entries.</summary>
    public const int MaximumPools = 832;

    /// <summary>Least capacity of a store, in bytes.</summary>
    public const long SmallestCapacity = 1L << 20;

    /// <summary>
    /// The best compression to expect of a whole machine's pages: a swap device larger than this times the capacity is a slip of
    /// the hand, or deliberate (docs/swap.md).
    /// </summary>
    public const int LikelyRatio = 10;

    /// <summary>The name of a swap file in its pool, and of the attribute of pool and file that is its mark.</summary>
    public const string SwapFile = "swapfile", SwapMark = "trusted.tmem.swap";

    /// <summary>Least limit of a pool, in bytes; 0 is none.</summary>
    public const long SmallestLimit = 64 * 1024;

    /// <summary>Bytes of a page of a pool of files.</summary>
    public const int PageSize = 4096;

    /// <summary>Bytes of the smallest and the largest page that the engine has.</summary>
    public const int LeastPageSize = 4096, MostPageSize = 64 * 1024;

    /// <summary>The highest weight of a client.</summary>
    public const int MaximumWeight = ushort.MaxValue;

    /// <summary>Largest file of a store, and so the largest swap device, in bytes.</summary>
    public const long LargestFile = 1L << 44;

    /// <summary>Longest time until a change is written to the region's file, in seconds.</summary>
    public const int MaximumSync = 86_400;

    /// <summary>Longest polling before a thread sleeps, in microseconds.</summary>
    public const int MaximumSpin = 10_000;

    /// <summary>
    /// Polling of a daemon that was told nothing. With one processor, a polling thread only keeps its client from running.
    /// </summary>
    public static int UsualSpin => Environment.ProcessorCount > 1 ? 100 : 0;

    /// <summary>Whether a region, as <see cref="StatusReply.Region"/> names it, is a file.</summary>
    public static bool IsFile(string region) => region.StartsWith('/');

    /// <summary>Longest reply line a client accepts, in bytes.</summary>
    public const int MaximumReply = 8 * 1024 * 1024;
}

/// <summary>The methods. Parameters and results are the types named.</summary>
internal static class ControlMethod
{
    /// <summary>() -> <see cref="StatusReply"/>.</summary>
    public const string Status = "status";
    /// <summary>() -> <see cref="PoolListReply"/>.</summary>
    public const string PoolList = "pool.list";
    /// <summary>() -> <see cref="MetricsReply"/>.</summary>
    public const string Metrics = "metrics";
    /// <summary><see cref="PoolNameParameters"/> -> <see cref="PoolReply"/>.</summary>
    public const string PoolShow = "pool.show";
    /// <summary><see cref="PoolCreateParameters"/> -> <see cref="PoolReply"/>.</summary>
    public const string PoolCreate = "pool.create";
    /// <summary>
    /// <see cref="PoolReserveParameters"/> -> <see cref="PoolReply"/>: <see cref="PoolSet"/> as earlier versions had it.
    /// </summary>
    public const string PoolReserve = "pool.reserve";
    /// <summary><see cref="PoolSetParameters"/> -> <see cref="PoolSetReply"/>.</summary>
    public const string PoolSet = "pool.set";
    /// <summary><see cref="PoolNameParameters"/> -> <see cref="PoolEmptyReply"/>.</summary>
    public const string PoolEmpty = "pool.empty";
    /// <summary><see cref="PoolNameParameters"/> -> <see cref="PoolRecompressReply"/>.</summary>
    public const string PoolRecompress = "pool.recompress";
    /// <summary><see cref="ResizeParameters"/> -> <see cref="RoomReply"/>.</summary>
    public const string Resize = "resize";
    /// <summary><see cref="ShrinkParameters"/> -> <see cref="RoomReply"/>.</summary>
    public const string Shrink = "shrink";
    /// <summary>() -> <see cref="RoomReply"/>.</summary>
    public const string Compact = "compact";
    /// <summary>() -> <see cref="SyncReply"/>.</summary>
    public const string Sync = "sync";
    /// <summary>() -> <see cref="ClientListReply"/>.</summary>
    public const string ClientList = "client.list";
    /// <summary><see cref="ClientSetParameters"/> -> <see cref="ClientFigures"/>.</summary>
    public const string ClientSet = "client.set";
    /// <summary><see cref="PoolDestroyParameters"/> -> <see cref="PoolDestroyReply"/>.</summary>
    public const string PoolDestroy = "pool.destroy";
    /// <summary>() -> <see cref="CheckReply"/>.</summary>
    public const string Check = "check";
    /// <summary><see cref="StopParameters"/> or nothing -> <see cref="StopReply"/>.</summary>
    public const string Stop = "stop";
    /// <summary><see cref="UpgradeParameters"/> -> <see cref="UpgradeReply"/>.</summary>
    public const string Upgrade = "upgrade";
    /// <summary>() -> <see cref="AdoptReply"/>.</summary>
    public const string Adopt = "adopt";

    /// <summary>Whether a method tells figures, and does nothing: the socket's group may call it.</summary>
    public static bool IsOfFigures(string method) => method is Status or Metrics or PoolList or PoolShow or ClientList;

    /// <summary>Whether a method changes anything: for such a method it matters whether it was begun.</summary>
    public static bool Changes(string method) => method is PoolCreate or PoolReserve or PoolSet or PoolEmpty or PoolRecompress
        or PoolDestroy or Resize or Shrink or Compact or Sync or ClientSet or Stop or Upgrade or Adopt;
}

/// <summary>Error codes: those of JSON-RPC 2.0, and the daemon's own from -32000 downwards.</summary>
internal static class ControlErrorCode
{
    /// <summary>The line is not JSON.</summary>
    public const int Parse = -32700;
    /// <summary>JSON, but not a request; or a line beyond <see cref="ControlProtocol.MaximumRequest"/>.</summary>
    public const int InvalidRequest = -32600;
    /// <summary>No such method.</summary>
    public const int MethodNotFound = -32601;
    /// <summary>Parameters missing, unknown, of the wrong type or out of range.</summary>
    public const int InvalidParameters = -32602;
    /// <summary>A fault of the daemon's own.</summary>
    public const int Internal = -32603;
    /// <summary>The peer may not do this: only root and the daemon's own user may change anything.</summary>
    public const int NotPermitted = -32001;
    /// <summary>The named thing does not exist.</summary>
    public const int NotFound = -32002;
    /// <summary>The named thing exists already.</summary>
    public const int Exists = -32003;
    /// <summary>The pool holds files.</summary>
    public const int NotEmpty = -32004;
    /// <summary>The named thing is in use, or a check is running already.</summary>
    public const int Busy = -32005;
    /// <summary>The store has no room for it.</summary>
    public const int NoRoom = -32006;
    /// <summary>The daemon declines to stop.</summary>
    public const int StopRefused = -32007;
    /// <summary>The new worker did not get ready, and the old one serves on.</summary>
    public const int UpgradeRefused = -32009;
    /// <summary>No keeper could be started.</summary>
    public const int NotAdopted = -32010;
    /// <summary>Too many requests at once.</summary>
    public const int TooManyConnections = -32008;
    /// <summary>Nothing was begun, because one worker gives way to another: whoever asks again is answered by either.</summary>
    public const int NotBegun = -32011;
}
