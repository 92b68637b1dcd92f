using System.Text;

namespace Tmem.Benchmarks.Corpus;

/// <summary>Writes a C translation unit large enough that the compiler's memory is worth reading.</summary>
internal static class CSource
{
    private static readonly string[] Types = ["int", "unsigned", "long", "double", "unsigned char", "short"];
    private static readonly string[] Verbs =
        ["open", "close", "scan", "merge", "split", "rank", "pack", "parse", "route", "probe"];
    private static readonly string[] Nouns =
        ["packet", "ledger", "window", "branch", "cursor", "bucket", "segment", "record", "queue", "symbol"];

    /// <summary>A unit of so many functions, each of its own shape, drawn from the seed.</summary>
    public static string Write(int functions, Random random)
    {
        var text = new StringBuilder("""
            #include <ctype.h>
            #include <math.h>
            #include <stdint.h>
            #include <stdio.h>
            #include <stdlib.h>
            #include <string.h>
            #include <time.h>
            #include <unistd.h>

            """);
        for (var number = 0; number < functions; number++)
        {
            if (number % 8 == 0) Structure(text, number / 8, random);
            Function(text, number, random);
        }
        return text.ToString();
    }

    private static string Pick(string[] words, Random random) => words[random.Next(words.Length)];

    private static void Structure(StringBuilder text, int number, Random random)
    {
        text.Append($"struct s{number} {{ ");
        for (var field = 0; field < 6; field++) text.Append($"{Pick(Types, random)} {Pick(Nouns, random)}_{field}; ");
        text.Append($"struct s{number} *next; char name[{8 << random.Next(4)}]; }};\n");
    }

    private static void Function(StringBuilder text, int number, Random random)
    {
        var name = $"{Pick(Verbs, random)}_{Pick(Nouns, random)}_{number}";
        text.Append($"/* Walks the {Pick(Nouns, random)} and returns what it {Pick(Verbs, random)}s. */\n");
        text.Append($"long {name}(struct s{number / 8} *list, const {Pick(Types, random)} *data, size_t count, char *out)\n{{\n");
        text.Append(
            $"    long total = {random.Next(1000)}, "
                + $"table[{4 << random.Next(4)}] = {{ {random.Next(99)}, {random.Next(99)} }};\n");
        for (var statement = random.Next(3, 9); statement > 0; statement--) text.Append(Statement(random));
        text.Append($"    sprintf(out, \"{Pick(Verbs, random)} %ld of {Pick(Nouns, random)} {random.Next(9999)}\\n\", total);\n");
        text.Append("    return total;\n}\n\n");
    }

    private static string Statement(Random random) => random.Next(5) switch
    {
        0 => $"    for (size_t i = 0; i < count; i++) total += (long)data[i] * {random.Next(2, 99)} ^ table[i % 4];\n",
        1 => $"    while (list) {{ total ^= (long)strlen(list->name) << {random.Next(1, 20)}; list = list->next; }}\n",
        2 =>
            $"    switch (total % {random.Next(3, 9)}) {{ case 0: total += {random.Next(999)}; break; case 1: table[1] = total; "
            + "break; "
            + $"case 2: total /= {random.Next(2, 9)}; default: table[2]++; }}\n",
        3 => $"    if (count > {random.Next(500)} && isalpha(out[0])) {{ memset(out, {random.Next(256)}, {random.Next(1, 64)}); "
            + $"total -= table[{random.Next(4)}]; }}\n",
        _ =>
            $"    total += (long)(sqrt((double)total + {random.Next(999)}) * {random.Next(1, 50)}.{random.Next(10)}) + "
            + "table[total & 3];\n",
    };
}
