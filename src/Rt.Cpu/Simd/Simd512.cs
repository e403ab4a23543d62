// Vector512 lanes (AVX-512): 16 F32 per register, 32 registers.
// Half-precision widening and rounding by integer arithmetic, because .NET has neither F16C nor BF16 conversions.
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace Rt.Cpu;

internal readonly unsafe struct Simd512 : ISimd<Vector512<float>>
{
    public static int Count => 16;

    public static bool ManyRegisters => true;

    public static Vector512<float> Zero => Vector512<float>.Zero;

    public static Vector512<float> Indices => Vector512.CreateSequence(0f, 1f);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> Create(float value) => Vector512.Create(value);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> Load(float* source) => Vector512.Load(source);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Store(Vector512<float> value, float* destination) => value.Store(destination);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<int> LoadSignExtended(ushort* source) =>
        Avx512F.ConvertToVector512Int32(Vector256.Load((short*)source));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> LoadBFloat16(ushort* source) => (LoadSignExtended(source) << 16).AsSingle();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> LoadFloat16(ushort* source) => WidenFloat16(LoadSignExtended(source) << 13);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> LoadEvenBFloat16(ushort* source) => (Vector512.Load((int*)source) << 16).AsSingle();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> LoadOddBFloat16(ushort* source) =>
        (Vector512.Load((int*)source) & Vector512.Create(unchecked((int)0xFFFF0000))).AsSingle();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> LoadEvenFloat16(ushort* source) => WidenFloat16(Vector512.Load((int*)source) << 16 >> 3);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> LoadOddFloat16(ushort* source) => WidenFloat16(Vector512.Load((int*)source) >> 3);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Unzip(Vector512<float> a, Vector512<float> b, out Vector512<float> even, out Vector512<float> odd)
    {
        even = Avx512F.PermuteVar16x32x2(a, Vector512.CreateSequence(0, 2), b);
        odd = Avx512F.PermuteVar16x32x2(a, Vector512.CreateSequence(1, 2), b);
    }

    /// <param name="shifted">Sign, exponent and mantissa in their places, with other bits between and behind them.</param>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<float> WidenFloat16(Vector512<int> shifted)
    {
        // The product rebiases the exponent from 15 to 127 and makes subnormals normal.
        var bits = shifted & Vector512.Create(unchecked((int)0x8FFFE000));
        var value = bits.AsSingle() * Vector512.Create(WeightF16.Rebias);
        // Infinities and NaN came out as 2^16 and more: their exponent has all bits.
        return Vector512.ConditionalSelect(
            Vector512.GreaterThanOrEqual(Vector512.Abs(value), Vector512.Create(65536f)), (value.AsInt32() | Vector512.Create(0x7F800000)).AsSingle(), value);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> Add(Vector512<float> a, Vector512<float> b) => a + b;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> Subtract(Vector512<float> a, Vector512<float> b) => a - b;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> Multiply(Vector512<float> a, Vector512<float> b) => a * b;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> Divide(Vector512<float> a, Vector512<float> b) => a / b;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> MultiplyAdd(Vector512<float> a, Vector512<float> b, Vector512<float> c) =>
        Vector512.MultiplyAddEstimate(a, b, c);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> Max(Vector512<float> a, Vector512<float> b) => Avx512F.Max(a, b);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> Min(Vector512<float> a, Vector512<float> b) => Avx512F.Min(a, b);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> Abs(Vector512<float> a) => Vector512.Abs(a);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> Round(Vector512<float> a) => Vector512.Round(a);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> ScaleByPowerOfTwo(Vector512<float> a, Vector512<float> n) => Avx512F.Scale(a, n);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> GreaterThan(Vector512<float> a, Vector512<float> b) => Vector512.GreaterThan(a, b);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> Select(Vector512<float> mask, Vector512<float> a, Vector512<float> b) =>
        Vector512.ConditionalSelect(mask, a, b);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float Sum(Vector512<float> a) => Vector128.Sum(Halve128(a.GetLower() + a.GetUpper()));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector128<float> Halve128(Vector256<float> a) => a.GetLower() + a.GetUpper();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float MaxAcross(Vector512<float> a) => Simd256.MaxAcross(Simd256.Max(a.GetLower(), a.GetUpper()));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> RoundToBFloat16(Vector512<float> a)
    {
        var bits = a.AsUInt32();
        var rounded = (bits + Vector512.Create(0x7FFFu) + ((bits >> 16) & Vector512.Create(1u))) & Vector512.Create(0xFFFF0000u);
        return Vector512.ConditionalSelect(Vector512.Equals(a, a), rounded.AsSingle(), a);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> RoundToFloat16(Vector512<float> a)
    {
        var bits = a.AsUInt32();
        var sign = bits & Vector512.Create(0x80000000u);
        var magnitude = (bits ^ sign).AsSingle();
        var rounded = ((bits ^ sign) + Vector512.Create(0xFFFu) + ((bits >> 13) & Vector512.Create(1u))) & Vector512.Create(0xFFFFE000u);
        // Below 2^-14 the quantum is 2^-24, the unit in the last place of 0.5.
        var half = Vector512.Create(0.5f);
        var subnormal = (magnitude + half - half).AsUInt32();
        var result = Vector512.ConditionalSelect(
            Vector512.LessThan(magnitude, Vector512.Create(6.103515625e-5f)).AsUInt32(), subnormal, rounded);
        result = Vector512.ConditionalSelect(
            Vector512.GreaterThanOrEqual(magnitude, Vector512.Create(65520f)).AsUInt32(), Vector512.Create(0x7F800000u), result);
        return Vector512.ConditionalSelect(Vector512.Equals(a, a), (result | sign).AsSingle(), a);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void AddSquares(Vector512<float> a, double* sums)
    {
        var (low, high) = Vector512.Widen(a);
        (Vector512.Load(sums) + low * low).Store(sums);
        (Vector512.Load(sums + 8) + high * high).Store(sums + 8);
    }
}
