// How names and paths that come out of untrusted files appear in one-line error messages.
using System.Text;

namespace Rt.Formats;

/// <summary>Quotes text from files for messages: one line, printable, of bounded length.</summary>
internal static class MessageText
{
    private const int MaxLength = 120;

    /// <summary><paramref name="text"/> in single quotes; control characters are escaped and long text is cut.</summary>
    public static string Quote(ReadOnlySpan<char> text)
    {
        var builder = new StringBuilder("'");
        foreach (var c in text[..Math.Min(text.Length, MaxLength)])
        {
            if (char.IsControl(c) || char.IsSurrogate(c) || c is '\u2028' or '\u2029' or (>= '\u202A' and <= '\u202E'))
            {
                builder.Append($"\\u{(int)c:x4}");
            }
            else
            {
                builder.Append(c);
            }
        }

        return builder.Append(text.Length > MaxLength ? "...'" : "'").ToString();
    }

    /// <summary>Quotes text given as UTF-8; malformed bytes appear as U+FFFD.</summary>
    public static string Quote(ReadOnlySpan<byte> utf8) =>
        Quote(Encoding.UTF8.GetString(utf8[..Math.Min(utf8.Length, 4 * MaxLength)]).AsSpan());

    /// <summary>A shape as text, e.g. [2, 3]; the first eight sizes of longer ones.</summary>
    public static string Shape(ReadOnlySpan<long> shape) =>
        $"[{string.Join(", ", shape[..Math.Min(shape.Length, 8)].ToArray())}{(shape.Length > 8 ? ", ..." : "")}]";
}
