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
