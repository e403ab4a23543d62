// One launch of a matrix product, or two where the inner axis is split: the choice of kernel and tile, and the arguments.
// The model of a tile's speed: the share of the peak that its shape reached in CUTLASS's published profiles.
using Rt.Core;
using Rt.Gpu;
using Rt.Kernels;

namespace Rt.Cuda;

/// <summary>A product of rows with one to three parts of one dtype and layout.</summary>
internal readonly ref struct MatrixProduct(
    Tensor x, ReadOnlySpan<LinearPart> parts, bool accumulate, int activation, bool gated, Tensor destination)
{
    public readonly Tensor X = x;
    public readonly ReadOnlySpan<LinearPart> Parts = parts;
    public readonly bool Accumulate = accumulate;

    /// <summary>0 none, else 1 + the value of <see cref="Core.Activation"/>.</summary>
    public readonly int Activation = activation;

    /// <summary>Two parts of equal width: activation(first) * second.</summary>
    public readonly bool Gated = gated;
    public readonly Tensor Destination = destination;

    public int Rows => X.Dim1;

    public int Depth => X.Columns;

    public bool InputMajor => Parts[0].InputMajor;

    public DType WeightType => Parts[0].Weight.DType;

    /// <summary>Columns of part <paramref name="index"/>; 0 where there is none.</summary>
    public int Out(int index) => index < Parts.Length ? Parts[index].Out : 0;

    public int Columns => Out(0) + Out(1) + Out(2);
}

/// <summary>A kernel for products and the tile it computes per group.</summary>
/// <param name="Entry">The kernel.</param>
/// <param name="TileRows">Rows of a tile.</param>
/// <param name="TileColumns">Columns of a tile.</param>
/// <param name="SharedBytes">Dynamic shared memory.</param>
/// <param name="SplitUnit">Splits of the inner axis are multiples of it.</param>
/// <param name="LeastSplit">Shortest split that is worth its partial sums.</param>
internal readonly record struct ProductPlan(
    KernelEntry Entry, int TileRows, int TileColumns, int SharedBytes, int SplitUnit, int LeastSplit);

public sealed partial class GpuDevice
{
    private const int MostParts = 3;

    // Rows up to which weights are streamed rather than tiled.
    private const int MostMmaRows = 16;
    private const int MostFmaRows = 8;

    // Share of the peak that a tile reaches when every multiprocessor has one.
    private static readonly (int Rows, int Columns, double Share)[] MmaTiles =
        [(16, 64, 0.2), (64, 64, 0.5), (128, 128, 0.85), (128, 256, 1.0)];

    private static readonly (int Rows, int Columns, double Share)[] FmaTiles = [(32, 64, 0.55), (128, 128, 1.0)];

    /// <summary>Rows of the tile that every product is to use where it can; 0 leaves the choice. For tests.</summary>
    internal int TileRows { get; set; }

    /// <summary>Columns of that tile.</summary>
    internal int TileColumns { get; set; }

    private void Product(in MatrixProduct product)
    {
        if (product.Rows == 0 || product.Columns == 0)
        {
            return;
        }

        var chunkAligned = true;
        var quadAligned = IsAligned(product.X, 4);
        for (var i = 0; i < product.Parts.Length; i++)
        {
            chunkAligned &= IsAligned(product.Parts[i].Weight, Chunk(product.WeightType, product.WeightType));
            quadAligned &= IsAligned(product.Parts[i].Weight, 4);
        }

        var plan = Plan(product, chunkAligned, out var sourceAligned, quadAligned);
        var groups = ColumnTiles.Groups(
            product.Rows, product.Out(0), product.Out(1), product.Out(2), product.Gated, plan.TileRows, plan.TileColumns);
        var depthPerSplit = DepthPerSplit(product, plan, groups);
        var splits = Groups(product.Depth, depthPerSplit);
        var aligned = IsAligned(product.Destination, 4) && product.Out(0) % 4 == 0 && product.Out(1) % 4 == 0;
        if (splits == 1)
        {
            Launch(product, plan, product.Gated, groups, product.Depth, 1, null, sourceAligned, aligned);
            return;
        }

        // Partial sums of gate and partner lie side by side.
        using var scratch = Scratch();
        var partials = scratch.Take(DType.F32, splits, product.Rows, product.Columns);
        var partialsAligned = product.Out(0) % 4 == 0 && product.Out(1) % 4 == 0 && product.Out(2) % 4 == 0;
        groups = ColumnTiles.Groups(product.Rows, product.Out(0), product.Out(1), product.Out(2), false, plan.TileRows, plan.TileColumns);
        Launch(product, plan, false, groups, depthPerSplit, splits, partials, sourceAligned, partialsAligned);
        var columns = Math.Max(product.Out(0), Math.Max(product.Out(1), product.Out(2)));
        var sum = Start(Kernel(nameof(SumPartials.SumPartialsKernel), ElementOf(product.Destination.DType)))
            .Add(partials).Add(splits).Add(product.Out(0)).Add(product.Out(1)).Add(product.Out(2));
        AddBiases(sum, product)
            .Add(product.Rows).Add(product.Destination).Add(product.Destination.Stride1).Add(product.Accumulate).Add(product.Activation)
            .Add(product.Gated).Add(aligned).Add(partialsAligned)
            .Run(Groups(columns, 4 * SumPartials.GroupSize), Math.Min(product.Rows, MostRowGroups), product.Gated ? 1 : product.Parts.Length);
    }

