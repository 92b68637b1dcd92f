using System.Text;
using System.Text.RegularExpressions;

namespace Tmem.Manuals.Tests.Pages;

/// <summary>Plain text as troff with the macros of man(7).</summary>
internal static partial class Roff
{
    private const int Width = 78;

    /// <summary>A text in lines, each sentence beginning one of its own; options in bold.</summary>
    public static string Paragraph(string text)
    {
        var lines = new StringBuilder();
        var line = "";
        foreach (var word in text.Split([' ', '\n'], StringSplitOptions.RemoveEmptyEntries))
        {
            var endsSentence = line.Length > 0 && SentenceEnd().IsMatch(line);
            if (line.Length > 0 && (endsSentence || line.Length + 1 + word.Length > Width))
            {
                lines.Append(Line(line)).Append('\n');
                line = "";
            }
            line = line.Length == 0 ? word : $"{line} {word}";
        }
        return lines.Append(Line(line)).Append('\n').ToString();
    }

    /// <summary>An item of a list, and what it is.</summary>
    public static string Item(string tag, string text) => $".TP\n{tag}\n{Paragraph(text)}";

    public static string Bold(string text) => $@"\fB{Escape(text)}\fR";

    public static string Italic(string text) => $@"\fI{Escape(text)}\fR";

    /// <summary>Text with nothing in it that troff would take for an order, and signs that stay what they are.</summary>
    public static string Escape(string text)
    {
        var escaped = new StringBuilder();
        foreach (var letter in text)
            escaped.Append(letter switch
            {
                '\\' => @"\e",
                '-' => @"\-",
                '\'' => @"\(aq",
                '"' => @"\(dq",
                '`' => @"\(ga",
                '^' => @"\(ha",
                '~' => @"\(ti",
                '…' => "...",
                _ => char.IsAscii(letter) ? letter.ToString()
                    : throw new ArgumentException($"'{letter}' has no place in a manual: {text}"),
            });
        return escaped.ToString();
    }

    private static string Line(string words)
    {
        var text = OptionWord().Replace(Escape(words), @"\fB$0\fR");
        return text.StartsWith('.') ? @"\&" + text : text;
    }

    [GeneratedRegex(@"[a-zA-Z0-9)\]'""*][.?!]$")]
    private static partial Regex SentenceEnd();

    /// <summary>As it looks after the escapes.</summary>
    [GeneratedRegex(@"(?<![\w\\-])\\-\\-[a-z]+(\\-[a-z]+)*")]
    private static partial Regex OptionWord();
}
