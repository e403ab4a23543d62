// A fast hash of short byte strings for the word cache and the piece table.
// Source: own; the multiply-and-fold step is that of wyhash (Wang Yi, public domain).
using System.Buffers.Binary;

namespace Rt.Formats.Tokenizers;

internal static class ByteHash
{
    // Drawn anew in each process: no file can be made to collide. Results never depend on it.
    private static readonly ulong Seed = (ulong)Random.Shared.NextInt64();

    public static ulong Of(ReadOnlySpan<byte> key)
    {
        ulong hash = Seed ^ ((ulong)key.Length * 0x9E3779B97F4A7C15UL);
        while (key.Length > 8)
        {
            hash = Fold(hash ^ BinaryPrimitives.ReadUInt64LittleEndian(key), 0xA0761D6478BD642FUL);
            key = key[8..];
        }

        ulong tail = 0;
        if (key.Length == 8)
        {
            tail = BinaryPrimitives.ReadUInt64LittleEndian(key);
        }
        else if (key.Length >= 4)
        {
            tail = BinaryPrimitives.ReadUInt32LittleEndian(key)
                | ((ulong)BinaryPrimitives.ReadUInt32LittleEndian(key[^4..]) << 32);
        }
        else if (key.Length > 0)
        {
            tail = key[0] | ((ulong)key[key.Length >> 1] << 8) | ((ulong)key[^1] << 16);
        }

        return Fold(hash ^ tail, 0xE7037ED1A0B428DBUL);
    }

    private static ulong Fold(ulong a, ulong b)
    {
        ulong high = Math.BigMul(a ^ 0x8EBC6AF09C88C6E3UL, b, out ulong low);
        return high ^ low;
    }
}
