// A strided view of storage with at most three axes, and the linear maps that weights are bound to.
namespace Rt.Core;

/// <summary>A view of <see cref="Storage"/>: [Dim0, Dim1, Dim2], slowest axis first; the last axis is contiguous.</summary>
/// <remarks>Vectors have Dim0 = Dim1 = 1 and matrices Dim0 = 1, so that every op reads one form.
/// Strides and offset count elements, not bytes.</remarks>
public readonly record struct Tensor
{
    /// <summary>A contiguous view of <paramref name="dim0"/> x <paramref name="dim1"/> x <paramref name="dim2"/> elements.</summary>
    public Tensor(Storage storage, DType type, long offset, int dim0, int dim1, int dim2)
        : this(storage, type, offset, dim0, dim1, dim2, (long)dim1 * dim2, dim2)
    {
    }

    /// <summary>A strided view.</summary>
    /// <exception cref="ShapeException">A dimension is negative or the view reaches past the storage.</exception>
    public Tensor(Storage storage, DType type, long offset, int dim0, int dim1, int dim2, long stride0, long stride1)
    {
        Storage = storage;
        DType = type;
        Offset = offset;
        Dim0 = dim0;
        Dim1 = dim1;
        Dim2 = dim2;
        Stride0 = stride0;
        Stride1 = stride1;
        if (dim0 < 0 || dim1 < 0 || dim2 < 0 || offset < 0 || stride0 < 0 || stride1 < 0)
        {
            throw new ShapeException($"negative size, stride or offset in {this}");
        }

        var end = Count == 0 ? offset : offset + (dim0 - 1) * stride0 + (dim1 - 1) * stride1 + dim2;
        if (end * type.Bytes() > storage.ByteLength)
        {
            throw new ShapeException($"{this} ends at element {end}, storage holds {storage.ByteLength / type.Bytes()}");
        }
    }

    /// <summary>The memory viewed.</summary>
    public Storage Storage { get; }

    /// <summary>Element type.</summary>
    public DType DType { get; }

    /// <summary>First element, counted from the start of the storage.</summary>
    public long Offset { get; }

    /// <summary>Slowest axis.</summary>
    public int Dim0 { get; }

    /// <summary>Middle axis; rows of a matrix.</summary>
    public int Dim1 { get; }

    /// <summary>Fastest axis; columns of a matrix.</summary>
    public int Dim2 { get; }

    /// <summary>Elements from one index of axis 0 to the next.</summary>
    public long Stride0 { get; }

    /// <summary>Elements from one index of axis 1 to the next.</summary>
    public long Stride1 { get; }

    /// <summary>Rows when read as a matrix: Dim0 x Dim1.</summary>
    public int Rows => Dim0 * Dim1;

    /// <summary>Width of a row: Dim2.</summary>
    public int Columns => Dim2;

    /// <summary>Number of elements.</summary>
    public long Count => (long)Dim0 * Dim1 * Dim2;

    /// <summary>Whether the elements follow one another without gaps.</summary>
    public bool IsContiguous => (Dim1 <= 1 || Stride1 == Dim2) && (Dim0 <= 1 || Stride0 == (long)Dim1 * Dim2);

    /// <summary>The first <paramref name="count"/> rows from <paramref name="start"/> along axis 1.</summary>
    public Tensor SliceRows(int start, int count) =>
        new(Storage, DType, Offset + start * Stride1, Dim0, count, Dim2, Stride0, Stride1);

    /// <summary>Columns [start, start + count) of every row.</summary>
    public Tensor SliceColumns(int start, int count) =>
        new(Storage, DType, Offset + start, Dim0, Dim1, count, Stride0, Stride1);

    /// <summary>Entries [start, start + count) along axis 0.</summary>
    public Tensor Slice(int start, int count) =>
        new(Storage, DType, Offset + start * Stride0, count, Dim1, Dim2, Stride0, Stride1);

    /// <summary>A matrix [rows, width] seen as [rows, heads, headDim], head h starting at column
    /// <paramref name="start"/> + h x <paramref name="headStride"/>.</summary>
    public Tensor Heads(int start, int heads, int headDim, int headStride) =>
        new(Storage, DType, Offset + start, Dim1, heads, headDim, Stride1, headStride);

    /// <inheritdoc/>
    public override string ToString() => $"{DType}[{Dim0}, {Dim1}, {Dim2}]";
}

/// <summary>One stored weight matrix and its bias.</summary>
/// <param name="Weight">[out, in], or [in, out] where <paramref name="InputMajor"/>; F32, F16, BF16 or F64.</param>
/// <param name="Bias">[out], or null.</param>
/// <param name="InputMajor">True for GPT-2's Conv1D layout [in, out].</param>
public readonly record struct LinearPart(Tensor Weight, Tensor? Bias, bool InputMajor)
{
    /// <summary>Width of the result.</summary>
    public int Out => InputMajor ? Weight.Columns : Weight.Rows;

    /// <summary>Width of the argument.</summary>
    public int In => InputMajor ? Weight.Rows : Weight.Columns;
}

/// <summary>A linear map y = x Wᵀ + b whose matrix is stored in one or more parts, stacked along the output.</summary>
/// <remarks>Query, key and value (or gate and up) stored apart make one map of three (two) parts, so that they cost one launch
/// and nothing is repacked.</remarks>
public sealed class Linear
{
    /// <param name="parts">At least one; all with the same input width.</param>
    /// <exception cref="ShapeException">The parts' input widths or a bias differ.</exception>
    public Linear(params LinearPart[] parts)
    {
        Parts = parts;
        In = parts[0].In;
        foreach (var part in parts)
        {
            if (part.In != In || (part.Bias is { } bias && bias.Count != part.Out))
            {
                throw new ShapeException($"parts of a linear map do not fit: {string.Join(", ", parts)}");
            }

            Out += part.Out;
        }
    }

    /// <summary>The stored matrices in the order of their outputs.</summary>
    public LinearPart[] Parts { get; }

    /// <summary>Width of the argument.</summary>
    public int In { get; }

    /// <summary>Width of the result.</summary>
    public int Out { get; }
}
