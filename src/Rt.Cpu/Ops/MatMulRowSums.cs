// Products with W [in, out] (GPT-2's Conv1D) for few rows: y += x[k] * W[k], four rows of W at a time or one, streamed as they lie.
// Each output sums over k in ascending order, as the packed form does, so both give the same bits; slabs of k, for the fewest rows, do not.
using System.Runtime.CompilerServices;
using Rt.Core;

namespace Rt.Cpu;

internal sealed unsafe partial class CpuOps<TW, TV>
{
    /// <summary>Rows that always run in slabs of k, each slab one stream of weights; more rows do while a slab's sums of all outputs
    /// stay in the first-level cache.</summary>
    private const int SlabRows = 2, SlabResident = 6144;

    /// <summary>Rows of W in a slab, and most slabs: they follow from the shape alone, so that sums do not depend on threads.</summary>
    private const int SlabDepth = 192, MaxSlabs = 16;

    /// <summary>Columns whose sums of one row stay in the first-level cache beside a single stream of weights. Measured.</summary>
    private const int OneByOneColumns = 1024;

    private static int PaddedColumns(int columns) => (columns + TW.Count - 1) / TW.Count * TW.Count;

    private static long RowSumsScratch(int rows, int columns) => (rows + 4L) * PaddedColumns(columns);

    private static int SlabsOf(int rows, Linear linear) =>
        rows <= SlabRows || (rows <= MaxSumRows && rows * linear.Out <= SlabResident) ? Math.Clamp(linear.In / SlabDepth, 1, MaxSlabs) : 0;

    private static long SlabFloats(in MatMulPlan plan, int outputs) => (long)plan.Slabs * plan.Rows * PaddedColumns(outputs);

    /// <summary>Outputs of one slab that a chunk sums: all of them, unless there are more threads than slabs.</summary>
    private int SlabOutputs(in MatMulPlan plan, int outputs)
    {
        var blocks = pool.Threads <= plan.Slabs ? 1 : (2 * pool.Threads + plan.Slabs - 1) / plan.Slabs;
        return Math.Max(PanelLanes, PaddedColumns((outputs + blocks - 1) / blocks));
    }

    /// <summary>The first row of W of a slab.</summary>
    private static int SlabStart(in MatMulPlan plan, int slab)
    {
        // A multiple of four rows, as many as the kernel takes at once.
        var depth = ((plan.In + plan.Slabs - 1) / plan.Slabs + 3) / 4 * 4;
        return Math.Min(plan.In, slab * depth);
    }

    /// <summary>One slab of k of some outputs of one part: into its place among the partial sums.</summary>
    private static void SumSlab(in MatMulPlan plan, in MatMulPart part, int chunk, int worker)
    {
        var slab = chunk % plan.Slabs;
        var first = chunk / plan.Slabs * part.ChunkOut;
        var columns = Math.Min(part.ChunkOut, part.Out - first);
        nint sumStride = PaddedColumns(part.Out);
        var from = SlabStart(plan, slab);
        var to = SlabStart(plan, slab + 1);
        var sums = part.SlabSums + slab * plan.Rows * sumStride + first;
        var widened = (float*)(plan.Scratch + worker * plan.ScratchStride);
        switch (part.Type)
        {
            case DType.F32: SumRows<WeightF32>(plan, part, from, to, first, columns, sums, sumStride, widened); break;
            case DType.F16: SumRows<WeightF16>(plan, part, from, to, first, columns, sums, sumStride, widened); break;
            case DType.BF16: SumRows<WeightBF16>(plan, part, from, to, first, columns, sums, sumStride, widened); break;
            default: throw new ShapeException($"the cpu device does not compute with {part.Type} weights");
        }
    }

    /// <summary>output [rows, out] of one part = the sums of its slabs, in ascending order, and the bias.</summary>
    private static void StoreSlabs(in MatMulPlan plan, in MatMulPart part, float* output, nint stride, bool accumulate)
    {
        nint sumStride = PaddedColumns(part.Out);
        for (var row = 0; row < plan.Rows; row++)
        {
            var sums = part.SlabSums + row * sumStride;
            for (nint n = 0; n < sumStride; n += TW.Count)
            {
                var sum = TW.Load(sums + n);
                for (var slab = 1; slab < plan.Slabs; slab++)
                {
                    sum = TW.Add(sum, TW.Load(sums + slab * plan.Rows * sumStride + n));
                }

                TW.Store(sum, sums + n);
            }

            StoreRow(sums, part.Bias, part.Out, output + row * stride, accumulate);
        }
    }

