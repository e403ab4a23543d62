// Products for many rows by register tiles. [out, in]: tiles of Wᵀ's transpose, eight weight rows by a panel of xᵀ, so that weights are
// widened but never transposed; [in, out]: eight rows of x by a panel of W. Blocking after Goto and van de Geijn 2008.
using System.Runtime.Intrinsics;
using Rt.Core;

namespace Rt.Cpu;

internal sealed unsafe partial class CpuOps<TW, TV>
{
    /// <summary>Most outputs of one chunk of the packed [out, in] form.</summary>
    private const int PackedOutputs = 64;

    /// <summary>Most panels of rows whose depth-wide slice stays in the second-level cache.</summary>
    private const int PanelsPerBlock = 11;

    /// <summary>Lanes of a full panel.</summary>
    private static int PanelLanes => Tile.MaxVectors * TW.Count;

    /// <summary>Rows rounded up to whole registers.</summary>
    private static int PanelRows(int rows) => (rows + TW.Count - 1) / TW.Count * TW.Count;

    /// <summary>Row stride of the transposed results of a chunk; a line more than the rows, off the cache sets' period.</summary>
    private static nint ResultStride(int rows) => Math.Min(PanelRows(rows), PanelsPerBlock * PanelLanes) + 16;

    private static long PackedScratch(int rows) => Tile.SideSize + PackedOutputs * ResultStride(rows);

    private static void PackedBlock<TE>(
        in MatMulPlan plan, in MatMulPart part, int first, int last, float* output, nint stride, bool accumulate, float* scratch)
        where TE : IWeightType
    {
        var side = scratch;
        var results = scratch + Tile.SideSize;
        var resultStride = ResultStride(plan.Rows);
        var blockLanes = PanelsPerBlock * PanelLanes;
        for (var rowStart = 0; rowStart < plan.Rows; rowStart += blockLanes)
        {
            var rowEnd = Math.Min(PanelRows(plan.Rows), rowStart + blockLanes);
            for (var k = 0; k < plan.In; k += Tile.Depth)
            {
                var depth = Math.Min(Tile.Depth, plan.In - k);
                for (var n = first; n < last; n += Tile.Rows)
                {
                    PackWeightRows<TE>(part, n, Math.Min(Tile.Rows, last - n), k, depth, side);
                    var result = results + (n - first) * resultStride;
                    var upcoming = UpcomingWeightRows<TE>(plan, part, n, k, first, last);
                    for (var lane = rowStart; lane < rowEnd; lane += PanelLanes)
                    {
                        var vectors = Math.Min(Tile.MaxVectors, (rowEnd - lane) / TW.Count);
                        nint lanes = vectors * TW.Count;
                        upcoming.Ask(lane - rowStart, lane - rowStart + (int)lanes, rowEnd - rowStart);
                        // A panel of l lanes starts after lane * In elements, whatever the widths before it.
                        var panel = plan.Panels + (long)lane * plan.In + k * lanes;
                        Tile<TW, TV, RowMajorSide>.Run(
                            side, Tile.SideStride, panel, lanes, depth, result + (lane - rowStart), resultStride, vectors, k > 0);
                    }
                }
            }

            StoreTransposed(
                results, resultStride, Math.Min(plan.Rows, rowEnd) - rowStart, last - first,
                part.Bias == null ? null : part.Bias + first, output + rowStart * stride, stride, accumulate);
        }
    }

    /// <summary>What is packed after eight weight rows of one depth: the next eight, the chunk's next depth, the next chunk.</summary>
    private static UpcomingRows UpcomingWeightRows<TE>(in MatMulPlan plan, in MatMulPart part, int n, int k, int first, int last)
        where TE : IWeightType
    {
        (n, k) = n + Tile.Rows < last ? (n + Tile.Rows, k) : k + Tile.Depth < plan.In ? (first, k + Tile.Depth) : (last, 0);
        return new UpcomingRows(
            part.Weight + (n * part.Stride + k) * TE.Bytes, part.Stride * TE.Bytes,
            Math.Min(Tile.Rows, part.Out - n), Math.Min(Tile.Depth, plan.In - k) * TE.Bytes);
    }

