// The register kernels of dot products: r rows of x with c rows of W, one accumulator register per pair.
// With lanes the sums can be left after part of k and resumed, in the same order as if they had never stopped.
using System.Runtime.CompilerServices;

namespace Rt.Cpu;

internal sealed unsafe partial class CpuOps<TW, TV>
{
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Dot1x1<TE>(
        float* x, nint xStride, byte* w, long wStride, int k, float* sums, float* lanes = null, bool resume = false) where TE : IWeightType
    {
        nint whole = k / TW.Count * TW.Count;
        var tails = stackalloc float[16];
        if (whole < k)
        {
            LoadTails<TE>(w, wStride, 1, whole, k, tails);
        }

        TV s00 = TW.Zero;
        if (resume)
        {
            s00 = TW.Load(lanes);
        }

        for (nint i = 0; i < whole; i += TW.Count)
        {
            var v0 = TE.Load<TW, TV>(w, i);
            var u = TW.Load(x + i);
            s00 = TW.MultiplyAdd(u, v0, s00);
        }

        if (whole < k)
        {
            var v0 = TW.Load(tails);
            var u = TW.Load(x + whole);
            s00 = TW.MultiplyAdd(u, v0, s00);
        }

        if (sums == null)
        {
            TW.Store(s00, lanes);

            return;
        }

        sums[0] = TW.Sum(s00);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Dot1x4<TE>(
        float* x, nint xStride, byte* w, long wStride, int k, float* sums, float* lanes = null, bool resume = false) where TE : IWeightType
    {
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
        if (resume)
        {
            s00 = TW.Load(lanes);
            s01 = TW.Load(lanes + TW.Count);
            s02 = TW.Load(lanes + 2 * TW.Count);
            s03 = TW.Load(lanes + 3 * TW.Count);
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
        }

        if (sums == null)
        {
            TW.Store(s00, lanes);
            TW.Store(s01, lanes + TW.Count);
            TW.Store(s02, lanes + 2 * TW.Count);
            TW.Store(s03, lanes + 3 * TW.Count);

            return;
        }

        sums[0] = TW.Sum(s00);
        sums[1] = TW.Sum(s01);
        sums[2] = TW.Sum(s02);
        sums[3] = TW.Sum(s03);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Dot2x4<TE>(
        float* x, nint xStride, byte* w, long wStride, int k, float* sums, float* lanes = null, bool resume = false) where TE : IWeightType
    {
        var x1 = x + xStride;
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
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Dot3x4<TE>(
        float* x, nint xStride, byte* w, long wStride, int k, float* sums, float* lanes = null, bool resume = false) where TE : IWeightType
    {
        var x1 = x + xStride;
        var x2 = x + 2 * xStride;
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
    }
}
