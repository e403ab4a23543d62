// The byte-level alphabet: one printable character for each of the 256 bytes.
// Source: GPT-2's encoder (Radford et al. 2019): printable Latin-1 stands for itself, the rest follows from U+0100 on.
using System.Text;

namespace Rt.Formats.Tokenizers;

internal static class ByteAlphabet
{
    private static readonly char[] CharOfByte = MakeChars();
    private static readonly short[] ByteOfChar = MakeBytes();

    /// <summary>The character that stands for a byte.</summary>
    public static char ToChar(byte value) => CharOfByte[value];

    /// <summary>The byte that a character stands for, or -1.</summary>
    public static int ToByte(char value) => value < ByteOfChar.Length ? ByteOfChar[value] : -1;

    /// <summary>Turns a piece into the bytes it stands for; false if a character is not of the alphabet.</summary>
    public static bool TryToBytes(ReadOnlySpan<char> piece, SpanList<byte> output)
    {
        int start = output.Count;
        foreach (char c in piece)
        {
            int value = ToByte(c);
            if (value < 0)
            {
                output.Truncate(start);
                return false;
            }

            output.Add((byte)value);
        }

        return true;
    }

    /// <summary>Writes the alphabet's character (in UTF-8) for each byte of the text.</summary>
    public static void Map(ReadOnlySpan<byte> text, SpanList<byte> output)
    {
        foreach (byte value in text)
        {
            UnicodeText.Append(output, CharOfByte[value]);
        }
    }

    /// <summary>The bytes a piece adds to a decoded text: those it stands for, else its own UTF-8.</summary>
    public static void AppendBytes(string piece, SpanList<byte> output)
    {
        if (!TryToBytes(piece, output))
        {
            Encoding.UTF8.GetBytes(piece, output.Extend(Encoding.UTF8.GetByteCount(piece)));
        }
    }

    private static char[] MakeChars()
    {
        var table = new char[256];
        int next = 256;
        for (int value = 0; value < 256; value++)
        {
            bool printable = value is (>= '!' and <= '~') or (>= 0xA1 and <= 0xAC) or (>= 0xAE and <= 0xFF);
            table[value] = (char)(printable ? value : next++);
        }

        return table;
    }

    private static short[] MakeBytes()
    {
        var table = new short[CharOfByte.Max() + 1];
        Array.Fill(table, (short)-1);
        for (int value = 0; value < 256; value++)
        {
            table[CharOfByte[value]] = (short)value;
        }

        return table;
    }
}