    /// <summary>Eight weight rows of one depth in F32, zeros for missing rows.</summary>
    private static void PackWeightRows<TE>(in MatMulPart part, int first, int rows, int k, int depth, float* side)
        where TE : IWeightType
    {
        for (var row = 0; row < rows; row++)
        {
            Widening.Copy<TW, TV, TE>(part.Weight, (first + row) * part.Stride + k, depth, side + row * Tile.SideStride);
        }

        for (var row = rows; row < Tile.Rows; row++)
        {
            new Span<float>(side + row * Tile.SideStride, depth).Clear();
        }
    }

    /// <summary>output[row][n] = results[n][row] + bias[n], added to the output where asked.</summary>
    private static void StoreTransposed(
        float* results, nint resultStride, int rows, int outputs, float* bias, float* output, nint stride, bool accumulate)
    {
        var row = 0;
        for (; row + 4 <= rows; row += 4)
        {
            var n = 0;
            for (; n + 4 <= outputs; n += 4)
            {
                var source = results + n * resultStride + row;
                var (r0, r1, r2, r3) = Transposition.FourByFour(
                    Vector128.Load(source), Vector128.Load(source + resultStride),
                    Vector128.Load(source + 2 * resultStride), Vector128.Load(source + 3 * resultStride));
                if (bias != null)
                {
                    var offset = Vector128.Load(bias + n);
                    r0 += offset;
                    r1 += offset;
                    r2 += offset;
                    r3 += offset;
                }

                var target = output + row * stride + n;
                if (accumulate)
                {
                    r0 = Vector128.Load(target) + r0;
                    r1 = Vector128.Load(target + stride) + r1;
                    r2 = Vector128.Load(target + 2 * stride) + r2;
                    r3 = Vector128.Load(target + 3 * stride) + r3;
                }

                r0.Store(target);
                r1.Store(target + stride);
                r2.Store(target + 2 * stride);
                r3.Store(target + 3 * stride);
            }

            StoreTransposedScalar(results, resultStride, row, row + 4, n, outputs, bias, output, stride, accumulate);
        }

        StoreTransposedScalar(results, resultStride, row, rows, 0, outputs, bias, output, stride, accumulate);
    }

    private static void StoreTransposedScalar(
        float* results, nint resultStride, int firstRow, int lastRow, int first, int last, float* bias, float* output, nint stride, bool accumulate)
    {
        for (var row = firstRow; row < lastRow; row++)
        {
            for (var n = first; n < last; n++)
            {
                var sum = results[n * resultStride + row];
                sum = bias == null ? sum : sum + bias[n];
                output[row * stride + n] = accumulate ? output[row * stride + n] + sum : sum;
            }
        }
    }

    /// <summary>Transposes x into panels: chunk = one depth of one panel.</summary>
    private struct PackPanelsJob : IJob
    {
        public MatMulPlan Plan;
        public float* X;
        public nint Stride;

        private readonly int Depths => (Plan.In + Tile.Depth - 1) / Tile.Depth;

        public readonly int Chunks => (Plan.Rows + PanelLanes - 1) / PanelLanes * Depths;

        public void Run(int chunk, int worker)
        {
            var lane = chunk / Depths * PanelLanes;
            var k = chunk % Depths * Tile.Depth;
            var lanes = Math.Min(PanelLanes, PanelRows(Plan.Rows) - lane);
            var rows = Math.Min(lanes, Plan.Rows - lane);
            var sources = stackalloc float*[Tile.MaxLanes];
            for (var i = 0; i < rows; i++)
            {
                sources[i] = X + (lane + i) * Stride + k;
            }

            Transposition.Pack(
                sources, rows, Math.Min(Tile.Depth, Plan.In - k),
                Plan.Panels + (long)lane * Plan.In + (nint)k * lanes, lanes, 1f);
        }
    }

