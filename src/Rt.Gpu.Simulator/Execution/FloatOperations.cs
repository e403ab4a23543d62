// Floating-point operations: correctly rounded ones, comparisons, and the approximate ones with their documented error.
// Source: PTX ISA, "Floating Point Instructions" and "Comparison and Selection Instructions".
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Rt.Gpu.Simulator.Execution;

/// <summary>The hardware answers NaN with one pattern, whatever the operands were.</summary>
internal static class Canonical
{
    public const uint NaN32 = 0x7FFFFFFF;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> Of(Vector512<float> value) =>
        Vector512.ConditionalSelect(Vector512.Equals(value, value), value, Vector512.Create(NaN32).AsSingle());

    public static float Of(float value) => float.IsNaN(value) ? BitConverter.UInt32BitsToSingle(NaN32) : value;
}

internal readonly struct AddFloat : IBinary<float>
{
    public static Vector512<float> Of(Vector512<float> a, Vector512<float> b) => Canonical.Of(a + b);
}

internal readonly struct SubtractFloat : IBinary<float>
{
    public static Vector512<float> Of(Vector512<float> a, Vector512<float> b) => Canonical.Of(a - b);
}

internal readonly struct MultiplyFloat : IBinary<float>
{
    public static Vector512<float> Of(Vector512<float> a, Vector512<float> b) => Canonical.Of(a * b);
}

internal readonly struct DivideFloat : IBinary<float>
{
    public static Vector512<float> Of(Vector512<float> a, Vector512<float> b) => Canonical.Of(a / b);
}

internal readonly struct DivideDouble : IBinary<double>
{
    public static Vector512<double> Of(Vector512<double> a, Vector512<double> b) => a / b;
}

internal readonly struct FusedFloat : ITernary<float>
{
    public static Vector512<float> Of(Vector512<float> a, Vector512<float> b, Vector512<float> c) =>
        Canonical.Of(Vector512.FusedMultiplyAdd(a, b, c));
}

internal readonly struct FusedDouble : ITernary<double>
{
    public static Vector512<double> Of(Vector512<double> a, Vector512<double> b, Vector512<double> c) => Vector512.FusedMultiplyAdd(a, b, c);
}

internal readonly struct RootFloat : IUnary<float>
{
    public static Vector512<float> Of(Vector512<float> a) => Canonical.Of(Vector512.Sqrt(a));
}

internal readonly struct RootDouble : IUnary<double>
{
    public static Vector512<double> Of(Vector512<double> a) => Vector512.Sqrt(a);
}

internal readonly struct ReciprocalFloat : IUnary<float>
{
    public static Vector512<float> Of(Vector512<float> a) => Canonical.Of(Vector512<float>.One / a);
}

internal readonly struct ReciprocalDouble : IUnary<double>
{
    public static Vector512<double> Of(Vector512<double> a) => Vector512<double>.One / a;
}

internal readonly struct NegateFloat : IUnary<uint>
{
    public static Vector512<uint> Of(Vector512<uint> a) => a ^ Vector512.Create(0x80000000u);
}

internal readonly struct MagnitudeFloat : IUnary<uint>
{
    public static Vector512<uint> Of(Vector512<uint> a) => a & Vector512.Create(0x7FFFFFFFu);
}

internal readonly struct NegateDouble : IUnary<ulong>
{
    public static Vector512<ulong> Of(Vector512<ulong> a) => a ^ Vector512.Create(1UL << 63);
}

internal readonly struct MagnitudeDouble : IUnary<ulong>
{
    public static Vector512<ulong> Of(Vector512<ulong> a) => a & Vector512.Create(~(1UL << 63));
}

/// <summary>The lesser number; NaN only where both are. -0 is less than +0.</summary>
internal readonly struct LesserFloat : IBinary<float>
{
    public static Vector512<float> Of(Vector512<float> a, Vector512<float> b) => Canonical.Of(Vector512.MinNumber(a, b));
}

internal readonly struct GreaterFloat : IBinary<float>
{
    public static Vector512<float> Of(Vector512<float> a, Vector512<float> b) => Canonical.Of(Vector512.MaxNumber(a, b));
}

/// <summary>The lesser number; NaN where either is.</summary>
internal readonly struct LesserOrNaN : IBinary<float>
{
    public static Vector512<float> Of(Vector512<float> a, Vector512<float> b) => Canonical.Of(Vector512.Min(a, b));
}

internal readonly struct GreaterOrNaN : IBinary<float>
{
    public static Vector512<float> Of(Vector512<float> a, Vector512<float> b) => Canonical.Of(Vector512.Max(a, b));
}

internal readonly struct LesserDouble : IBinary<double>
{
    public static Vector512<double> Of(Vector512<double> a, Vector512<double> b) => Vector512.MinNumber(a, b);
}

internal readonly struct GreaterDouble : IBinary<double>
{
    public static Vector512<double> Of(Vector512<double> a, Vector512<double> b) => Vector512.MaxNumber(a, b);
}

internal readonly struct Equal<T> : ICompare<T> where T : unmanaged
{
    public static Vector512<T> Of(Vector512<T> a, Vector512<T> b) => Vector512.Equals(a, b);
}

/// <summary>Not equal; false where either is NaN.</summary>
internal readonly struct NotEqual<T> : ICompare<T> where T : unmanaged
{
    public static Vector512<T> Of(Vector512<T> a, Vector512<T> b) => ~Vector512.Equals(a, b) & Vector512.Equals(a, a) & Vector512.Equals(b, b);
}

internal readonly struct Less<T> : ICompare<T> where T : unmanaged
{
    public static Vector512<T> Of(Vector512<T> a, Vector512<T> b) => Vector512.LessThan(a, b);
}

internal readonly struct LessOrEqual<T> : ICompare<T> where T : unmanaged
{
    public static Vector512<T> Of(Vector512<T> a, Vector512<T> b) => Vector512.LessThanOrEqual(a, b);
}

internal readonly struct More<T> : ICompare<T> where T : unmanaged
{
    public static Vector512<T> Of(Vector512<T> a, Vector512<T> b) => Vector512.GreaterThan(a, b);
}

internal readonly struct MoreOrEqual<T> : ICompare<T> where T : unmanaged
{
    public static Vector512<T> Of(Vector512<T> a, Vector512<T> b) => Vector512.GreaterThanOrEqual(a, b);
}

/// <summary>Neither is NaN.</summary>
internal readonly struct Ordered<T> : ICompare<T> where T : unmanaged
{
    public static Vector512<T> Of(Vector512<T> a, Vector512<T> b) => Vector512.Equals(a, a) & Vector512.Equals(b, b);
}

/// <summary>The opposite of a comparison: equu is the opposite of ne, ltu of ge, and so on; true where either is NaN.</summary>
internal readonly struct Unless<TOp, T> : ICompare<T> where TOp : struct, ICompare<T> where T : unmanaged
{
    public static Vector512<T> Of(Vector512<T> a, Vector512<T> b) => ~TOp.Of(a, b);
}
