// The dot-product kernels that need 32 registers: four and six rows of x with four rows of W.
// The same sums in the same order as the kernels for fewer rows.
using System.Runtime.CompilerServices;

namespace Rt.Cpu;

internal sealed unsafe partial class CpuOps<TW, TV>
{
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Dot4x4<TE>(
        float* x, nint xStride, byte* w, long wStride, int k, float* sums, float* lanes = null, bool resume = false) where TE : IWeightType
    {
        var x1 = x + xStride;
        var x2 = x + 2 * xStride;
        var x3 = x + 3 * xStride;
        var w1 = w + wStride * TE.Bytes;
        var w2 = w + 2 * wStride * TE.Bytes;
        var w3 = w + 3 * wStride * TE.Bytes;
        nint whole = k / TW.Count * TW.Count;
        var tails = stackalloc float[64];
        if (whole < k)
        {
            LoadTails<TE>(w, wStride, 4, whole, k, tails);
        }

        TV s00 = TW.Zero, s01 = TW.Zero, s02 = TW.Zero, s03 = TW.Zero;
        TV s10 = TW.Zero, s11 = TW.Zero, s12 = TW.Zero, s13 = TW.Zero;
        TV s20 = TW.Zero, s21 = TW.Zero, s22 = TW.Zero, s23 = TW.Zero;
        TV s30 = TW.Zero, s31 = TW.Zero, s32 = TW.Zero, s33 = TW.Zero;
        if (resume)
        {
            s00 = TW.Load(lanes);
            s01 = TW.Load(lanes + TW.Count);
            s02 = TW.Load(lanes + 2 * TW.Count);
            s03 = TW.Load(lanes + 3 * TW.Count);
            s10 = TW.Load(lanes + 4 * TW.Count);
            s11 = TW.Load(lanes + 5 * TW.Count);
            s12 = TW.Load(lanes + 6 * TW.Count);
            s13 = TW.Load(lanes + 7 * TW.Count);
            s20 = TW.Load(lanes + 8 * TW.Count);
            s21 = TW.Load(lanes + 9 * TW.Count);
            s22 = TW.Load(lanes + 10 * TW.Count);
            s23 = TW.Load(lanes + 11 * TW.Count);
            s30 = TW.Load(lanes + 12 * TW.Count);
            s31 = TW.Load(lanes + 13 * TW.Count);
            s32 = TW.Load(lanes + 14 * TW.Count);
            s33 = TW.Load(lanes + 15 * TW.Count);
        }

        for (nint i = 0; i < whole; i += TW.Count)
        {
            var v0 = TE.Load<TW, TV>(w, i);
            var v1 = TE.Load<TW, TV>(w1, i);
            var v2 = TE.Load<TW, TV>(w2, i);
            var v3 = TE.Load<TW, TV>(w3, i);
            var u = TW.Load(x + i);
            s00 = TW.MultiplyAdd(u, v0, s00);
            s01 = TW.MultiplyAdd(u, v1, s01);
            s02 = TW.MultiplyAdd(u, v2, s02);
            s03 = TW.MultiplyAdd(u, v3, s03);
            u = TW.Load(x1 + i);
            s10 = TW.MultiplyAdd(u, v0, s10);
            s11 = TW.MultiplyAdd(u, v1, s11);
            s12 = TW.MultiplyAdd(u, v2, s12);
            s13 = TW.MultiplyAdd(u, v3, s13);
            u = TW.Load(x2 + i);
            s20 = TW.MultiplyAdd(u, v0, s20);
            s21 = TW.MultiplyAdd(u, v1, s21);
            s22 = TW.MultiplyAdd(u, v2, s22);
            s23 = TW.MultiplyAdd(u, v3, s23);
            u = TW.Load(x3 + i);
            s30 = TW.MultiplyAdd(u, v0, s30);
            s31 = TW.MultiplyAdd(u, v1, s31);
            s32 = TW.MultiplyAdd(u, v2, s32);
            s33 = TW.MultiplyAdd(u, v3, s33);
        }

        if (whole < k)
        {
            var v0 = TW.Load(tails);
            var v1 = TW.Load(tails + 16);
            var v2 = TW.Load(tails + 32);
            var v3 = TW.Load(tails + 48);
            var u = TW.Load(x + whole);
            s00 = TW.MultiplyAdd(u, v0, s00);
            s01 = TW.MultiplyAdd(u, v1, s01);
            s02 = TW.MultiplyAdd(u, v2, s02);
            s03 = TW.MultiplyAdd(u, v3, s03);
            u = TW.Load(x1 + whole);
            s10 = TW.MultiplyAdd(u, v0, s10);
            s11 = TW.MultiplyAdd(u, v1, s11);
            s12 = TW.MultiplyAdd(u, v2, s12);
            s13 = TW.MultiplyAdd(u, v3, s13);
            u = TW.Load(x2 + whole);
            s20 = TW.MultiplyAdd(u, v0, s20);
            s21 = TW.MultiplyAdd(u, v1, s21);
            s22 = TW.MultiplyAdd(u, v2, s22);
            s23 = TW.MultiplyAdd(u, v3, s23);
            u = TW.Load(x3 + whole);
            s30 = TW.MultiplyAdd(u, v0, s30);
            s31 = TW.MultiplyAdd(u, v1, s31);
            s32 = TW.MultiplyAdd(u, v2, s32);
            s33 = TW.MultiplyAdd(u, v3, s33);
        }

        if (sums == null)
        {
            TW.Store(s00, lanes);
            TW.Store(s01, lanes + TW.Count);
            TW.Store(s02, lanes + 2 * TW.Count);
            TW.Store(s03, lanes + 3 * TW.Count);
            TW.Store(s10, lanes + 4 * TW.Count);
            TW.Store(s11, lanes + 5 * TW.Count);
            TW.Store(s12, lanes + 6 * TW.Count);
            TW.Store(s13, lanes + 7 * TW.Count);
            TW.Store(s20, lanes + 8 * TW.Count);
            TW.Store(s21, lanes + 9 * TW.Count);
            TW.Store(s22, lanes + 10 * TW.Count);
            TW.Store(s23, lanes + 11 * TW.Count);
            TW.Store(s30, lanes + 12 * TW.Count);
            TW.Store(s31, lanes + 13 * TW.Count);
            TW.Store(s32, lanes + 14 * TW.Count);
            TW.Store(s33, lanes + 15 * TW.Count);

            return;
        }

        sums[0] = TW.Sum(s00);
        sums[1] = TW.Sum(s01);
        sums[2] = TW.Sum(s02);
        sums[3] = TW.Sum(s03);
        sums[4] = TW.Sum(s10);
        sums[5] = TW.Sum(s11);
        sums[6] = TW.Sum(s12);
        sums[7] = TW.Sum(s13);
        sums[8] = TW.Sum(s20);
        sums[9] = TW.Sum(s21);
        sums[10] = TW.Sum(s22);
        sums[11] = TW.Sum(s23);
        sums[12] = TW.Sum(s30);
        sums[13] = TW.Sum(s31);
        sums[14] = TW.Sum(s32);
        sums[15] = TW.Sum(s33);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Dot6x4<TE>(
        float* x, nint xStride, byte* w, long wStride, int k, float* sums, float* lanes = null, bool resume = false) where TE : IWeightType
    {
        var x1 = x + xStride;
        var x2 = x + 2 * xStride;
        var x3 = x + 3 * xStride;
        var x4 = x + 4 * xStride;
        var x5 = x + 5 * xStride;
        var w1 = w + wStride * TE.Bytes;
        var w2 = w + 2 * wStride * TE.Bytes;
        var w3 = w + 3 * wStride * TE.Bytes;
        nint whole = k / TW.Count * TW.Count;
        var tails = stackalloc float[64];
        if (whole < k)
        {
            LoadTails<TE>(w, wStride, 4, whole, k, tails);
        }

        TV s00 = TW.Zero, s01 = TW.Zero, s02 = TW.Zero, s03 = TW.Zero;
        TV s10 = TW.Zero, s11 = TW.Zero, s12 = TW.Zero, s13 = TW.Zero;
        TV s20 = TW.Zero, s21 = TW.Zero, s22 = TW.Zero, s23 = TW.Zero;
        TV s30 = TW.Zero, s31 = TW.Zero, s32 = TW.Zero, s33 = TW.Zero;
        TV s40 = TW.Zero, s41 = TW.Zero, s42 = TW.Zero, s43 = TW.Zero;
        TV s50 = TW.Zero, s51 = TW.Zero, s52 = TW.Zero, s53 = TW.Zero;
        if (resume)
        {
            s00 = TW.Load(lanes);
            s01 = TW.Load(lanes + TW.Count);
            s02 = TW.Load(lanes + 2 * TW.Count);
            s03 = TW.Load(lanes + 3 * TW.Count);
            s10 = TW.Load(lanes + 4 * TW.Count);
            s11 = TW.Load(lanes + 5 * TW.Count);
            s12 = TW.Load(lanes + 6 * TW.Count);
            s13 = TW.Load(lanes + 7 * TW.Count);
            s20 = TW.Load(lanes + 8 * TW.Count);
            s21 = TW.Load(lanes + 9 * TW.Count);
            s22 = TW.Load(lanes + 10 * TW.Count);
            s23 = TW.Load(lanes + 11 * TW.Count);
            s30 = TW.Load(lanes + 12 * TW.Count);
            s31 = TW.Load(lanes + 13 * TW.Count);
            s32 = TW.Load(lanes + 14 * TW.Count);
            s33 = TW.Load(lanes + 15 * TW.Count);
            s40 = TW.Load(lanes + 16 * TW.Count);
            s41 = TW.Load(lanes + 17 * TW.Count);
            s42 = TW.Load(lanes + 18 * TW.Count);
            s43 = TW.Load(lanes + 19 * TW.Count);
            s50 = TW.Load(lanes + 20 * TW.Count);
            s51 = TW.Load(lanes + 21 * TW.Count);
            s52 = TW.Load(lanes + 22 * TW.Count);
            s53 = TW.Load(lanes + 23 * TW.Count);
        }

        for (nint i = 0; i < whole; i += TW.Count)
        {
            var v0 = TE.Load<TW, TV>(w, i);
            var v1 = TE.Load<TW, TV>(w1, i);
            var v2 = TE.Load<TW, TV>(w2, i);
            var v3 = TE.Load<TW, TV>(w3, i);
            var u = TW.Load(x + i);
            s00 = TW.MultiplyAdd(u, v0, s00);
            s01 = TW.MultiplyAdd(u, v1, s01);
            s02 = TW.MultiplyAdd(u, v2, s02);
            s03 = TW.MultiplyAdd(u, v3, s03);
            u = TW.Load(x1 + i);
            s10 = TW.MultiplyAdd(u, v0, s10);
            s11 = TW.MultiplyAdd(u, v1, s11);
            s12 = TW.MultiplyAdd(u, v2, s12);
            s13 = TW.MultiplyAdd(u, v3, s13);
            u = TW.Load(x2 + i);
            s20 = TW.MultiplyAdd(u, v0, s20);
            s21 = TW.MultiplyAdd(u, v1, s21);
            s22 = TW.MultiplyAdd(u, v2, s22);
            s23 = TW.MultiplyAdd(u, v3, s23);
            u = TW.Load(x3 + i);
            s30 = TW.MultiplyAdd(u, v0, s30);
            s31 = TW.MultiplyAdd(u, v1, s31);
            s32 = TW.MultiplyAdd(u, v2, s32);
            s33 = TW.MultiplyAdd(u, v3, s33);
            u = TW.Load(x4 + i);
            s40 = TW.MultiplyAdd(u, v0, s40);
            s41 = TW.MultiplyAdd(u, v1, s41);
            s42 = TW.MultiplyAdd(u, v2, s42);
            s43 = TW.MultiplyAdd(u, v3, s43);
            u = TW.Load(x5 + i);
            s50 = TW.MultiplyAdd(u, v0, s50);
            s51 = TW.MultiplyAdd(u, v1, s51);
            s52 = TW.MultiplyAdd(u, v2, s52);
            s53 = TW.MultiplyAdd(u, v3, s53);
        }

        if (whole < k)
        {
            var v0 = TW.Load(tails);
            var v1 = TW.Load(tails + 16);
            var v2 = TW.Load(tails + 32);
            var v3 = TW.Load(tails + 48);
            var u = TW.Load(x + whole);
            s00 = TW.MultiplyAdd(u, v0, s00);
            s01 = TW.MultiplyAdd(u, v1, s01);
            s02 = TW.MultiplyAdd(u, v2, s02);
            s03 = TW.MultiplyAdd(u, v3, s03);
            u = TW.Load(x1 + whole);
            s10 = TW.MultiplyAdd(u, v0, s10);
            s11 = TW.MultiplyAdd(u, v1, s11);
            s12 = TW.MultiplyAdd(u, v2, s12);
            s13 = TW.MultiplyAdd(u, v3, s13);
            u = TW.Load(x2 + whole);
            s20 = TW.MultiplyAdd(u, v0, s20);
            s21 = TW.MultiplyAdd(u, v1, s21);
            s22 = TW.MultiplyAdd(u, v2, s22);
            s23 = TW.MultiplyAdd(u, v3, s23);
            u = TW.Load(x3 + whole);
            s30 = TW.MultiplyAdd(u, v0, s30);
            s31 = TW.MultiplyAdd(u, v1, s31);
            s32 = TW.MultiplyAdd(u, v2, s32);
            s33 = TW.MultiplyAdd(u, v3, s33);
            u = TW.Load(x4 + whole);
            s40 = TW.MultiplyAdd(u, v0, s40);
            s41 = TW.MultiplyAdd(u, v1, s41);
            s42 = TW.MultiplyAdd(u, v2, s42);
            s43 = TW.MultiplyAdd(u, v3, s43);
            u = TW.Load(x5 + whole);
            s50 = TW.MultiplyAdd(u, v0, s50);
            s51 = TW.MultiplyAdd(u, v1, s51);
            s52 = TW.MultiplyAdd(u, v2, s52);
            s53 = TW.MultiplyAdd(u, v3, s53);
        }

        if (sums == null)
        {
            TW.Store(s00, lanes);
            TW.Store(s01, lanes + TW.Count);
            TW.Store(s02, lanes + 2 * TW.Count);
            TW.Store(s03, lanes + 3 * TW.Count);
            TW.Store(s10, lanes + 4 * TW.Count);
            TW.Store(s11, lanes + 5 * TW.Count);
            TW.Store(s12, lanes + 6 * TW.Count);
            TW.Store(s13, lanes + 7 * TW.Count);
            TW.Store(s20, lanes + 8 * TW.Count);
            TW.Store(s21, lanes + 9 * TW.Count);
            TW.Store(s22, lanes + 10 * TW.Count);
            TW.Store(s23, lanes + 11 * TW.Count);
            TW.Store(s30, lanes + 12 * TW.Count);
            TW.Store(s31, lanes + 13 * TW.Count);
            TW.Store(s32, lanes + 14 * TW.Count);
            TW.Store(s33, lanes + 15 * TW.Count);
            TW.Store(s40, lanes + 16 * TW.Count);
            TW.Store(s41, lanes + 17 * TW.Count);
            TW.Store(s42, lanes + 18 * TW.Count);
            TW.Store(s43, lanes + 19 * TW.Count);
            TW.Store(s50, lanes + 20 * TW.Count);
            TW.Store(s51, lanes + 21 * TW.Count);
            TW.Store(s52, lanes + 22 * TW.Count);
            TW.Store(s53, lanes + 23 * TW.Count);

            return;
        }

        sums[0] = TW.Sum(s00);
        sums[1] = TW.Sum(s01);
        sums[2] = TW.Sum(s02);
        sums[3] = TW.Sum(s03);
        sums[4] = TW.Sum(s10);
        sums[5] = TW.Sum(s11);
        sums[6] = TW.Sum(s12);
        sums[7] = TW.Sum(s13);
        sums[8] = TW.Sum(s20);
        sums[9] = TW.Sum(s21);
        sums[10] = TW.Sum(s22);
        sums[11] = TW.Sum(s23);
        sums[12] = TW.Sum(s30);
        sums[13] = TW.Sum(s31);
        sums[14] = TW.Sum(s32);
        sums[15] = TW.Sum(s33);
        sums[16] = TW.Sum(s40);
        sums[17] = TW.Sum(s41);
        sums[18] = TW.Sum(s42);
        sums[19] = TW.Sum(s43);
        sums[20] = TW.Sum(s50);
        sums[21] = TW.Sum(s51);
        sums[22] = TW.Sum(s52);
        sums[23] = TW.Sum(s53);
    }
}
