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
}