    /// <summary>Inner axis per split: all of it, unless groups are too few to fill the multiprocessors.</summary>
    private int DepthPerSplit(in MatrixProduct product, in ProductPlan plan, int groups)
    {
        var wanted = _launcher.Multiprocessors / groups;
        if (Options.BatchInvariant || wanted < 2 || product.Depth < 2 * plan.LeastSplit)
        {
            return product.Depth;
        }

        var splits = Math.Min(wanted, product.Depth / plan.LeastSplit);
        var depth = (product.Depth + splits - 1) / splits;
        return (depth + plan.SplitUnit - 1) / plan.SplitUnit * plan.SplitUnit;
    }

    private ProductPlan Plan(in MatrixProduct product, bool chunkAligned, out bool sourceAligned, bool quadAligned)
    {
        var a = product.X.DType;
        var w = product.WeightType;
        var d = product.Destination.DType;
        var chunk = Chunk(w, w);
        var layout = product.InputMajor ? typeof(InputMajorLayout) : typeof(OutputMajorLayout);
        sourceAligned = chunkAligned && IsAligned(product.X, Math.Max(chunk, Chunk(a, a)));
        var wholeChunks = sourceAligned && product.Depth % chunk == 0;
        for (var i = 0; product.InputMajor && i < product.Parts.Length; i++)
        {
            wholeChunks &= product.Parts[i].Out % chunk == 0;
        }

        var halves = a == w && a != DType.F32;
        var tensorCores = wholeChunks && a == w && (halves || Options.Tf32) && (!product.InputMajor || (halves && d == a));
        if (!Options.BatchInvariant && TileRows == 0)
        {
            if (tensorCores && halves && !product.InputMajor && product.Rows <= MostMmaRows)
            {
                return new ProductPlan(
                    Kernel(nameof(MatVecMma.MatVecMmaKernel), ElementOf(a), ElementOf(d), product.Rows <= 8 ? typeof(Count8) : typeof(Count16)),
                    MostMmaRows, MatVecMma.Columns, 0, 128, 512);
            }

            if (product.Rows <= MostFmaRows && d == a && (a == DType.F32 || (halves && product.InputMajor)))
            {
                var rows = product.Rows == 1 ? typeof(Count1) : product.Rows <= 4 ? typeof(Count4) : typeof(Count8);
                return product.InputMajor
                    ? new ProductPlan(
                        Kernel(nameof(MatVec.MatVecInputMajorKernel), ElementOf(a), ElementOf(w), ElementOf(d), rows),
                        MostFmaRows, MatVec.InputMajorColumns(w.Bytes()), 0, 128, 256)
                    : new ProductPlan(
                        Kernel(nameof(MatVec.MatVecKernel), ElementOf(a), ElementOf(w), ElementOf(d), rows),
                        MostFmaRows, MatVec.Columns, 0, 128, 512);
            }
        }

        if (tensorCores)
        {
            var (tileRows, tileColumns) = Tile(product, MmaTiles, d == w && halves ? 4 : 3);
            var (method, shape) = (tileRows, tileColumns) switch
            {
                (16, _) => (nameof(MatMulMma.MatMulMmaNarrowKernel), typeof(Mma16X64)),
                (64, _) => (nameof(MatMulMma.MatMulMmaSmallKernel), typeof(Mma64X64)),
                (_, 128) => (nameof(MatMulMma.MatMulMmaLargeKernel), typeof(Mma128X128)),
                _ => (nameof(MatMulMma.MatMulMmaLargeKernel), typeof(Mma128X256)),
            };
            return new ProductPlan(
                Kernel(method, ElementOf(a), ElementOf(d), layout, shape), tileRows, tileColumns,
                MatMulMma.SharedBytes(tileRows, tileColumns), 128, 256);
        }

        sourceAligned = quadAligned;
        var (fmaRows, fmaColumns) = Tile(product, FmaTiles, a == DType.F32 && d == DType.F32 ? 2 : 1);
        return new ProductPlan(
            fmaRows == 32
                ? Kernel(nameof(MatMulFma.MatMulFmaSmallKernel), ElementOf(a), ElementOf(w), ElementOf(d), typeof(Fma32X64))
                : Kernel(nameof(MatMulFma.MatMulFmaLargeKernel), ElementOf(a), ElementOf(w), ElementOf(d), typeof(Fma128X128)),
            fmaRows, fmaColumns, 0, 128, 256);
    }

