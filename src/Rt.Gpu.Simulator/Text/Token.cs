// Words of PTX text, with their lines.
// Source: PTX ISA, chapter "Syntax".
namespace Rt.Gpu.Simulator.Text;

internal enum TokenKind
{
    Word,
    Number,
    Quoted,
    Symbol,
    End,
}

internal readonly record struct Token(TokenKind Kind, string Text, int Line)
{
    public bool Is(string symbol) => Kind is TokenKind.Symbol or TokenKind.Word && Text == symbol;

    /// <summary>Splits a module into tokens; comments are left out.</summary>
    public static List<Token> Split(string text)
    {
        var tokens = new List<Token>();
        int line = 1;
        int at = 0;
        while (at < text.Length)
        {
            char c = text[at];
            if (c == '\n')
            {
                line++;
                at++;
            }
            else if (char.IsWhiteSpace(c))
            {
                at++;
            }
            else if (c == '/' && at + 1 < text.Length && text[at + 1] == '/')
            {
                while (at < text.Length && text[at] != '\n')
                {
                    at++;
                }
            }
            else if (c == '/' && at + 1 < text.Length && text[at + 1] == '*')
            {
                int end = text.IndexOf("*/", at + 2, StringComparison.Ordinal);
                if (end < 0)
                {
                    throw new SimulatorException("a comment that starts here does not end", line);
                }
                line += text.AsSpan(at, end - at).Count('\n');
                at = end + 2;
            }
            else if (c == '"')
            {
                int end = text.IndexOf('"', at + 1);
                if (end < 0)
                {
                    throw new SimulatorException("a quoted text that starts here does not end", line);
                }
                tokens.Add(new Token(TokenKind.Quoted, text[(at + 1)..end], line));
                line += text.AsSpan(at, end - at).Count('\n');
                at = end + 1;
            }
            else if (char.IsAsciiDigit(c))
            {
                int start = at;
                while (at < text.Length && (char.IsAsciiLetterOrDigit(text[at]) || text[at] == '.'
                    || (text[at] is '+' or '-' && IsDecimalExponent(text, start, at))))
                {
                    at++;
                }
                tokens.Add(new Token(TokenKind.Number, text[start..at], line));
            }
            else if (IsWordStart(c))
            {
                int start = at++;
                while (at < text.Length && (IsWordStart(text[at]) || char.IsAsciiDigit(text[at])))
                {
                    at++;
                }
                tokens.Add(new Token(TokenKind.Word, text[start..at], line));
            }
            else if (",;{}[]()<>:@!+-|=".Contains(c, StringComparison.Ordinal))
            {
                tokens.Add(new Token(TokenKind.Symbol, c.ToString(), line));
                at++;
            }
            else
            {
                throw new SimulatorException($"character '{c}' has no meaning here", line);
            }
        }
        tokens.Add(new Token(TokenKind.End, "the end of the text", line));
        return tokens;
    }

    private static bool IsWordStart(char c) => char.IsAsciiLetter(c) || c is '_' or '$' or '%' or '.';

    private static bool IsDecimalExponent(string text, int start, int at) =>
        at > start && text[at - 1] is 'e' or 'E' && text.AsSpan(start, at - start).IndexOf('.') > 0;
}
