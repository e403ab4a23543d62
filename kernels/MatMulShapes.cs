// Shapes of matrix product tiles and layouts of weights, as type arguments.
// Sources: CUTLASS's decomposition into group and warp tiles; Volkov and Demmel 2008 for register tiles.
namespace Rt.Kernels;

/// <summary>How a weight lies in memory.</summary>
internal interface IWeightLayout
{
    /// <summary>[in, out] rather than [out, in].</summary>
    static abstract bool InputMajor { get; }
}

/// <summary>[out, in].</summary>
internal readonly struct OutputMajorLayout : IWeightLayout
{
    public static bool InputMajor => false;
}

/// <summary>[in, out], GPT-2's Conv1D.</summary>
internal readonly struct InputMajorLayout : IWeightLayout
{
    public static bool InputMajor => true;
}

/// <summary>Sizes of a tensor-core product: the result's tile of a group, the part of a warp, the depth of a stage.</summary>
internal interface IMmaShape
{
    /// <summary>Rows of the group's tile.</summary>
    static abstract int Rows { get; }

    /// <summary>Columns of the group's tile.</summary>
    static abstract int Columns { get; }

    /// <summary>Rows of a warp's part.</summary>
    static abstract int WarpRows { get; }

    /// <summary>Columns of a warp's part.</summary>
    static abstract int WarpColumns { get; }

    /// <summary>Bytes of a row of operands in one stage: 64 or 128.</summary>
    static abstract int DepthBytes { get; }

    /// <summary>Stages of the pipeline.</summary>
    static abstract int Stages { get; }
}

/// <summary>128 x 256 by 8 warps: many rows.</summary>
internal readonly struct Mma128X256 : IMmaShape
{
    public static int Rows => 128;

    public static int Columns => 256;

    public static int WarpRows => 64;

    public static int WarpColumns => 64;

    public static int DepthBytes => 64;

    public static int Stages => 4;
}

/// <summary>128 x 128 by 8 warps.</summary>
internal readonly struct Mma128X128 : IMmaShape
{
    public static int Rows => 128;

    public static int Columns => 128;

    public static int WarpRows => 64;

    public static int WarpColumns => 32;

    public static int DepthBytes => 64;

    public static int Stages => 4;
}

/// <summary>64 x 64 by 4 warps: few rows or few columns.</summary>
internal readonly struct Mma64X64 : IMmaShape
{
    public static int Rows => 64;

    public static int Columns => 64;

    public static int WarpRows => 32;

    public static int WarpColumns => 32;

    public static int DepthBytes => 128;

    public static int Stages => 3;
}

/// <summary>16 x 64 by 2 warps: as few rows as a tensor core takes.</summary>
internal readonly struct Mma16X64 : IMmaShape
{
    public static int Rows => 16;

    public static int Columns => 64;

    public static int WarpRows => 16;

    public static int WarpColumns => 32;

    public static int DepthBytes => 128;

    public static int Stages => 4;
}

/// <summary>Sizes of a product by fused multiply-adds: each thread has Rows / RowThreads x 8 results.</summary>
internal interface IFmaShape
{
    /// <summary>Rows of the group's tile.</summary>
    static abstract int Rows { get; }

    /// <summary>Columns of the group's tile.</summary>
    static abstract int Columns { get; }

    /// <summary>Rows of a thread: 4 or 8.</summary>
    static abstract int ThreadRows { get; }
}

/// <summary>128 x 128 by 256 threads.</summary>
internal readonly struct Fma128X128 : IFmaShape
{
    public static int Rows => 128;

    public static int Columns => 128;

    public static int ThreadRows => 8;
}

/// <summary>32 x 64 by 64 threads.</summary>
internal readonly struct Fma32X64 : IFmaShape
{
    public static int Rows => 32;

    public static int Columns => 64;

    public static int ThreadRows => 4;
}