    private static void RowSumsBlock<TE>(
        in MatMulPlan plan, in MatMulPart part, int first, int last, float* output, nint stride, bool accumulate, float* scratch)
        where TE : IWeightType
    {
        var columns = last - first;
        nint sumStride = PaddedColumns(columns);
        SumRows<TE>(plan, part, 0, plan.In, first, columns, scratch, sumStride, scratch + plan.Rows * sumStride);
        for (var row = 0; row < plan.Rows; row++)
        {
            StoreRow(scratch + row * sumStride, part.Bias == null ? null : part.Bias + first, columns, output + row * stride, accumulate);
        }
    }

    /// <summary>sums [rows, columns] = x[k] * W[k] over k from <paramref name="from"/> to <paramref name="to"/>, in ascending order.</summary>
    /// <param name="widened">Room for four rows of sums.</param>
    private static void SumRows<TE>(
        in MatMulPlan plan, in MatMulPart part, int from, int to, int first, int columns, float* sums, nint sumStride, float* widened)
        where TE : IWeightType
    {
        for (var row = 0; row < plan.Rows; row++)
        {
            new Span<float>(sums + row * sumStride, columns).Clear();
        }

        var wide = WidenFirst<TE>(plan.Rows);
        var oneByOne = plan.Rows == 1 && columns <= OneByOneColumns;
        var k = from;
        for (; !oneByOne && k + 4 <= to; k += 4)
        {
            var w = part.Weight + (k * part.Stride + first) * TE.Bytes;
            var ahead = k + 8 <= to ? 4 * part.Stride * TE.Bytes : 0;
            if (wide)
            {
                Prefetch.Rows(w + ahead, part.Stride * TE.Bytes, ahead > 0 ? 4 : 0, columns * TE.Bytes);
                for (var i = 0; i < 4; i++)
                {
                    Widening.Copy<TW, TV, TE>(w, i * part.Stride, columns, widened + i * sumStride);
                }

                AddFour<WeightF32>(plan, k, (byte*)widened, sumStride, columns, sums, sumStride, 0);
            }
            else
            {
                AddFour<TE>(plan, k, w, part.Stride, columns, sums, sumStride, ahead);
            }
        }

        for (var row = 0; row < plan.Rows; row++)
        {
            AddOneByOne<TE>(
                plan.PaddedRows + (nint)row * plan.PaddedIn + k,
                part.Weight + (k * part.Stride + first) * TE.Bytes, part.Stride, to - k, columns, sums + row * sumStride);
        }
    }

