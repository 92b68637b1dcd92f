namespace Tmem.Fuse.Keeper;

/// <summary>Describes how a worker ended.</summary>
internal static class DeathWords
{
    /// <summary>The cause, before its number: "was killed by SIGKILL", "ended with exit code".</summary>
    public static string Cause(in WorkerDeath death) => death switch
    {
        { Number: < 0 } => "ended, how is not known (it was another keeper's child)",
        { BySignal: 0 } => "ended by itself, exit code",
        _ => death.Number switch
        {
            1 => "was killed by SIGHUP",
            2 => "was killed by SIGINT",
            3 => "was killed by SIGQUIT",
            4 => "was killed by SIGILL",
            6 => "was killed by SIGABRT",
            7 => "was killed by SIGBUS",
            8 => "was killed by SIGFPE",
            9 => "was killed by SIGKILL (the out-of-memory killer sends it too)",
            11 => "was killed by SIGSEGV",
            15 => "was killed by SIGTERM",
            _ => "was killed by signal",
        },
    };

    /// <summary>Appends the cause to a line of the keeper's log: "ended by itself, exit code 1".</summary>
    public static void AppendCauseTo(ref KeeperLine line, in WorkerDeath death)
    {
        line.AppendFormatted(Cause(in death));
        if (death.Number < 0 || (death.BySignal != 0 && !Cause(in death).EndsWith("signal", StringComparison.Ordinal))) return;
        line.AppendLiteral(" ");
        line.AppendFormatted(death.Number);
    }

    /// <summary>Appends cause and circumstances to a line of the keeper's log.</summary>
    public static void AppendTo(ref KeeperLine line, in WorkerDeath death)
    {
        AppendCauseTo(ref line, in death);
        if (death.HadServed == 0)
        {
            line.AppendLiteral(" before it served");
            return;
        }
        line.AppendLiteral(" after serving ");
        line.AppendFormatted(death.ServedMilliseconds / 1000);
        line.AppendLiteral(".");
        line.AppendFormatted(death.ServedMilliseconds % 1000, "D3");
        line.AppendLiteral(" s");
    }

    /// <summary>The same as a string.</summary>
    public static string Describe(in WorkerDeath death)
    {
        var line = new KeeperLine(0, 0);
        line.AppendLiteral("process ");
        line.AppendFormatted(death.Process);
        line.AppendLiteral(" ");
        AppendTo(ref line, in death);
        return System.Text.Encoding.UTF8.GetString(line.Text);
    }
}
