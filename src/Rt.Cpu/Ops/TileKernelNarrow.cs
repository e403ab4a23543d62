// The register tile where there are 16 registers: four rows of A at a time, twelve accumulators at most.
// The same sums in the same order as the tile of eight rows.
using System.Runtime.CompilerServices;

namespace Rt.Cpu;

internal static unsafe partial class Tile<TW, TV, TSide>
{
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Four3(float* a, nint aStride, float* b, nint bStride, int k, float* c, nint cStride, bool accumulate)
    {
        var r = TSide.RowStride(aStride);
        TV c00 = TW.Zero, c01 = TW.Zero, c02 = TW.Zero;
        TV c10 = TW.Zero, c11 = TW.Zero, c12 = TW.Zero;
        TV c20 = TW.Zero, c21 = TW.Zero, c22 = TW.Zero;
        TV c30 = TW.Zero, c31 = TW.Zero, c32 = TW.Zero;
        if (accumulate)
        {
            c00 = TW.Load(c);
            c01 = TW.Load(c + TW.Count);
            c02 = TW.Load(c + 2 * TW.Count);
            c10 = TW.Load(c + cStride);
            c11 = TW.Load(c + cStride + TW.Count);
            c12 = TW.Load(c + cStride + 2 * TW.Count);
            c20 = TW.Load(c + 2 * cStride);
            c21 = TW.Load(c + 2 * cStride + TW.Count);
            c22 = TW.Load(c + 2 * cStride + 2 * TW.Count);
            c30 = TW.Load(c + 3 * cStride);
            c31 = TW.Load(c + 3 * cStride + TW.Count);
            c32 = TW.Load(c + 3 * cStride + 2 * TW.Count);
        }

        for (var i = 0; i < k; i++)
        {
            var b0 = TW.Load(b);
            var b1 = TW.Load(b + TW.Count);
            var b2 = TW.Load(b + 2 * TW.Count);
            var s = TW.Create(*a);
            c00 = TW.MultiplyAdd(s, b0, c00);
            c01 = TW.MultiplyAdd(s, b1, c01);
            c02 = TW.MultiplyAdd(s, b2, c02);
            s = TW.Create(a[r]);
            c10 = TW.MultiplyAdd(s, b0, c10);
            c11 = TW.MultiplyAdd(s, b1, c11);
            c12 = TW.MultiplyAdd(s, b2, c12);
            s = TW.Create(a[2 * r]);
            c20 = TW.MultiplyAdd(s, b0, c20);
            c21 = TW.MultiplyAdd(s, b1, c21);
            c22 = TW.MultiplyAdd(s, b2, c22);
            s = TW.Create(a[3 * r]);
            c30 = TW.MultiplyAdd(s, b0, c30);
            c31 = TW.MultiplyAdd(s, b1, c31);
            c32 = TW.MultiplyAdd(s, b2, c32);
            a += TSide.Step;
            b += bStride;
        }

        TW.Store(c00, c);
        TW.Store(c01, c + TW.Count);
        TW.Store(c02, c + 2 * TW.Count);
        TW.Store(c10, c + cStride);
        TW.Store(c11, c + cStride + TW.Count);
        TW.Store(c12, c + cStride + 2 * TW.Count);
        TW.Store(c20, c + 2 * cStride);
        TW.Store(c21, c + 2 * cStride + TW.Count);
        TW.Store(c22, c + 2 * cStride + 2 * TW.Count);
        TW.Store(c30, c + 3 * cStride);
        TW.Store(c31, c + 3 * cStride + TW.Count);
        TW.Store(c32, c + 3 * cStride + 2 * TW.Count);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Four2(float* a, nint aStride, float* b, nint bStride, int k, float* c, nint cStride, bool accumulate)
    {
        var r = TSide.RowStride(aStride);
        TV c00 = TW.Zero, c01 = TW.Zero;
        TV c10 = TW.Zero, c11 = TW.Zero;
        TV c20 = TW.Zero, c21 = TW.Zero;
        TV c30 = TW.Zero, c31 = TW.Zero;
        if (accumulate)
        {
            c00 = TW.Load(c);
            c01 = TW.Load(c + TW.Count);
            c10 = TW.Load(c + cStride);
            c11 = TW.Load(c + cStride + TW.Count);
            c20 = TW.Load(c + 2 * cStride);
            c21 = TW.Load(c + 2 * cStride + TW.Count);
            c30 = TW.Load(c + 3 * cStride);
            c31 = TW.Load(c + 3 * cStride + TW.Count);
        }

        for (var i = 0; i < k; i++)
        {
            var b0 = TW.Load(b);
            var b1 = TW.Load(b + TW.Count);
            var s = TW.Create(*a);
            c00 = TW.MultiplyAdd(s, b0, c00);
            c01 = TW.MultiplyAdd(s, b1, c01);
            s = TW.Create(a[r]);
            c10 = TW.MultiplyAdd(s, b0, c10);
            c11 = TW.MultiplyAdd(s, b1, c11);
            s = TW.Create(a[2 * r]);
            c20 = TW.MultiplyAdd(s, b0, c20);
            c21 = TW.MultiplyAdd(s, b1, c21);
            s = TW.Create(a[3 * r]);
            c30 = TW.MultiplyAdd(s, b0, c30);
            c31 = TW.MultiplyAdd(s, b1, c31);
            a += TSide.Step;
            b += bStride;
        }

        TW.Store(c00, c);
        TW.Store(c01, c + TW.Count);
        TW.Store(c10, c + cStride);
        TW.Store(c11, c + cStride + TW.Count);
        TW.Store(c20, c + 2 * cStride);
        TW.Store(c21, c + 2 * cStride + TW.Count);
        TW.Store(c30, c + 3 * cStride);
        TW.Store(c31, c + 3 * cStride + TW.Count);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Four1(float* a, nint aStride, float* b, nint bStride, int k, float* c, nint cStride, bool accumulate)
    {
        var r = TSide.RowStride(aStride);
        TV c00 = TW.Zero;
        TV c10 = TW.Zero;
        TV c20 = TW.Zero;
        TV c30 = TW.Zero;
        if (accumulate)
        {
            c00 = TW.Load(c);
            c10 = TW.Load(c + cStride);
            c20 = TW.Load(c + 2 * cStride);
            c30 = TW.Load(c + 3 * cStride);
        }

        for (var i = 0; i < k; i++)
        {
            var b0 = TW.Load(b);
            var s = TW.Create(*a);
            c00 = TW.MultiplyAdd(s, b0, c00);
            s = TW.Create(a[r]);
            c10 = TW.MultiplyAdd(s, b0, c10);
            s = TW.Create(a[2 * r]);
            c20 = TW.MultiplyAdd(s, b0, c20);
            s = TW.Create(a[3 * r]);
            c30 = TW.MultiplyAdd(s, b0, c30);
            a += TSide.Step;
            b += bStride;
        }

        TW.Store(c00, c);
        TW.Store(c10, c + cStride);
        TW.Store(c20, c + 2 * cStride);
        TW.Store(c30, c + 3 * cStride);
    }
}
