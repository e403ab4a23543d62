// The operations from which mathematical functions are made: on the host for tests, in the kernel form for kernels.
namespace Rt.Gpu.Compiler.Numerics;

/// <summary>32-bit values that are floats or ints by the operation; predicates are values of their own.</summary>
internal interface IArithmetic<V>
{
    V Float(float value);

    V Int(int value);

    V Add(V a, V b);

    V Sub(V a, V b);

    V Mul(V a, V b);

    V Div(V a, V b);

    /// <summary>a b + c, rounded once.</summary>
    V Fma(V a, V b, V c);

    V Neg(V a);

    V Abs(V a);

    /// <summary>NaN if either is NaN.</summary>
    V Min(V a, V b);

    /// <summary>NaN if either is NaN.</summary>
    V Max(V a, V b);

    /// <summary>The bits of a float as an int.</summary>
    V ToBits(V a);

    /// <summary>The float of these bits.</summary>
    V FromBits(V a);

    /// <summary>An int to the nearest float.</summary>
    V FromInt(V a);

    V IntAdd(V a, V b);

    V IntSub(V a, V b);

    V IntAnd(V a, V b);

    V IntOr(V a, V b);

    V ShiftLeft(V a, int amount);

    V ShiftRight(V a, int amount);

    /// <summary>A predicate: false where either is NaN.</summary>
    V Less(V a, V b);

    /// <summary>predicate ? a : b.</summary>
    V Select(V predicate, V a, V b);
}
