// Dot products of rows of x with rows of W [out, in]: the form for few rows, where reading the weights is the cost.
// Every sum has one accumulator register over k, so its bits do not depend on how many rows are computed together.
using System.Runtime.CompilerServices;

namespace Rt.Cpu;

internal sealed unsafe partial class CpuOps<TW, TV>
{
    /// <summary>Rows of x that stay in the second-level cache while a chunk's weights are read again for the next ones.</summary>
    private const int DotRowBlock = 48;

    private static void DotBlock<TE>(
        in MatMulPlan plan, in MatMulPart part, int first, int last, float* output, nint stride, bool accumulate)
        where TE : IWeightType
    {
        for (var row = 0; row < plan.Rows; row += DotRowBlock)
        {
            var rows = Math.Min(DotRowBlock, plan.Rows - row);
            DotRows<TE>(plan, part, first, last, plan.PaddedRows + (long)row * plan.PaddedIn, rows, output + row * stride, stride, accumulate);
        }
    }

    private static void DotRows<TE>(
        in MatMulPlan plan, in MatMulPart part, int first, int last, float* x, int rows, float* output, nint stride, bool accumulate)
        where TE : IWeightType
    {
        var sums = stackalloc float[24];
        var n = first;
        // One row reads weights as one stream; more rows share each load among four weight rows.
        var wide = rows > 1;
        while (n < last)
        {
            var columns = wide && last - n >= 4 ? 4 : 1;
            var w = part.Weight + n * part.Stride * TE.Bytes;
            for (var row = 0; row < rows;)
            {
                var taken = columns == 4
                    ? Dots4<TE>(x + (nint)row * plan.PaddedIn, plan, w, part.Stride, rows - row, sums)
                    : Dots1<TE>(x + (nint)row * plan.PaddedIn, plan, w, part.Stride, sums);
                for (var i = 0; i < taken; i++)
                {
                    var target = output + (row + i) * stride + (n - first);
                    for (var j = 0; j < columns; j++)
                    {
                        var sum = sums[i * columns + j];
                        sum = part.Bias == null ? sum : sum + part.Bias[n + j];
                        target[j] = accumulate ? target[j] + sum : sum;
                    }
                }

                row += taken;
            }

            n += columns;
        }
    }

    /// <summary>Dots of as many rows as registers allow with four weight rows; returns how many.</summary>
    private static int Dots4<TE>(float* x, in MatMulPlan plan, byte* w, long wStride, int rows, float* sums) where TE : IWeightType
    {
        nint stride = plan.PaddedIn;
        switch (TW.ManyRegisters ? rows : Math.Min(rows, 2))
        {
            case 1: Dot1x4<TE>(x, stride, w, wStride, plan.In, sums); return 1;
            case 2: Dot2x4<TE>(x, stride, w, wStride, plan.In, sums); return 2;
            case 3: Dot3x4<TE>(x, stride, w, wStride, plan.In, sums); return 3;
            case 4: case 5: case 7: case 8: Dot4x4<TE>(x, stride, w, wStride, plan.In, sums); return 4;
            default: Dot6x4<TE>(x, stride, w, wStride, plan.In, sums); return 6;
        }
    }

    private static int Dots1<TE>(float* x, in MatMulPlan plan, byte* w, long wStride, float* sums) where TE : IWeightType
    {
        Dot1x1<TE>(x, plan.PaddedIn, w, wStride, plan.In, sums);
        return 1;
    }

