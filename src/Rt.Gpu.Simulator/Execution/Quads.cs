// Four by four transposes: vectors of four elements to and from registers of lanes.
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace Rt.Gpu.Simulator.Execution;

internal static unsafe class Quads
{
    /// <summary>Column c of the four rows goes to destination c.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Transpose(uint* row0, uint* row1, uint* row2, uint* row3, uint* to0, uint* to1, uint* to2, uint* to3)
    {
        if (Sse2.IsSupported)
        {
            var r0 = Vector128.Load(row0);
            var r1 = Vector128.Load(row1);
            var r2 = Vector128.Load(row2);
            var r3 = Vector128.Load(row3);
            var low01 = Sse2.UnpackLow(r0, r1).AsUInt64();
            var high01 = Sse2.UnpackHigh(r0, r1).AsUInt64();
            var low23 = Sse2.UnpackLow(r2, r3).AsUInt64();
            var high23 = Sse2.UnpackHigh(r2, r3).AsUInt64();
            Sse2.UnpackLow(low01, low23).AsUInt32().Store(to0);
            Sse2.UnpackHigh(low01, low23).AsUInt32().Store(to1);
            Sse2.UnpackLow(high01, high23).AsUInt32().Store(to2);
            Sse2.UnpackHigh(high01, high23).AsUInt32().Store(to3);
            return;
        }
        for (int c = 0; c < 4; c++)
        {
            uint* to = c == 0 ? to0 : c == 1 ? to1 : c == 2 ? to2 : to3;
            (to[0], to[1], to[2], to[3]) = (row0[c], row1[c], row2[c], row3[c]);
        }
    }

    /// <summary>Eight rows of eight 16-bit elements, at offsets of a memory, become columns one behind the other.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Transpose8(byte* memory, uint* rows, ushort* to)
    {
        if (Sse2.IsSupported)
        {
            var r0 = Vector128.Load((ushort*)(memory + rows[0]));
            var r1 = Vector128.Load((ushort*)(memory + rows[1]));
            var r2 = Vector128.Load((ushort*)(memory + rows[2]));
            var r3 = Vector128.Load((ushort*)(memory + rows[3]));
            var r4 = Vector128.Load((ushort*)(memory + rows[4]));
            var r5 = Vector128.Load((ushort*)(memory + rows[5]));
            var r6 = Vector128.Load((ushort*)(memory + rows[6]));
            var r7 = Vector128.Load((ushort*)(memory + rows[7]));
            var a = Sse2.UnpackLow(r0, r1).AsUInt32();
            var b = Sse2.UnpackLow(r2, r3).AsUInt32();
            var c = Sse2.UnpackLow(r4, r5).AsUInt32();
            var d = Sse2.UnpackLow(r6, r7).AsUInt32();
            Columns(a, b, c, d, (ulong*)to);
            a = Sse2.UnpackHigh(r0, r1).AsUInt32();
            b = Sse2.UnpackHigh(r2, r3).AsUInt32();
            c = Sse2.UnpackHigh(r4, r5).AsUInt32();
            d = Sse2.UnpackHigh(r6, r7).AsUInt32();
            Columns(a, b, c, d, (ulong*)to + 8);
            return;
        }
        for (int row = 0; row < 8; row++)
        {
            for (int column = 0; column < 8; column++)
            {
                to[(8 * column) + row] = ((ushort*)(memory + rows[row]))[column];
            }
        }
    }

    /// <summary>Pairs of rows become four columns.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Columns(Vector128<uint> rows01, Vector128<uint> rows23, Vector128<uint> rows45, Vector128<uint> rows67, ulong* to)
    {
        var low = Sse2.UnpackLow(rows01, rows23).AsUInt64();
        var high = Sse2.UnpackHigh(rows01, rows23).AsUInt64();
        var low2 = Sse2.UnpackLow(rows45, rows67).AsUInt64();
        var high2 = Sse2.UnpackHigh(rows45, rows67).AsUInt64();
        Sse2.UnpackLow(low, low2).Store(to);
        Sse2.UnpackHigh(low, low2).Store(to + 2);
        Sse2.UnpackLow(high, high2).Store(to + 4);
        Sse2.UnpackHigh(high, high2).Store(to + 6);
    }
}
