// Compile-time sizes of the attention kernels: head dims, lanes of a tile, columns of a warp.
// A lane is one query head of one row; the heads of a row that share a key-value head are lanes of one tile (grouped queries).
using Rt.Gpu;

namespace Rt.Kernels;

/// <summary>A width that kernels are compiled for. Narrower heads fill it with zeros, which change no sum.</summary>
public interface IHeadDim
{
    /// <summary>Most elements of a head.</summary>
    static abstract int Value { get; }
}

/// <summary>64 elements per head at most.</summary>
public readonly struct HeadDim64 : IHeadDim
{
    /// <inheritdoc/>
    public static int Value => 64;
}

/// <summary>96 elements per head at most.</summary>
public readonly struct HeadDim96 : IHeadDim
{
    /// <inheritdoc/>
    public static int Value => 96;
}

/// <summary>128 elements per head at most.</summary>
public readonly struct HeadDim128 : IHeadDim
{
    /// <inheritdoc/>
    public static int Value => 128;
}

/// <summary>256 elements per head at most.</summary>
public readonly struct HeadDim256 : IHeadDim
{
    /// <inheritdoc/>
    public static int Value => 256;
}

/// <summary>A count that kernels are compiled for: lanes, lanes per thread, or columns per thread.</summary>
public interface ICount
{
    /// <summary>The count.</summary>
    static abstract int Value { get; }
}

/// <summary>1.</summary>
public readonly struct Count1 : ICount
{
    /// <inheritdoc/>
    public static int Value => 1;
}

/// <summary>2.</summary>
public readonly struct Count2 : ICount
{
    /// <inheritdoc/>
    public static int Value => 2;
}

/// <summary>4.</summary>
public readonly struct Count4 : ICount
{
    /// <inheritdoc/>
    public static int Value => 4;
}

/// <summary>8.</summary>
public readonly struct Count8 : ICount
{
    /// <inheritdoc/>
    public static int Value => 8;
}

/// <summary>16.</summary>
public readonly struct Count16 : ICount
{
    /// <inheritdoc/>
    public static int Value => 16;
}
