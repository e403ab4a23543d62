// Dot products of one to four rows of x with rows of W, one after the other: weights are read as a single stream, which is what memory
// does best. The rows of W follow each other inside the kernel: a call per row would leave memory idle while it begins.
// Two to four rows of x: the same sums in the same order as the kernels that take four weight rows at once.
//
// One row of x: elements of 16 bits are taken apart by even and odd index (IWeightType.Unzipped), and x lies in that order, up to the last
// whole pair of registers. Both registers are loaded from memory, the second through a pointer of its own, "again", which is w: an
// instruction with an operand in memory takes one entry of the processor's window, a load and its use take two, and what fits the window
// is on its way at once. With one pointer the compiler would load once.
using System.Runtime.CompilerServices;

namespace Rt.Cpu;

internal sealed unsafe partial class CpuOps<TW, TV>
{
    /// <summary>Elements of a row that come in whole pairs of registers.</summary>
    private static nint InPairs(int k) => k / (2 * TW.Count) * (2 * TW.Count);

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void DotStream1<TE>(float* x, byte* w, byte* again, long wStride, int count, int k, float* sums) where TE : IWeightType
    {
        nint pairs = InPairs(k), whole = k / TW.Count * TW.Count;
        var tail = stackalloc float[16];
        for (var n = 0; n < count; n++, w += wStride * TE.Bytes, again += wStride * TE.Bytes)
        {
            if (whole < k)
            {
                LoadTails<TE>(w, 0, 1, whole, k, tail);
            }

            TV s0 = TW.Zero;
            nint i = 0;
            for (; i <= pairs - 4 * TW.Count; i += 4 * TW.Count)
            {
                var v = TE.LoadFirst<TW, TV>(w, i);
                s0 = TW.MultiplyAdd(v, TW.Load(x + i), s0);
                v = TE.LoadSecond<TW, TV>(again, i);
                s0 = TW.MultiplyAdd(v, TW.Load(x + i + TW.Count), s0);
                v = TE.LoadFirst<TW, TV>(w, i + 2 * TW.Count);
                s0 = TW.MultiplyAdd(v, TW.Load(x + i + 2 * TW.Count), s0);
                v = TE.LoadSecond<TW, TV>(again, i + 2 * TW.Count);
                s0 = TW.MultiplyAdd(v, TW.Load(x + i + 3 * TW.Count), s0);
            }

            for (; i < pairs; i += 2 * TW.Count)
            {
                var v = TE.LoadFirst<TW, TV>(w, i);
                s0 = TW.MultiplyAdd(v, TW.Load(x + i), s0);
                v = TE.LoadSecond<TW, TV>(again, i);
                s0 = TW.MultiplyAdd(v, TW.Load(x + i + TW.Count), s0);
            }

            for (; i < k; i += TW.Count)
            {
                var v = i < whole ? TE.Load<TW, TV>(w, i) : TW.Load(tail);
                s0 = TW.MultiplyAdd(v, TW.Load(x + i), s0);
            }

            sums[n] = TW.Sum(s0);
        }
    }

    /// <summary>The kernel of long rows: x would come from the second-level cache for every row of W, so four share it. They are asked for
    /// ahead as they lie, while the four before them are computed: memory still sees a single stream.</summary>
    /// <param name="x">[k] as <see cref="IWeightType.Unzipped"/> says.</param>
    /// <param name="w">Rows of W.</param>
    /// <param name="again">The same.</param>
    /// <param name="wStride">Elements between them.</param>
    /// <param name="count">Their number, a multiple of four.</param>
    /// <param name="k">Elements of a row.</param>
    /// <param name="sums">[count]</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void DotStream1x4<TE>(float* x, byte* w, byte* again, long wStride, int count, int k, float* sums) where TE : IWeightType
    {
        nint pairs = InPairs(k), whole = k / TW.Count * TW.Count;
        nint step = 2 * TW.Count * TE.Bytes;
        var rowBytes = (nint)wStride * TE.Bytes;
        var tails = stackalloc float[64];
        for (var n = 0; n < count; n += 4, w += 4 * rowBytes, again += 4 * rowBytes)
        {
            if (whole < k)
            {
                LoadTails<TE>(w, wStride, 4, whole, k, tails);
            }

            byte* w1 = w + rowBytes, w2 = w + 2 * rowBytes, w3 = w + 3 * rowBytes, upcoming = w + 4 * rowBytes;
            byte* again1 = again + rowBytes, again2 = again + 2 * rowBytes, again3 = again + 3 * rowBytes;
            TV s0 = TW.Zero, s1 = TW.Zero, s2 = TW.Zero, s3 = TW.Zero;
            nint i = 0;
            for (; i < pairs; i += 2 * TW.Count)
            {
                Prefetch.Lines(upcoming, upcoming + step, upcoming + 2 * step, upcoming + 3 * step);
                upcoming += 4 * step;
                var u = TW.Load(x + i);
                s0 = TW.MultiplyAdd(u, TE.LoadFirst<TW, TV>(w, i), s0);
                s1 = TW.MultiplyAdd(u, TE.LoadFirst<TW, TV>(w1, i), s1);
                s2 = TW.MultiplyAdd(u, TE.LoadFirst<TW, TV>(w2, i), s2);
                s3 = TW.MultiplyAdd(u, TE.LoadFirst<TW, TV>(w3, i), s3);
                u = TW.Load(x + i + TW.Count);
                s0 = TW.MultiplyAdd(u, TE.LoadSecond<TW, TV>(again, i), s0);
                s1 = TW.MultiplyAdd(u, TE.LoadSecond<TW, TV>(again1, i), s1);
                s2 = TW.MultiplyAdd(u, TE.LoadSecond<TW, TV>(again2, i), s2);
                s3 = TW.MultiplyAdd(u, TE.LoadSecond<TW, TV>(again3, i), s3);
            }

            for (; i < k; i += TW.Count)
            {
                var u = TW.Load(x + i);
                var isWhole = i < whole;
                s0 = TW.MultiplyAdd(u, isWhole ? TE.Load<TW, TV>(w, i) : TW.Load(tails), s0);
                s1 = TW.MultiplyAdd(u, isWhole ? TE.Load<TW, TV>(w1, i) : TW.Load(tails + 16), s1);
                s2 = TW.MultiplyAdd(u, isWhole ? TE.Load<TW, TV>(w2, i) : TW.Load(tails + 32), s2);
                s3 = TW.MultiplyAdd(u, isWhole ? TE.Load<TW, TV>(w3, i) : TW.Load(tails + 48), s3);
            }

            sums[n] = TW.Sum(s0);
            sums[n + 1] = TW.Sum(s1);
            sums[n + 2] = TW.Sum(s2);
            sums[n + 3] = TW.Sum(s3);
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