    private static long SidesSize(in MatMulPlan plan) =>
        (long)((plan.Rows + Tile.Rows - 1) / Tile.Rows) * ((plan.In + Tile.Depth - 1) / Tile.Depth) * Tile.SideSize;

    private static long PackedInputMajorScratch(int rows) =>
        ((long)Tile.Depth + (rows + Tile.Rows - 1) / Tile.Rows * Tile.Rows) * PanelLanes;

    private static void PackedInputMajorBlock<TE>(
        in MatMulPlan plan, in MatMulPart part, int first, int last, float* output, nint stride, bool accumulate, float* scratch)
        where TE : IWeightType
    {
        var sideCount = (plan.Rows + Tile.Rows - 1) / Tile.Rows;
        for (var column = first; column < last; column += PanelLanes)
        {
            var columns = Math.Min(PanelLanes, last - column);
            var vectors = (columns + TW.Count - 1) / TW.Count;
            nint lanes = vectors * TW.Count;
            var panel = scratch;
            var results = scratch + Tile.Depth * lanes;
            for (var k = 0; k < plan.In; k += Tile.Depth)
            {
                var depth = Math.Min(Tile.Depth, plan.In - k);
                for (var i = 0; i < depth; i++)
                {
                    var target = panel + i * lanes;
                    Widening.Copy<TW, TV, TE>(part.Weight, (k + i) * part.Stride + column, columns, target);
                    new Span<float>(target + columns, (int)lanes - columns).Clear();
                }

                var side = plan.Sides + (long)(k / Tile.Depth) * sideCount * Tile.SideSize;
                var upcoming = UpcomingPanel<TE>(plan, part, column, k);
                for (var s = 0; s < sideCount; s++)
                {
                    upcoming.Ask(s, s + 1, sideCount);
                    Tile<TW, TV, RowMajorSide>.Run(
                        side + (long)s * Tile.SideSize, Tile.SideStride, panel, lanes, depth, results + s * Tile.Rows * lanes, lanes, vectors, k > 0);
                }
            }

            for (var row = 0; row < plan.Rows; row++)
            {
                StoreRow(
                    results + row * lanes, part.Bias == null ? null : part.Bias + column, columns,
                    output + row * stride + (column - first), accumulate);
            }
        }
    }

    /// <summary>What is packed after one depth of a panel: its next depth, or the next panel.</summary>
    private static UpcomingRows UpcomingPanel<TE>(in MatMulPlan plan, in MatMulPart part, int column, int k) where TE : IWeightType
    {
        (column, k) = k + Tile.Depth < plan.In ? (column, k + Tile.Depth) : (column + PanelLanes, 0);
        return new UpcomingRows(
            part.Weight + (k * part.Stride + column) * TE.Bytes, part.Stride * TE.Bytes,
            column < part.Out ? Math.Min(Tile.Depth, plan.In - k) : 0, Math.Min(PanelLanes, part.Out - column) * TE.Bytes);
    }

    /// <summary>Copies x into sides of eight rows: chunk = eight rows, all depths.</summary>
    private struct PackSidesJob : IJob
    {
        public MatMulPlan Plan;
        public float* X;
        public nint Stride;

        public readonly int Chunks => (Plan.Rows + Tile.Rows - 1) / Tile.Rows;

        public void Run(int chunk, int worker)
        {
            var row = chunk * Tile.Rows;
            var rows = Math.Min(Tile.Rows, Plan.Rows - row);
            for (var k = 0; k < Plan.In; k += Tile.Depth)
            {
                var depth = Math.Min(Tile.Depth, Plan.In - k);
                var side = Plan.Sides + ((long)(k / Tile.Depth) * Chunks + chunk) * Tile.SideSize;
                for (var i = 0; i < Tile.Rows; i++)
                {
                    var target = new Span<float>(side + i * Tile.SideStride, depth);
                    if (i < rows)
                    {
                        new ReadOnlySpan<float>(X + (row + i) * Stride + k, depth).CopyTo(target);
                    }
                    else
                    {
                        target.Clear();
                    }
                }
            }
        }
    }
}
