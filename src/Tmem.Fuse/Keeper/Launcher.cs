using System.Collections;
using System.Globalization;
using System.Runtime.InteropServices;
using System.Text;
using Tmem.Fuse.Native;

namespace Tmem.Fuse.Keeper;

/// <summary>The role of a process of tmemd.</summary>
internal enum Role
{
    /// <summary>Started by a user: makes everything, then becomes the keeper.</summary>
    Founder,
    /// <summary>Serves the mount.</summary>
    Worker,
    /// <summary>Gets ready beside a worker that serves, and takes over from it.</summary>
    Successor,
    /// <summary>Replaces the dead keeper of a living worker.</summary>
    Adopter,
}

/// <summary>
/// Starts processes of tmemd with the descriptors they inherit. Arguments and environment are ready in native memory, with a few
/// digits to fill in, because a worker is started while the swap device that would provide memory is not served.
/// <para>The program's own command line is passed on, for people to read; a process reads two variables: role, handover page and
/// link, and the <see cref="Tenure"/>'s term.</para>
/// </summary>
internal sealed unsafe class Launcher
{
    /// <summary>"worker 0000000012 0000000034": the role, and the descriptors of the handover page and the link.</summary>
    public const string RoleVariable = "TMEMD_ROLE";

    /// <summary>The term that a process is started in: a variable of its own, because an earlier program has none.</summary>
    public const string TermVariable = "TMEMD_TERM";

    private const int Digits = 10;
    private const int RoleLetters = 9;
    private const int MostInherited = 11 + HandoverPage.MaximumDevices;

    private readonly Handover _handover;
    private readonly SignalSet _blocked = DaemonSignals.Blocked;
    private readonly byte** _arguments;
    private readonly byte** _environment;
    private readonly byte* _role;
    private readonly byte* _program;
    private readonly byte* _actions = (byte*)NativeMemory.AllocZeroed(NativeProcess.SpawnStructBytes);
    private readonly byte* _attributes = (byte*)NativeMemory.AllocZeroed(NativeProcess.SpawnStructBytes);
    private readonly SignalSet* _mask = (SignalSet*)NativeMemory.AllocZeroed((nuint)sizeof(SignalSet));

    public Launcher(Handover handover)
    {
        _handover = handover;
        _arguments = Strings(File.ReadAllText("/proc/self/cmdline").TrimEnd('\0').Split('\0'));
        _role = String($"{RoleVariable}={new string(' ', RoleLetters)} {new string('0', Digits)} {new string('0', Digits)}");
        _environment = Environment(_role, handover.Term);
        _program = String("/proc/self/fd/" + new string('0', Digits));
        _ = NativeProcess.posix_spawnattr_init(_attributes);
    }

    /// <summary>The role of this process, the descriptors that it inherited for it, and the term it was started in.</summary>
    public static Role RoleOf(out int handover, out Link keeper, out int term)
    {
        (handover, keeper) = (-1, Link.None);
        if (!int.TryParse(System.Environment.GetEnvironmentVariable(TermVariable), CultureInfo.InvariantCulture, out term))
            term = Tenure.Unknown;
        var words = System.Environment.GetEnvironmentVariable(RoleVariable)?.Split(' ', StringSplitOptions.RemoveEmptyEntries);
        if (words is not { Length: 3 } || !int.TryParse(words[1], CultureInfo.InvariantCulture, out handover)
            || !int.TryParse(words[2], CultureInfo.InvariantCulture, out var line)) return Role.Founder;
        keeper = new Link(line);
        return words[0] switch { "worker" => Role.Worker, "successor" => Role.Successor, "adopter" => Role.Adopter,
            _ => Role.Founder };
    }

    /// <summary>Sets close-on-exec on inherited descriptors.</summary>
    public static void Close(Handover handover, Link line)
    {
        foreach (var descriptor in Inherited(handover, line, stackalloc int[MostInherited]))
            if (descriptor >= 0) _ = NativeProcess.fcntl(descriptor, NativeProcess.F_SETFD, NativeProcess.FD_CLOEXEC);
    }