    /// <summary>sums[row] += x[row][k..k + 4) times four rows of W, for all rows, as many at once as registers allow.</summary>
    /// <param name="ahead">Bytes from these weights to those that the first rows ask for meanwhile, line by line as they compute; or 0.</param>
    private static void AddFour<TE>(
        in MatMulPlan plan, int k, byte* w, long wStride, int columns, float* sums, nint sumStride, long ahead) where TE : IWeightType
    {
        var row = 0;
        for (; TW.ManyRegisters && row + 4 <= plan.Rows; row += 4)
        {
            AddFour4<TE>(
                plan.PaddedRows + (nint)row * plan.PaddedIn + k, plan.PaddedIn, w, wStride, columns, sums + row * sumStride, sumStride, ahead);
            // What the first rows have asked for is on its way.
            ahead = 0;
        }

        for (; row + 2 <= plan.Rows; row += 2)
        {
            AddFour2<TE>(
                plan.PaddedRows + (nint)row * plan.PaddedIn + k, plan.PaddedIn, w, wStride, columns, sums + row * sumStride, sumStride, ahead);
            ahead = 0;
        }

        if (row < plan.Rows)
        {
            AddFour1<TE>(plan.PaddedRows + (nint)row * plan.PaddedIn + k, w, wStride, columns, sums + row * sumStride, ahead);
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

    /// <summary>The columns after the last whole register, one by one and in the same order over k.</summary>
    private static void AddTail<TE>(float* x, byte* w, long wStride, int count, nint first, int columns, float* sums) where TE : IWeightType
    {
        for (var n = first; n < columns; n++)
        {
            var sum = sums[n];
            for (var k = 0; k < count; k++)
            {
                sum = SimdScalar.MultiplyAdd(x[k], TE.LoadOne(w, k * wStride + n), sum);
            }

            sums[n] = sum;
        }
    }

    /// <summary>sums += x[k] * W[k] for <paramref name="count"/> rows of W, one after the other: a single stream.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void AddOneByOne<TE>(float* x, byte* w, long wStride, int count, int columns, float* sums) where TE : IWeightType
    {
        nint whole = columns / TW.Count * TW.Count;
        var row = w;
        for (var k = 0; k < count; k++, row += wStride * TE.Bytes)
        {
            var b = TW.Create(x[k]);
            nint n = 0;
            for (; n <= whole - 4 * TW.Count; n += 4 * TW.Count)
            {
                var v0 = TE.Load<TW, TV>(row, n);
                var v1 = TE.Load<TW, TV>(row, n + TW.Count);
                var v2 = TE.Load<TW, TV>(row, n + 2 * TW.Count);
                var v3 = TE.Load<TW, TV>(row, n + 3 * TW.Count);
                TW.Store(TW.MultiplyAdd(b, v0, TW.Load(sums + n)), sums + n);
                TW.Store(TW.MultiplyAdd(b, v1, TW.Load(sums + n + TW.Count)), sums + n + TW.Count);
                TW.Store(TW.MultiplyAdd(b, v2, TW.Load(sums + n + 2 * TW.Count)), sums + n + 2 * TW.Count);
                TW.Store(TW.MultiplyAdd(b, v3, TW.Load(sums + n + 3 * TW.Count)), sums + n + 3 * TW.Count);
            }

            for (; n < whole; n += TW.Count)
            {
                TW.Store(TW.MultiplyAdd(b, TE.Load<TW, TV>(row, n), TW.Load(sums + n)), sums + n);
            }
        }

        AddTail<TE>(x, w, wStride, count, whole, columns, sums);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void AddFour1<TE>(
        float* x, byte* w0, long wStride, int columns, float* sums, long ahead = 0) where TE : IWeightType
    {
        byte* w1 = w0 + wStride * TE.Bytes, w2 = w1 + wStride * TE.Bytes, w3 = w2 + wStride * TE.Bytes;
        TV b00 = TW.Create(x[0]), b01 = TW.Create(x[1]), b02 = TW.Create(x[2]), b03 = TW.Create(x[3]);
        nint whole = columns / TW.Count * TW.Count;
        for (nint n = 0; n < whole; n += TW.Count)
        {
            if (ahead != 0)
            {
                var next = ahead + n * TE.Bytes;
                Prefetch.Lines(w0 + next, w1 + next, w2 + next, w3 + next);
            }

            TV v0 = TE.Load<TW, TV>(w0, n), v1 = TE.Load<TW, TV>(w1, n), v2 = TE.Load<TW, TV>(w2, n), v3 = TE.Load<TW, TV>(w3, n);
            var sum = TW.MultiplyAdd(b01, v1, TW.MultiplyAdd(b00, v0, TW.Load(sums + n)));
            TW.Store(TW.MultiplyAdd(b03, v3, TW.MultiplyAdd(b02, v2, sum)), sums + n);
        }

        AddTail<TE>(x, w0, wStride, 4, whole, columns, sums);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void AddFour2<TE>(
        float* x, nint xStride, byte* w0, long wStride, int columns, float* sums, nint sumStride, long ahead) where TE : IWeightType
    {
        byte* w1 = w0 + wStride * TE.Bytes, w2 = w1 + wStride * TE.Bytes, w3 = w2 + wStride * TE.Bytes;
        var x1 = x + xStride;
        var sums1 = sums + sumStride;
        TV b00 = TW.Create(x[0]), b01 = TW.Create(x[1]), b02 = TW.Create(x[2]), b03 = TW.Create(x[3]);
        TV b10 = TW.Create(x1[0]), b11 = TW.Create(x1[1]), b12 = TW.Create(x1[2]), b13 = TW.Create(x1[3]);
        nint whole = columns / TW.Count * TW.Count;
        for (nint n = 0; n < whole; n += TW.Count)
        {
            if (ahead != 0)
            {
                var next = ahead + n * TE.Bytes;
                Prefetch.Lines(w0 + next, w1 + next, w2 + next, w3 + next);
            }

            TV v0 = TE.Load<TW, TV>(w0, n), v1 = TE.Load<TW, TV>(w1, n), v2 = TE.Load<TW, TV>(w2, n), v3 = TE.Load<TW, TV>(w3, n);
            var sum = TW.MultiplyAdd(b01, v1, TW.MultiplyAdd(b00, v0, TW.Load(sums + n)));
            TW.Store(TW.MultiplyAdd(b03, v3, TW.MultiplyAdd(b02, v2, sum)), sums + n);
            sum = TW.MultiplyAdd(b11, v1, TW.MultiplyAdd(b10, v0, TW.Load(sums1 + n)));
            TW.Store(TW.MultiplyAdd(b13, v3, TW.MultiplyAdd(b12, v2, sum)), sums1 + n);
        }

        AddTail<TE>(x, w0, wStride, 4, whole, columns, sums);
        AddTail<TE>(x1, w0, wStride, 4, whole, columns, sums1);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void AddFour4<TE>(
        float* x, nint xStride, byte* w0, long wStride, int columns, float* sums, nint sumStride, long ahead) where TE : IWeightType
    {
        byte* w1 = w0 + wStride * TE.Bytes, w2 = w1 + wStride * TE.Bytes, w3 = w2 + wStride * TE.Bytes;
        var x1 = x + xStride;
        var x2 = x + 2 * xStride;
        var x3 = x + 3 * xStride;
        var sums1 = sums + sumStride;
        var sums2 = sums + 2 * sumStride;
        var sums3 = sums + 3 * sumStride;
        TV b00 = TW.Create(x[0]), b01 = TW.Create(x[1]), b02 = TW.Create(x[2]), b03 = TW.Create(x[3]);
        TV b10 = TW.Create(x1[0]), b11 = TW.Create(x1[1]), b12 = TW.Create(x1[2]), b13 = TW.Create(x1[3]);
        TV b20 = TW.Create(x2[0]), b21 = TW.Create(x2[1]), b22 = TW.Create(x2[2]), b23 = TW.Create(x2[3]);
        TV b30 = TW.Create(x3[0]), b31 = TW.Create(x3[1]), b32 = TW.Create(x3[2]), b33 = TW.Create(x3[3]);
        nint whole = columns / TW.Count * TW.Count;
        for (nint n = 0; n < whole; n += TW.Count)
        {
            if (ahead != 0)
            {
                var next = ahead + n * TE.Bytes;
                Prefetch.Lines(w0 + next, w1 + next, w2 + next, w3 + next);
            }

            TV v0 = TE.Load<TW, TV>(w0, n), v1 = TE.Load<TW, TV>(w1, n), v2 = TE.Load<TW, TV>(w2, n), v3 = TE.Load<TW, TV>(w3, n);
            var sum = TW.MultiplyAdd(b01, v1, TW.MultiplyAdd(b00, v0, TW.Load(sums + n)));
            TW.Store(TW.MultiplyAdd(b03, v3, TW.MultiplyAdd(b02, v2, sum)), sums + n);
            sum = TW.MultiplyAdd(b11, v1, TW.MultiplyAdd(b10, v0, TW.Load(sums1 + n)));
            TW.Store(TW.MultiplyAdd(b13, v3, TW.MultiplyAdd(b12, v2, sum)), sums1 + n);
            sum = TW.MultiplyAdd(b21, v1, TW.MultiplyAdd(b20, v0, TW.Load(sums2 + n)));
            TW.Store(TW.MultiplyAdd(b23, v3, TW.MultiplyAdd(b22, v2, sum)), sums2 + n);
            sum = TW.MultiplyAdd(b31, v1, TW.MultiplyAdd(b30, v0, TW.Load(sums3 + n)));
            TW.Store(TW.MultiplyAdd(b33, v3, TW.MultiplyAdd(b32, v2, sum)), sums3 + n);
        }

        AddTail<TE>(x, w0, wStride, 4, whole, columns, sums);
        AddTail<TE>(x1, w0, wStride, 4, whole, columns, sums1);
        AddTail<TE>(x2, w0, wStride, 4, whole, columns, sums2);
        AddTail<TE>(x3, w0, wStride, 4, whole, columns, sums3);
    }
}
