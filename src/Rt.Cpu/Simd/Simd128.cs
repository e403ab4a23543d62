// Vector128 lanes (SSE, NEON): 4 F32 per register.
// Half-precision widening and rounding by integer arithmetic, because .NET has neither F16C nor BF16 conversions.
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Rt.Cpu;

internal readonly unsafe struct Simd128 : ISimd<Vector128<float>>
{
    public static int Count => 4;

    public static bool ManyRegisters => System.Runtime.Intrinsics.Arm.AdvSimd.IsSupported;

    public static Vector128<float> Zero => Vector128<float>.Zero;

    public static Vector128<float> Indices => Vector128.CreateSequence(0f, 1f);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<float> Create(float value) => Vector128.Create(value);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<float> Load(float* source) => Vector128.Load(source);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Store(Vector128<float> value, float* destination) => value.Store(destination);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector128<int> LoadSignExtended(ushort* source) =>
        Vector128.WidenLower(Vector128.CreateScalarUnsafe(*(long*)source).AsInt16());

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<float> LoadBFloat16(ushort* source) => (LoadSignExtended(source) << 16).AsSingle();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<float> LoadFloat16(ushort* source) => WidenFloat16(LoadSignExtended(source) << 13);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<float> LoadEvenBFloat16(ushort* source) => (Vector128.Load((int*)source) << 16).AsSingle();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<float> LoadOddBFloat16(ushort* source) =>
        (Vector128.Load((int*)source) & Vector128.Create(unchecked((int)0xFFFF0000))).AsSingle();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<float> LoadEvenFloat16(ushort* source) => WidenFloat16(Vector128.Load((int*)source) << 16 >> 3);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<float> LoadOddFloat16(ushort* source) => WidenFloat16(Vector128.Load((int*)source) >> 3);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Unzip(Vector128<float> a, Vector128<float> b, out Vector128<float> even, out Vector128<float> odd)
    {
        even = Vector128.Create(Vector128.Shuffle(a, Vector128.Create(0, 2, 0, 2)).GetLower(), Vector128.Shuffle(b, Vector128.Create(0, 2, 0, 2)).GetLower());
        odd = Vector128.Create(Vector128.Shuffle(a, Vector128.Create(1, 3, 1, 3)).GetLower(), Vector128.Shuffle(b, Vector128.Create(1, 3, 1, 3)).GetLower());
    }

    /// <param name="shifted">Sign, exponent and mantissa in their places, with other bits between and behind them.</param>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector128<float> WidenFloat16(Vector128<int> shifted)
    {
        // The product rebiases the exponent from 15 to 127 and makes subnormals normal.
        var bits = shifted & Vector128.Create(unchecked((int)0x8FFFE000));
        var value = bits.AsSingle() * Vector128.Create(WeightF16.Rebias);
        // Infinities and NaN came out as 2^16 and more: their exponent has all bits.
        return Vector128.ConditionalSelect(
            Vector128.GreaterThanOrEqual(Vector128.Abs(value), Vector128.Create(65536f)), (value.AsInt32() | Vector128.Create(0x7F800000)).AsSingle(), value);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<float> Add(Vector128<float> a, Vector128<float> b) => a + b;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<float> Subtract(Vector128<float> a, Vector128<float> b) => a - b;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<float> Multiply(Vector128<float> a, Vector128<float> b) => a * b;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<float> Divide(Vector128<float> a, Vector128<float> b) => a / b;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<float> MultiplyAdd(Vector128<float> a, Vector128<float> b, Vector128<float> c) =>
        Vector128.MultiplyAddEstimate(a, b, c);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<float> Max(Vector128<float> a, Vector128<float> b) =>
        Vector128.ConditionalSelect(Vector128.GreaterThan(a, b), a, b);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<float> Min(Vector128<float> a, Vector128<float> b) =>
        Vector128.ConditionalSelect(Vector128.LessThan(a, b), a, b);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<float> Abs(Vector128<float> a) => Vector128.Abs(a);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<float> Round(Vector128<float> a) => Vector128.Round(a);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<float> ScaleByPowerOfTwo(Vector128<float> a, Vector128<float> n)
    {
        // Two factors, each a normal number, so that the result overflows or becomes subnormal with one rounding.
        var exponent = Vector128.ConvertToInt32Native(n);
        var first = exponent >> 1;
        var bias = Vector128.Create(127);
        return a * ((first + bias) << 23).AsSingle() * ((exponent - first + bias) << 23).AsSingle();
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<float> GreaterThan(Vector128<float> a, Vector128<float> b) => Vector128.GreaterThan(a, b);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<float> Select(Vector128<float> mask, Vector128<float> a, Vector128<float> b) =>
        Vector128.ConditionalSelect(mask, a, b);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float Sum(Vector128<float> a) => Vector128.Sum(a);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float MaxAcross(Vector128<float> a)
    {
        var pairs = Max(a, Vector128.Shuffle(a, Vector128.Create(2, 3, 0, 1)));
        return Max(pairs, Vector128.Shuffle(pairs, Vector128.Create(1, 0, 3, 2))).ToScalar();
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<float> RoundToBFloat16(Vector128<float> a)
    {
        var bits = a.AsUInt32();
        var rounded = (bits + Vector128.Create(0x7FFFu) + ((bits >> 16) & Vector128.Create(1u))) & Vector128.Create(0xFFFF0000u);
        return Vector128.ConditionalSelect(Vector128.Equals(a, a), rounded.AsSingle(), a);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<float> RoundToFloat16(Vector128<float> a)
    {
        var bits = a.AsUInt32();
        var sign = bits & Vector128.Create(0x80000000u);
        var magnitude = (bits ^ sign).AsSingle();
        var rounded = ((bits ^ sign) + Vector128.Create(0xFFFu) + ((bits >> 13) & Vector128.Create(1u))) & Vector128.Create(0xFFFFE000u);
        // Below 2^-14 the quantum is 2^-24, the unit in the last place of 0.5.
        var half = Vector128.Create(0.5f);
        var subnormal = (magnitude + half - half).AsUInt32();
        var result = Vector128.ConditionalSelect(
            Vector128.LessThan(magnitude, Vector128.Create(6.103515625e-5f)).AsUInt32(), subnormal, rounded);
        result = Vector128.ConditionalSelect(
            Vector128.GreaterThanOrEqual(magnitude, Vector128.Create(65520f)).AsUInt32(), Vector128.Create(0x7F800000u), result);
        return Vector128.ConditionalSelect(Vector128.Equals(a, a), (result | sign).AsSingle(), a);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void AddSquares(Vector128<float> a, double* sums)
    {
        var (low, high) = Vector128.Widen(a);
        (Vector128.Load(sums) + low * low).Store(sums);
        (Vector128.Load(sums + 2) + high * high).Store(sums + 2);
    }
}
