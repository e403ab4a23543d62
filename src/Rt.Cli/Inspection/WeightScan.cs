// Finds NaN and infinities in stored tensors.
using System.Numerics;
using System.Runtime.InteropServices;
using Rt.Core;
using Rt.Formats;

namespace Rt.Cli.Inspection;

/// <summary>Numbers of a tensor that are not finite.</summary>
/// <param name="NaN">Count of NaN.</param>
/// <param name="Infinite">Count of infinities.</param>
/// <param name="First">Flat index of the first of either; -1 for none.</param>
internal readonly record struct NonFinite(long NaN, long Infinite, long First)
{
    /// <summary>Whether there is any.</summary>
    public bool Any => First >= 0;
}

/// <summary>Scans tensors.</summary>
internal static class WeightScan
{
    private const int PieceBytes = 1 << 24;

    /// <summary>Whether a type can hold NaN or infinities that this scan knows.</summary>
    public static bool Covers(DType type) => type.IsWeight();

    /// <summary>Scans one tensor.</summary>
    /// <param name="file">Its file.</param>
    /// <param name="entry">A tensor of a type that <see cref="Covers"/> names.</param>
    /// <param name="done">Told the bytes scanned.</param>
    /// <param name="cancellation">Noticed between pieces.</param>
    public static NonFinite Scan(SafetensorsFile file, SafetensorsEntry entry, Action<long> done, CancellationToken cancellation)
    {
        var found = new NonFinite(0, 0, -1);
        for (var start = 0L; start < entry.ByteLength; start += PieceBytes)
        {
            cancellation.ThrowIfCancellationRequested();
            var bytes = file.Bytes(entry.Name, start, (int)Math.Min(PieceBytes, entry.ByteLength - start));
            var offset = start / entry.DType.Bytes();
            found = entry.DType switch
            {
                DType.F32 => Scan(MemoryMarshal.Cast<byte, uint>(bytes), 0x7F80_0000u, 0x007F_FFFFu, offset, found),
                DType.F16 => Scan<ushort>(MemoryMarshal.Cast<byte, ushort>(bytes), 0x7C00, 0x03FF, offset, found),
                DType.BF16 => Scan<ushort>(MemoryMarshal.Cast<byte, ushort>(bytes), 0x7F80, 0x007F, offset, found),
                _ => Scan(MemoryMarshal.Cast<byte, ulong>(bytes), 0x7FF0_0000_0000_0000ul, 0x000F_FFFF_FFFF_FFFFul, offset, found),
            };
            done(bytes.Length);
        }

        return found;
    }

    /// <summary>An element is not finite where its exponent is all ones: NaN with a fraction, an infinity without.</summary>
    private static NonFinite Scan<T>(ReadOnlySpan<T> bits, T exponent, T fraction, long offset, NonFinite found)
        where T : unmanaged, IBinaryInteger<T>
    {
        var mask = new Vector<T>(exponent);
        var i = 0;
        while (i < bits.Length)
        {
            if (i + Vector<T>.Count <= bits.Length && !Vector.EqualsAny(new Vector<T>(bits[i..]) & mask, mask))
            {
                i += Vector<T>.Count;
                continue;
            }

            var end = Math.Min(i + Vector<T>.Count, bits.Length);
            for (; i < end; i++)
            {
                if ((bits[i] & exponent) == exponent)
                {
                    var nan = (bits[i] & fraction) != T.Zero;
                    found = new NonFinite(
                        found.NaN + (nan ? 1 : 0), found.Infinite + (nan ? 0 : 1), found.Any ? found.First : offset + i);
                }
            }
        }

        return found;
    }
}
