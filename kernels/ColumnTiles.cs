// Which tile of a matrix product a group computes, and which stored part of the weight it reads.
// Source: banded rasterisation as in CUTLASS's threadblock swizzle.
using Rt.Gpu;

namespace Rt.Kernels;

/// <summary>The tile of one group: which rows and columns of the product, and where its weights lie.</summary>
/// <remarks>A tile's columns are two halves: neighbours, or where gated the same columns of gate and partner, so that both of a
/// unit's sums meet in one thread.</remarks>
internal struct ProductTile<TWeight> where TWeight : unmanaged
{
    /// <summary>First row.</summary>
    public int FirstRow;

    /// <summary>The stored part that the first half comes from.</summary>
    public ArrayView<TWeight> Weight;

    /// <summary>Elements from one row of it to the next.</summary>
    public long Stride;

    /// <summary>The first half's first column, counted from the first of the part.</summary>
    public int FirstColumn;

    /// <summary>The stored part that the second half comes from.</summary>
    public ArrayView<TWeight> Up;

    /// <summary>Elements from one row of it to the next.</summary>
    public long UpStride;

    /// <summary>The second half's first column.</summary>
    public int UpFirst;

    /// <summary>Columns of the part.</summary>
    public int Columns;

    /// <summary>The part's first column in the result.</summary>
    public int FirstOfPart;

    /// <summary>The first half's bias; empty for none.</summary>
    public ArrayView<byte> Bias;

    /// <summary>The second half's bias; empty for none.</summary>
    public ArrayView<byte> UpBias;

    /// <summary>0 F32, 1 BF16, 2 F16, for both biases.</summary>
    public int BiasType;
}

/// <summary>Tiles of products whose columns come from up to three stored parts; no tile straddles two.</summary>
public static class ColumnTiles
{
    /// <summary>Row tiles that take turns over the columns together, so that both operands stay in the second-level cache.</summary>
    private const int RowTilesPerBand = 16;

    /// <summary>The tile of the group with index <see cref="Grid.IdxX"/>; parameters of <see cref="MatMulFma.MatMulFmaLargeKernel"/>.</summary>
    internal static ProductTile<TWeight> Locate<TWeight>(
        ArrayView<TWeight> weight0, ArrayView<TWeight> weight1, ArrayView<TWeight> weight2,
        long weightStride0, long weightStride1, long weightStride2, int out0, int out1, int out2,
        ArrayView<byte> bias0, ArrayView<byte> bias1, ArrayView<byte> bias2, int biasTypes, bool gated,
        int rows, int tileRows, int tileColumns)
        where TWeight : unmanaged
    {
        var columnsOfPart = gated ? tileColumns / 2 : tileColumns;
        var tiles0 = Count(out0, columnsOfPart);
        var tiles1 = gated ? 0 : Count(out1, columnsOfPart);
        var columnTiles = tiles0 + tiles1 + Count(out2, columnsOfPart);
        var band = Grid.IdxX / (RowTilesPerBand * columnTiles);
        var inBand = Grid.IdxX - band * (RowTilesPerBand * columnTiles);
        var bandRows = XMath.Min(RowTilesPerBand, Count(rows, tileRows) - band * RowTilesPerBand);
        var column = inBand / bandRows;
        var row = band * RowTilesPerBand + inBand - column * bandRows;

        ProductTile<TWeight> tile;
        tile.FirstRow = row * tileRows;
        tile.Weight = weight0;
        tile.Stride = weightStride0;
        tile.Columns = out0;
        tile.FirstOfPart = 0;
        tile.Bias = bias0;
        tile.BiasType = biasTypes & 3;
        if (column >= tiles0 + tiles1)
        {
            column -= tiles0 + tiles1;
            tile.Weight = weight2;
            tile.Stride = weightStride2;
            tile.Columns = out2;
            tile.FirstOfPart = out0 + out1;
            tile.Bias = bias2;
            tile.BiasType = (biasTypes >> 4) & 3;
        }
        else if (column >= tiles0)
        {
            column -= tiles0;
            tile.Weight = weight1;
            tile.Stride = weightStride1;
            tile.Columns = out1;
            tile.FirstOfPart = out0;
            tile.Bias = bias1;
            tile.BiasType = (biasTypes >> 2) & 3;
        }

        tile.FirstColumn = column * columnsOfPart;
        tile.Up = tile.Weight;
        tile.UpStride = tile.Stride;
        tile.UpBias = tile.Bias;
        tile.UpFirst = tile.FirstColumn + tileColumns / 2;
        if (gated)
        {
            tile.Up = weight1;
            tile.UpStride = weightStride1;
            tile.UpBias = bias1;
            tile.UpFirst = tile.FirstColumn;
        }

        return tile;
    }

    /// <summary>Groups along x of such a launch.</summary>
    /// <param name="rows">Rows of the product.</param>
    /// <param name="out0">Columns of the first part.</param>
    /// <param name="out1">Columns of the second, 0 where there is none.</param>
    /// <param name="out2">Columns of the third.</param>
    /// <param name="gated">Gate and partner share tiles.</param>
    /// <param name="tileRows">Rows of a tile.</param>
    /// <param name="tileColumns">Columns of a tile.</param>
    public static int Groups(int rows, int out0, int out1, int out2, bool gated, int tileRows, int tileColumns)
    {
        var columnsOfPart = gated ? tileColumns / 2 : tileColumns;
        return Count(rows, tileRows) * (Count(out0, columnsOfPart) + (gated ? 0 : Count(out1, columnsOfPart)) + Count(out2, columnsOfPart));
    }

    private static int Count(int size, int tile) => (size + tile - 1) / tile;
}
