// Products with W [in, out] (GPT-2's Conv1D) for few rows: y += x[k] * W[k], four rows of W at a time, streamed as they lie.
// Each output sums over k in ascending order, as the packed form does, so both give the same bits.
using System.Runtime.CompilerServices;

namespace Rt.Cpu;

internal sealed unsafe partial class CpuOps<TW, TV>
{
    private static int PaddedColumns(int columns) => (columns + TW.Count - 1) / TW.Count * TW.Count;

    private static long RowSumsScratch(int rows, int columns) => (long)rows * PaddedColumns(columns);

    private static void RowSumsBlock<TE>(
        in MatMulPlan plan, in MatMulPart part, int first, int last, float* output, nint stride, bool accumulate, float* scratch)
        where TE : IWeightType
    {
        var columns = last - first;
        nint sumStride = PaddedColumns(columns);
        new Span<float>(scratch, (int)(plan.Rows * sumStride)).Clear();
        var k = 0;
        for (; k + 4 <= plan.In; k += 4)
        {
            var w = part.Weight + (k * part.Stride + first) * TE.Bytes;
            var row = 0;
            if (TW.ManyRegisters)
            {
                for (; row + 4 <= plan.Rows; row += 4)
                {
                    AddFour4<TE>(plan.PaddedRows + (nint)row * plan.PaddedIn + k, plan.PaddedIn, w, part.Stride, columns, scratch + row * sumStride, sumStride);
                }
            }

            for (; row + 2 <= plan.Rows; row += 2)
            {
                AddFour2<TE>(plan.PaddedRows + (nint)row * plan.PaddedIn + k, plan.PaddedIn, w, part.Stride, columns, scratch + row * sumStride, sumStride);
            }

            if (row < plan.Rows)
            {
                AddFour1<TE>(plan.PaddedRows + (nint)row * plan.PaddedIn + k, w, part.Stride, columns, scratch + row * sumStride);
            }
        }

        for (; k < plan.In; k++)
        {
            for (var row = 0; row < plan.Rows; row++)
            {
                AddOne<TE>(
                    plan.PaddedRows[(nint)row * plan.PaddedIn + k],
                    part.Weight + (k * part.Stride + first) * TE.Bytes, columns, scratch + row * sumStride);
            }
        }

        for (var row = 0; row < plan.Rows; row++)
        {
            StoreRow(scratch + row * sumStride, part.Bias == null ? null : part.Bias + first, columns, output + row * stride, accumulate);
        }
    }

    /// <summary>destination = sums + bias, or destination + (sums + bias).</summary>
    private static void StoreRow(float* sums, float* bias, int columns, float* destination, bool accumulate)
    {
        var n = 0;
        for (; n <= columns - TW.Count; n += TW.Count)
        {
            var sum = TW.Load(sums + n);
            sum = bias == null ? sum : TW.Add(sum, TW.Load(bias + n));
            TW.Store(accumulate ? TW.Add(TW.Load(destination + n), sum) : sum, destination + n);
        }

        for (; n < columns; n++)
        {
            var sum = bias == null ? sums[n] : sums[n] + bias[n];
            destination[n] = accumulate ? destination[n] + sum : sum;
        }
    }