    /// <summary>The tile with which the multiprocessors are done first: rounds of tiles, times a tile's work over its speed.</summary>
    private (int Rows, int Columns) Tile(in MatrixProduct product, ReadOnlySpan<(int Rows, int Columns, double Share)> tiles, int count)
    {
        var best = 0;
        var bestTime = double.PositiveInfinity;
        for (var i = 0; i < count; i++)
        {
            var (rows, columns, share) = tiles[i];
            if (rows == TileRows && columns == TileColumns)
            {
                return (rows, columns);
            }

            var groups = ColumnTiles.Groups(product.Rows, product.Out(0), product.Out(1), product.Out(2), product.Gated, rows, columns);
            var time = Groups(groups, _launcher.Multiprocessors) * (rows * columns / share);
            if (time < bestTime)
            {
                bestTime = time;
                best = i;
            }
        }

        return (tiles[best].Rows, tiles[best].Columns);
    }

    private void Launch(
        in MatrixProduct product, in ProductPlan plan, bool gated, int groups, int depthPerSplit, int splits, Tensor? partials,
        bool sourceAligned, bool aligned)
    {
        var launch = Start(plan.Entry).Add(product.X).Add(product.X.Stride1);
        for (var i = 0; i < MostParts; i++)
        {
            launch.Add(i < product.Parts.Length ? product.Parts[i].Weight : (Tensor?)null);
        }

        for (var i = 0; i < MostParts; i++)
        {
            launch.Add(i < product.Parts.Length ? product.Parts[i].Weight.Stride1 : 0L);
        }

        launch.Add(product.Out(0)).Add(product.Out(1)).Add(product.Out(2));
        AddBiases(launch, product);
        var entry = plan.Entry;
        if (HasParameter(entry, "inputMajor"))
        {
            launch.Add(product.InputMajor);
        }

        launch.Add(product.Rows).Add(product.Depth).Add(depthPerSplit).Add(partials).Add(product.Destination).Add(product.Destination.Stride1)
            .Add(product.Accumulate).Add(product.Activation).Add(gated);
        if (HasParameter(entry, "sourceAligned"))
        {
            launch.Add(sourceAligned);
        }

        launch.Add(aligned).Run(groups, splits, 1, plan.SharedBytes);
    }

    private static KernelLaunch AddBiases(KernelLaunch launch, in MatrixProduct product)
    {
        var types = 0;
        for (var i = 0; i < MostParts; i++)
        {
            var bias = i < product.Parts.Length ? product.Parts[i].Bias : null;
            launch.AddBytes(bias);
            types |= (bias?.DType switch { DType.BF16 => 1, DType.F16 => 2, _ => 0 }) << (2 * i);
        }

        return launch.Add(types);
    }

    private static bool HasParameter(KernelEntry entry, string name)
    {
        for (var i = 0; i < entry.Parameters.Count; i++)
        {
            if (entry.Parameters[i].Name == name)
            {
                return true;
            }
        }

        return false;
    }
}