    /// <summary>The last elements of weight rows, zeros behind them; nothing past a row is read, for a mapped file may end there.
    /// Called before a kernel's sums exist: across a call they would have to leave their registers.</summary>
    private static void LoadTails<TE>(byte* weights, long stride, int rows, nint first, int k, float* tails) where TE : IWeightType
    {
        for (var row = 0; row < rows && first < k; row++)
        {
            for (var i = 0; i < 16; i++)
            {
                tails[row * 16 + i] = first + i < k ? TE.LoadOne(weights, row * stride + first + i) : 0f;
            }
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Dot1x1<TE>(float* x, nint xStride, byte* w, long wStride, int k, float* sums) where TE : IWeightType
    {
        var tails = stackalloc float[16];
        nint whole = k / TW.Count * TW.Count;
        LoadTails<TE>(w, wStride, 1, whole, k, tails);
        TV s00 = TW.Zero;
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

        sums[0] = TW.Sum(s00);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Dot1x4<TE>(float* x, nint xStride, byte* w, long wStride, int k, float* sums) where TE : IWeightType
    {
        var w1 = w + wStride * TE.Bytes;
        var w2 = w + 2 * wStride * TE.Bytes;
        var w3 = w + 3 * wStride * TE.Bytes;
        var tails = stackalloc float[64];
        nint whole = k / TW.Count * TW.Count;
        LoadTails<TE>(w, wStride, 4, whole, k, tails);
        TV s00 = TW.Zero, s01 = TW.Zero, s02 = TW.Zero, s03 = TW.Zero;
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

        sums[0] = TW.Sum(s00);
        sums[1] = TW.Sum(s01);
        sums[2] = TW.Sum(s02);
        sums[3] = TW.Sum(s03);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Dot2x4<TE>(float* x, nint xStride, byte* w, long wStride, int k, float* sums) where TE : IWeightType
    {
        var x1 = x + xStride;
        var w1 = w + wStride * TE.Bytes;
        var w2 = w + 2 * wStride * TE.Bytes;
        var w3 = w + 3 * wStride * TE.Bytes;
        var tails = stackalloc float[64];
        nint whole = k / TW.Count * TW.Count;
        LoadTails<TE>(w, wStride, 4, whole, k, tails);
        TV s00 = TW.Zero, s01 = TW.Zero, s02 = TW.Zero, s03 = TW.Zero;
        TV s10 = TW.Zero, s11 = TW.Zero, s12 = TW.Zero, s13 = TW.Zero;
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
    private static void Dot3x4<TE>(float* x, nint xStride, byte* w, long wStride, int k, float* sums) where TE : IWeightType
    {
        var x1 = x + xStride;
        var x2 = x + 2 * xStride;
        var w1 = w + wStride * TE.Bytes;
        var w2 = w + 2 * wStride * TE.Bytes;
        var w3 = w + 3 * wStride * TE.Bytes;
        var tails = stackalloc float[64];
        nint whole = k / TW.Count * TW.Count;
        LoadTails<TE>(w, wStride, 4, whole, k, tails);
        TV s00 = TW.Zero, s01 = TW.Zero, s02 = TW.Zero, s03 = TW.Zero;
        TV s10 = TW.Zero, s11 = TW.Zero, s12 = TW.Zero, s13 = TW.Zero;
        TV s20 = TW.Zero, s21 = TW.Zero, s22 = TW.Zero, s23 = TW.Zero;
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

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Dot4x4<TE>(float* x, nint xStride, byte* w, long wStride, int k, float* sums) where TE : IWeightType
    {
        var x1 = x + xStride;
        var x2 = x + 2 * xStride;
        var x3 = x + 3 * xStride;
        var w1 = w + wStride * TE.Bytes;
        var w2 = w + 2 * wStride * TE.Bytes;
        var w3 = w + 3 * wStride * TE.Bytes;
        var tails = stackalloc float[64];
        nint whole = k / TW.Count * TW.Count;
        LoadTails<TE>(w, wStride, 4, whole, k, tails);
        TV s00 = TW.Zero, s01 = TW.Zero, s02 = TW.Zero, s03 = TW.Zero;
        TV s10 = TW.Zero, s11 = TW.Zero, s12 = TW.Zero, s13 = TW.Zero;
        TV s20 = TW.Zero, s21 = TW.Zero, s22 = TW.Zero, s23 = TW.Zero;
        TV s30 = TW.Zero, s31 = TW.Zero, s32 = TW.Zero, s33 = TW.Zero;
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
    private static void Dot6x4<TE>(float* x, nint xStride, byte* w, long wStride, int k, float* sums) where TE : IWeightType
    {
        var x1 = x + xStride;
        var x2 = x + 2 * xStride;
        var x3 = x + 3 * xStride;
        var x4 = x + 4 * xStride;
        var x5 = x + 5 * xStride;
        var w1 = w + wStride * TE.Bytes;
        var w2 = w + 2 * wStride * TE.Bytes;
        var w3 = w + 3 * wStride * TE.Bytes;
        var tails = stackalloc float[64];
        nint whole = k / TW.Count * TW.Count;
        LoadTails<TE>(w, wStride, 4, whole, k, tails);
        TV s00 = TW.Zero, s01 = TW.Zero, s02 = TW.Zero, s03 = TW.Zero;
        TV s10 = TW.Zero, s11 = TW.Zero, s12 = TW.Zero, s13 = TW.Zero;
        TV s20 = TW.Zero, s21 = TW.Zero, s22 = TW.Zero, s23 = TW.Zero;
        TV s30 = TW.Zero, s31 = TW.Zero, s32 = TW.Zero, s33 = TW.Zero;
        TV s40 = TW.Zero, s41 = TW.Zero, s42 = TW.Zero, s43 = TW.Zero;
        TV s50 = TW.Zero, s51 = TW.Zero, s52 = TW.Zero, s53 = TW.Zero;
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
