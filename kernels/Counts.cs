// Small numbers that kernels are compiled for, as type arguments.
// Source: static abstract members stand for the constants that ILGPU specialises by value.
namespace Rt.Kernels;

/// <summary>A count that kernels are compiled for: rows, lanes, lanes per thread, or columns per thread.</summary>
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
