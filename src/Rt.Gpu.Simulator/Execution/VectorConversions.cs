// Conversions on vectors of lanes; the plain form of each is Conversion.
// Source: PTX ISA, "cvt".
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Rt.Gpu.Simulator.Execution;

/// <summary>F32 to bf16, ties to even; the upper half of the lane is zero.</summary>
internal readonly struct FloatToBrain : IUnary<uint>
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<uint> Of(Vector512<uint> a)
    {
        var rounded = (a + Vector512.Create(0x7FFFu) + ((a >> 16) & Vector512<uint>.One)) >> 16;
        var isNaN = Vector512.GreaterThan(a & Vector512.Create(0x7FFFFFFFu), Vector512.Create(0x7F800000u));
        return Vector512.ConditionalSelect(isNaN, Vector512.Create(0x7FFFu), rounded);
    }
}

/// <summary>F32 to F16, ties to even; the upper half of the lane is zero.</summary>
internal readonly struct FloatToHalf : IUnary<uint>
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<uint> Of(Vector512<uint> a)
    {
        var size = a & Vector512.Create(0x7FFFFFFFu);
        // Below 2^-14 adding 0.5 leaves a multiple of 2^-24 in the low bits.
        var small = (size.AsSingle() + Vector512.Create(0.5f)).AsUInt32() - Vector512.Create(0x3F000000u);
        var normal = (size - Vector512.Create(112u << 23) + Vector512.Create(0xFFFu) + ((size >> 13) & Vector512<uint>.One)) >> 13;
        var result = Vector512.ConditionalSelect(Vector512.LessThan(size, Vector512.Create(113u << 23)), small, normal);
        result = Vector512.ConditionalSelect(Vector512.GreaterThanOrEqual(size, Vector512.Create(143u << 23)), Vector512.Create(0x7C00u), result);
        result |= (a >> 16) & Vector512.Create(0x8000u);
        return Vector512.ConditionalSelect(Vector512.GreaterThan(size, Vector512.Create(0x7F800000u)), Vector512.Create(0x7FFFu), result);
    }
}

internal readonly struct BrainToFloat : IUnary<uint>
{
    public static Vector512<uint> Of(Vector512<uint> a)
    {
        var value = (a << 16).AsSingle();
        return Canonical.Of(value).AsUInt32();
    }
}

internal readonly struct HalfToFloat : IUnary<uint>
{
    public static Vector512<uint> Of(Vector512<uint> a)
    {
        var magnitude = (a & Vector512.Create(0x7FFFu)) << 13;
        var value = (magnitude.AsSingle() * Vector512.Create(0x77800000u).AsSingle()).AsUInt32();
        var special = Vector512.GreaterThanOrEqual(magnitude, Vector512.Create(0x7C00u << 13));
        value = Vector512.ConditionalSelect(special, magnitude | Vector512.Create(0x7F800000u), value);
        return Canonical.Of((value | ((a & Vector512.Create(0x8000u)) << 16)).AsSingle()).AsUInt32();
    }
}

/// <summary>Two F32 to a pair: a in the upper half.</summary>
internal readonly struct Pair<TOp> : IBinary<uint> where TOp : struct, IUnary<uint>
{
    public static Vector512<uint> Of(Vector512<uint> a, Vector512<uint> b) => (TOp.Of(a) << 16) | TOp.Of(b);
}

internal readonly struct SignedToFloat : IUnary<uint>
{
    public static Vector512<uint> Of(Vector512<uint> a) => Vector512.ConvertToSingle(a.AsInt32()).AsUInt32();
}

internal readonly struct UnsignedToFloat : IUnary<uint>
{
    public static Vector512<uint> Of(Vector512<uint> a) => Vector512.ConvertToSingle(a).AsUInt32();
}

internal readonly struct FloatToSigned : IUnary<uint>
{
    public static Vector512<uint> Of(Vector512<uint> a) => Vector512.ConvertToInt32(a.AsSingle()).AsUInt32();
}

internal readonly struct FloatToUnsigned : IUnary<uint>
{
    public static Vector512<uint> Of(Vector512<uint> a) => Vector512.ConvertToUInt32(a.AsSingle());
}

internal readonly struct KeepLow16 : IUnary<uint>
{
    public static Vector512<uint> Of(Vector512<uint> a) => a & Vector512.Create(0xFFFFu);
}

internal readonly struct KeepLow8 : IUnary<uint>
{
    public static Vector512<uint> Of(Vector512<uint> a) => a & Vector512.Create(0xFFu);
}

internal readonly struct ExtendSign16 : IUnary<uint>
{
    public static Vector512<uint> Of(Vector512<uint> a) => ((a.AsInt32() << 16) >> 16).AsUInt32();
}

internal readonly struct ExtendSign8 : IUnary<uint>
{
    public static Vector512<uint> Of(Vector512<uint> a) => ((a.AsInt32() << 24) >> 24).AsUInt32();
}

internal readonly struct SignedTo64 : ILane<int, long>
{
    public static long Of(int a) => a;
}

internal readonly struct UnsignedTo64 : ILane<uint, ulong>
{
    public static ulong Of(uint a) => a;
}

internal readonly struct KeepLow32 : ILane<ulong, uint>
{
    public static uint Of(ulong a) => (uint)a;
}