    /// <summary>The vector of W at column n, partly zero where the columns end.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static TV LoadColumns<TE>(byte* w, int n, int columns) where TE : IWeightType =>
        n <= columns - TW.Count ? TE.Load<TW, TV>(w, n) : LoadTail<TE>(w, n, columns - n);

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void AddFour1<TE>(float* x, byte* w0, long wStride, int columns, float* sums) where TE : IWeightType
    {
        byte* w1 = w0 + wStride * TE.Bytes, w2 = w1 + wStride * TE.Bytes, w3 = w2 + wStride * TE.Bytes;
        TV x0 = TW.Create(x[0]), x1 = TW.Create(x[1]), x2 = TW.Create(x[2]), x3 = TW.Create(x[3]);
        for (var n = 0; n < columns; n += TW.Count)
        {
            var sum = TW.MultiplyAdd(x0, LoadColumns<TE>(w0, n, columns), TW.Load(sums + n));
            sum = TW.MultiplyAdd(x1, LoadColumns<TE>(w1, n, columns), sum);
            sum = TW.MultiplyAdd(x2, LoadColumns<TE>(w2, n, columns), sum);
            TW.Store(TW.MultiplyAdd(x3, LoadColumns<TE>(w3, n, columns), sum), sums + n);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void AddFour2<TE>(
        float* x, nint xStride, byte* w0, long wStride, int columns, float* sums, nint sumStride) where TE : IWeightType
    {
        byte* w1 = w0 + wStride * TE.Bytes, w2 = w1 + wStride * TE.Bytes, w3 = w2 + wStride * TE.Bytes;
        TV x00 = TW.Create(x[0]), x01 = TW.Create(x[1]), x02 = TW.Create(x[2]), x03 = TW.Create(x[3]);
        x += xStride;
        TV x10 = TW.Create(x[0]), x11 = TW.Create(x[1]), x12 = TW.Create(x[2]), x13 = TW.Create(x[3]);
        for (var n = 0; n < columns; n += TW.Count)
        {
            TV v0 = LoadColumns<TE>(w0, n, columns), v1 = LoadColumns<TE>(w1, n, columns);
            TV v2 = LoadColumns<TE>(w2, n, columns), v3 = LoadColumns<TE>(w3, n, columns);
            var sum = TW.MultiplyAdd(x01, v1, TW.MultiplyAdd(x00, v0, TW.Load(sums + n)));
            TW.Store(TW.MultiplyAdd(x03, v3, TW.MultiplyAdd(x02, v2, sum)), sums + n);
            sum = TW.MultiplyAdd(x11, v1, TW.MultiplyAdd(x10, v0, TW.Load(sums + sumStride + n)));
            TW.Store(TW.MultiplyAdd(x13, v3, TW.MultiplyAdd(x12, v2, sum)), sums + sumStride + n);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void AddFour4<TE>(
        float* x, nint xStride, byte* w0, long wStride, int columns, float* sums, nint sumStride) where TE : IWeightType
    {
        byte* w1 = w0 + wStride * TE.Bytes, w2 = w1 + wStride * TE.Bytes, w3 = w2 + wStride * TE.Bytes;
        TV x00 = TW.Create(x[0]), x01 = TW.Create(x[1]), x02 = TW.Create(x[2]), x03 = TW.Create(x[3]);
        x += xStride;
        TV x10 = TW.Create(x[0]), x11 = TW.Create(x[1]), x12 = TW.Create(x[2]), x13 = TW.Create(x[3]);
        x += xStride;
        TV x20 = TW.Create(x[0]), x21 = TW.Create(x[1]), x22 = TW.Create(x[2]), x23 = TW.Create(x[3]);
        x += xStride;
        TV x30 = TW.Create(x[0]), x31 = TW.Create(x[1]), x32 = TW.Create(x[2]), x33 = TW.Create(x[3]);
        float* sums1 = sums + sumStride, sums2 = sums1 + sumStride, sums3 = sums2 + sumStride;
        for (var n = 0; n < columns; n += TW.Count)
        {
            TV v0 = LoadColumns<TE>(w0, n, columns), v1 = LoadColumns<TE>(w1, n, columns);
            TV v2 = LoadColumns<TE>(w2, n, columns), v3 = LoadColumns<TE>(w3, n, columns);
            var sum = TW.MultiplyAdd(x01, v1, TW.MultiplyAdd(x00, v0, TW.Load(sums + n)));
            TW.Store(TW.MultiplyAdd(x03, v3, TW.MultiplyAdd(x02, v2, sum)), sums + n);
            sum = TW.MultiplyAdd(x11, v1, TW.MultiplyAdd(x10, v0, TW.Load(sums1 + n)));
            TW.Store(TW.MultiplyAdd(x13, v3, TW.MultiplyAdd(x12, v2, sum)), sums1 + n);
            sum = TW.MultiplyAdd(x21, v1, TW.MultiplyAdd(x20, v0, TW.Load(sums2 + n)));
            TW.Store(TW.MultiplyAdd(x23, v3, TW.MultiplyAdd(x22, v2, sum)), sums2 + n);
            sum = TW.MultiplyAdd(x31, v1, TW.MultiplyAdd(x30, v0, TW.Load(sums3 + n)));
            TW.Store(TW.MultiplyAdd(x33, v3, TW.MultiplyAdd(x32, v2, sum)), sums3 + n);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void AddOne<TE>(float x, byte* w, int columns, float* sums) where TE : IWeightType
    {
        var scale = TW.Create(x);
        for (var n = 0; n < columns; n += TW.Count)
        {
            TW.Store(TW.MultiplyAdd(scale, LoadColumns<TE>(w, n, columns), TW.Load(sums + n)), sums + n);
        }
    }
}
