// Dot products of one to four rows of x with rows of W, one after the other: weights are read as a single stream, which is what memory
// does best. The rows of W follow each other inside the kernel: a call per row would leave memory idle while it begins.
// The same sums in the same order as the kernels that take four weight rows at once.
using System.Runtime.CompilerServices;

namespace Rt.Cpu;

internal sealed unsafe partial class CpuOps<TW, TV>
{
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void DotStream1<TE>(float* x, byte* w, long wStride, int count, int k, float* sums) where TE : IWeightType
    {
        nint whole = k / TW.Count * TW.Count;
        // Past this element of a row memory is asked for ahead: nowhere, or everywhere.
        var unasked = k <= TE.UnaskedElements ? whole : 0;
        var tail = stackalloc float[16];
        for (var n = 0; n < count; n++, w += wStride * TE.Bytes)
        {
            if (whole < k)
            {
                LoadTails<TE>(w, 0, 1, whole, k, tail);
            }

            TV s0 = TW.Zero;
            nint i = 0;
            for (; i <= unasked - 4 * TW.Count; i += 4 * TW.Count)
            {
                var v0 = TE.Load<TW, TV>(w, i);
                var v1 = TE.Load<TW, TV>(w, i + TW.Count);
                var v2 = TE.Load<TW, TV>(w, i + 2 * TW.Count);
                var v3 = TE.Load<TW, TV>(w, i + 3 * TW.Count);
                s0 = TW.MultiplyAdd(TW.Load(x + i), v0, s0);
                s0 = TW.MultiplyAdd(TW.Load(x + i + TW.Count), v1, s0);
                s0 = TW.MultiplyAdd(TW.Load(x + i + 2 * TW.Count), v2, s0);
                s0 = TW.MultiplyAdd(TW.Load(x + i + 3 * TW.Count), v3, s0);
            }

            for (; i < whole; i += TW.Count)
            {
                Prefetch.Ahead(w + i * TE.Bytes);
                var v = TE.Load<TW, TV>(w, i);
                s0 = TW.MultiplyAdd(TW.Load(x + i), v, s0);
            }

            if (whole < k)
            {
                var v = TW.Load(tail);
                s0 = TW.MultiplyAdd(TW.Load(x + whole), v, s0);
            }

            sums[n] = TW.Sum(s0);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void DotStream2<TE>(float* x, nint xStride, byte* w, long wStride, int count, int k, float* sums) where TE : IWeightType
    {
        var x1 = x + xStride;
        nint whole = k / TW.Count * TW.Count;
        var tail = stackalloc float[16];
        for (var n = 0; n < count; n++, w += wStride * TE.Bytes)
        {
            if (whole < k)
            {
                LoadTails<TE>(w, 0, 1, whole, k, tail);
            }

            TV s0 = TW.Zero, s1 = TW.Zero;
            for (nint i = 0; i < whole; i += TW.Count)
            {
                Prefetch.Ahead(w + i * TE.Bytes);
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

            sums[n] = TW.Sum(s0);
            sums[count + n] = TW.Sum(s1);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void DotStream3<TE>(float* x, nint xStride, byte* w, long wStride, int count, int k, float* sums) where TE : IWeightType
    {
        var x1 = x + xStride;
        var x2 = x + 2 * xStride;
        nint whole = k / TW.Count * TW.Count;
        var tail = stackalloc float[16];
        for (var n = 0; n < count; n++, w += wStride * TE.Bytes)
        {
            if (whole < k)
            {
                LoadTails<TE>(w, 0, 1, whole, k, tail);
            }

            TV s0 = TW.Zero, s1 = TW.Zero, s2 = TW.Zero;
            for (nint i = 0; i < whole; i += TW.Count)
            {
                Prefetch.Ahead(w + i * TE.Bytes);
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

            sums[n] = TW.Sum(s0);
            sums[count + n] = TW.Sum(s1);
            sums[2 * count + n] = TW.Sum(s2);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void DotStream4<TE>(float* x, nint xStride, byte* w, long wStride, int count, int k, float* sums) where TE : IWeightType
    {
        var x1 = x + xStride;
        var x2 = x + 2 * xStride;
        var x3 = x + 3 * xStride;
        nint whole = k / TW.Count * TW.Count;
        var tail = stackalloc float[16];
        for (var n = 0; n < count; n++, w += wStride * TE.Bytes)
        {
            if (whole < k)
            {
                LoadTails<TE>(w, 0, 1, whole, k, tail);
            }

            TV s0 = TW.Zero, s1 = TW.Zero, s2 = TW.Zero, s3 = TW.Zero;
            for (nint i = 0; i < whole; i += TW.Count)
            {
                Prefetch.Ahead(w + i * TE.Bytes);
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

            sums[n] = TW.Sum(s0);
            sums[count + n] = TW.Sum(s1);
            sums[2 * count + n] = TW.Sum(s2);
            sums[3 * count + n] = TW.Sum(s3);
        }
    }
}
