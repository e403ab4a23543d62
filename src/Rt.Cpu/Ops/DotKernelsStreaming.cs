// Dot products of one to four rows of x with one row of W: weights are read as a single stream, which is what memory does best.
// The same sums in the same order as the kernels that take four weight rows at once.
using System.Runtime.CompilerServices;

namespace Rt.Cpu;

internal sealed unsafe partial class CpuOps<TW, TV>
{
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Dot1x1<TE>(float* x, nint xStride, byte* w, int k, float* sums) where TE : IWeightType
    {
        nint whole = k / TW.Count * TW.Count;
        var tail = stackalloc float[16];
        if (whole < k)
        {
            LoadTails<TE>(w, 0, 1, whole, k, tail);
        }

        TV s0 = TW.Zero;
        for (nint i = 0; i < whole; i += TW.Count)
        {
            Prefetch.Ahead<TE>(w + i * TE.Bytes);
            var v = TE.Load<TW, TV>(w, i);
            s0 = TW.MultiplyAdd(TW.Load(x + i), v, s0);
        }

        if (whole < k)
        {
            var v = TW.Load(tail);
            s0 = TW.MultiplyAdd(TW.Load(x + whole), v, s0);
        }

        sums[0] = TW.Sum(s0);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Dot2x1<TE>(float* x, nint xStride, byte* w, int k, float* sums) where TE : IWeightType
    {
        var x1 = x + xStride;
        nint whole = k / TW.Count * TW.Count;
        var tail = stackalloc float[16];
        if (whole < k)
        {
            LoadTails<TE>(w, 0, 1, whole, k, tail);
        }

        TV s0 = TW.Zero, s1 = TW.Zero;
        for (nint i = 0; i < whole; i += TW.Count)
        {
            Prefetch.Ahead<TE>(w + i * TE.Bytes);
            var v = TE.Load<TW, TV>(w, i);
            s0 = TW.MultiplyAdd(TW.Load(x + i), v, s0);
            s1 = TW.MultiplyAdd(TW.Load(x1 + i), v, s1);
        }

        if (whole < k)
        {
            var v = TW.Load(tail);
            s0 = TW.MultiplyAdd(TW.Load(x + whole), v, s0);
            s1 = TW.MultiplyAdd(TW.Load(x1 + whole), v, s1);
        }

        sums[0] = TW.Sum(s0);
        sums[1] = TW.Sum(s1);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Dot3x1<TE>(float* x, nint xStride, byte* w, int k, float* sums) where TE : IWeightType
    {
        var x1 = x + xStride;
        var x2 = x + 2 * xStride;
        nint whole = k / TW.Count * TW.Count;
        var tail = stackalloc float[16];
        if (whole < k)
        {
            LoadTails<TE>(w, 0, 1, whole, k, tail);
        }

        TV s0 = TW.Zero, s1 = TW.Zero, s2 = TW.Zero;
        for (nint i = 0; i < whole; i += TW.Count)
        {
            Prefetch.Ahead<TE>(w + i * TE.Bytes);
            var v = TE.Load<TW, TV>(w, i);
            s0 = TW.MultiplyAdd(TW.Load(x + i), v, s0);
            s1 = TW.MultiplyAdd(TW.Load(x1 + i), v, s1);
            s2 = TW.MultiplyAdd(TW.Load(x2 + i), v, s2);
        }

        if (whole < k)
        {
            var v = TW.Load(tail);
            s0 = TW.MultiplyAdd(TW.Load(x + whole), v, s0);
            s1 = TW.MultiplyAdd(TW.Load(x1 + whole), v, s1);
            s2 = TW.MultiplyAdd(TW.Load(x2 + whole), v, s2);
        }

        sums[0] = TW.Sum(s0);
        sums[1] = TW.Sum(s1);
        sums[2] = TW.Sum(s2);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Dot4x1<TE>(float* x, nint xStride, byte* w, int k, float* sums) where TE : IWeightType
    {
        var x1 = x + xStride;
        var x2 = x + 2 * xStride;
        var x3 = x + 3 * xStride;
        nint whole = k / TW.Count * TW.Count;
        var tail = stackalloc float[16];
        if (whole < k)
        {
            LoadTails<TE>(w, 0, 1, whole, k, tail);
        }

        TV s0 = TW.Zero, s1 = TW.Zero, s2 = TW.Zero, s3 = TW.Zero;
        for (nint i = 0; i < whole; i += TW.Count)
        {
            Prefetch.Ahead<TE>(w + i * TE.Bytes);
            var v = TE.Load<TW, TV>(w, i);
            s0 = TW.MultiplyAdd(TW.Load(x + i), v, s0);
            s1 = TW.MultiplyAdd(TW.Load(x1 + i), v, s1);
            s2 = TW.MultiplyAdd(TW.Load(x2 + i), v, s2);
            s3 = TW.MultiplyAdd(TW.Load(x3 + i), v, s3);
        }

        if (whole < k)
        {
            var v = TW.Load(tail);
            s0 = TW.MultiplyAdd(TW.Load(x + whole), v, s0);
            s1 = TW.MultiplyAdd(TW.Load(x1 + whole), v, s1);
            s2 = TW.MultiplyAdd(TW.Load(x2 + whole), v, s2);
            s3 = TW.MultiplyAdd(TW.Load(x3 + whole), v, s3);
        }

        sums[0] = TW.Sum(s0);
        sums[1] = TW.Sum(s1);
        sums[2] = TW.Sum(s2);
        sums[3] = TW.Sum(s3);
    }
}