    /// <summary>What a process is started with: the page, its end of the link, and what the page lists; -1 for none.</summary>
    private static ReadOnlySpan<int> Inherited(Handover handover, Link line, Span<int> room)
    {
        ref var page = ref handover.Page;
        ReadOnlySpan<int> named =
        [
            handover.Descriptor, line.Descriptor, page.Region, page.RegionFile, page.Listener, page.Buffers, page.LogEnd,
            page.LogBegin, page.LogTarget, page.Current.Program,
            page.Proposed.Program == page.Current.Program ? -1 : page.Proposed.Program,
        ];
        named.CopyTo(room);
        for (var i = 0; i < page.DeviceCount; i++) room[named.Length + i] = page.Devices[i];
        return room[..(named.Length + page.DeviceCount)];
    }

    /// <summary>
    /// Starts a process in a group of its own, so that a terminal's Ctrl-C reaches only the keeper; signals are blocked in it
    /// from its first instruction.
    /// </summary>
    /// <param name="role">Its role.</param>
    /// <param name="program">The descriptor of the program.</param>
    /// <param name="line">Its end of the link to this process.</param>
    /// <param name="process">Its number.</param>
    public Errno Start(Role role, int program, Link line, out int process)
    {
        FillRole(role, line);
        WriteNumber(_program + "/proc/self/fd/".Length, program);
        *_mask = _blocked;
        _ = NativeProcess.posix_spawnattr_setsigmask(_attributes, _mask);
        _ = NativeProcess.posix_spawnattr_setflags(_attributes,
            NativeProcess.POSIX_SPAWN_SETSIGMASK | NativeProcess.POSIX_SPAWN_SETPGROUP);
        _ = NativeProcess.posix_spawn_file_actions_init(_actions);
        foreach (var descriptor in Inherited(_handover, line, stackalloc int[MostInherited])) Inherit(descriptor);
        int started;
        var error = (Errno)NativeProcess.posix_spawn(&started, _program, _actions, _attributes, _arguments, _environment);
        _ = NativeProcess.posix_spawn_file_actions_destroy(_actions);
        process = error == Errno.Ok ? started : 0;
        return error;
    }

    /// <summary>Duplicating a descriptor onto itself is posix_spawn's way to let the child inherit it.</summary>
    private void Inherit(int descriptor)
    {
        if (descriptor >= 0) _ = NativeProcess.posix_spawn_file_actions_adddup2(_actions, descriptor, descriptor);
    }

    private void FillRole(Role role, Link line)
    {
        var name = role switch { Role.Worker => "worker   "u8, Role.Successor => "successor"u8, _ => "adopter  "u8 };
        var at = _role + RoleVariable.Length + 1;
        name.CopyTo(new Span<byte>(at, RoleLetters));
        WriteNumber(at + RoleLetters + 1, _handover.Descriptor);
        WriteNumber(at + RoleLetters + 1 + Digits + 1, line.Descriptor);
    }

    /// <summary>
    /// A path of a descriptor in /proc has no leading zeros, so the digits are followed by the end of the string, or by blanks.
    /// </summary>
    private static void WriteNumber(byte* at, int number)
    {
        var room = new Span<byte>(at, Digits);
        // The character behind the field is the string's end or the blank before the next word.
        room.Fill(at[Digits]);
        System.Buffers.Text.Utf8Formatter.TryFormat(number, room, out _);
    }

    private static byte** Environment(byte* role, int term)
    {
        var variables = new List<string>();
        foreach (DictionaryEntry variable in System.Environment.GetEnvironmentVariables())
            if ((string)variable.Key is var key && key is not (RoleVariable or TermVariable)
                && !InheritedDescriptors.IsAbout(key)) variables.Add($"{variable.Key}={variable.Value}");
        variables.Add(string.Create(CultureInfo.InvariantCulture, $"{TermVariable}={term}"));
        var strings = Strings([.. variables, ""]);
        strings[variables.Count] = role;
        return strings;
    }

    /// <summary>An array of C strings with a null at the end. Never freed: it is needed as long as the process lives.</summary>
    private static byte** Strings(string[] texts)
    {
        var strings = (byte**)NativeMemory.AllocZeroed((nuint)(texts.Length + 1), (nuint)sizeof(byte*));
        for (var i = 0; i < texts.Length; i++) strings[i] = String(texts[i]);
        return strings;
    }

    private static byte* String(string text)
    {
        var length = Encoding.UTF8.GetByteCount(text);
        var start = (byte*)NativeMemory.AllocZeroed((nuint)length + 1);
        Encoding.UTF8.GetBytes(text, new Span<byte>(start, length));
        return start;
    }
}
