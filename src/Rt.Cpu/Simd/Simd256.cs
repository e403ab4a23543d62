// Vector256 lanes (AVX2): 8 F32 per register, 16 registers.
// Half-precision widening and rounding by integer arithmetic, because .NET has neither F16C nor BF16 conversions.
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace Rt.Cpu;

internal readonly unsafe struct Simd256 : ISimd<Vector256<float>>
{
    public static int Count => 8;

    public static bool ManyRegisters => false;

    public static Vector256<float> Zero => Vector256<float>.Zero;

    public static Vector256<float> Indices => Vector256.CreateSequence(0f, 1f);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> Create(float value) => Vector256.Create(value);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> Load(float* source) => Vector256.Load(source);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Store(Vector256<float> value, float* destination) => value.Store(destination);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<int> LoadSignExtended(ushort* source) =>
        Avx2.ConvertToVector256Int32(Vector128.Load((short*)source));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> LoadBFloat16(ushort* source) => (LoadSignExtended(source) << 16).AsSingle();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> LoadFloat16(ushort* source) => WidenFloat16(LoadSignExtended(source) << 13);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> LoadEvenBFloat16(ushort* source) => (Vector256.Load((int*)source) << 16).AsSingle();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> LoadOddBFloat16(ushort* source) =>
        (Vector256.Load((int*)source) & Vector256.Create(unchecked((int)0xFFFF0000))).AsSingle();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> LoadEvenFloat16(ushort* source) => WidenFloat16(Vector256.Load((int*)source) << 16 >> 3);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> LoadOddFloat16(ushort* source) => WidenFloat16(Vector256.Load((int*)source) >> 3);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Unzip(Vector256<float> a, Vector256<float> b, out Vector256<float> even, out Vector256<float> odd)
    {
        // Within halves of registers first, then quarters to their places.
        even = Avx2.Permute4x64(Avx.Shuffle(a, b, 0b10_00_10_00).AsDouble(), 0b11_01_10_00).AsSingle();
        odd = Avx2.Permute4x64(Avx.Shuffle(a, b, 0b11_01_11_01).AsDouble(), 0b11_01_10_00).AsSingle();
    }

    /// <param name="shifted">Sign, exponent and mantissa in their places, with other bits between and behind them.</param>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<float> WidenFloat16(Vector256<int> shifted)
    {
        // The product rebiases the exponent from 15 to 127 and makes subnormals normal.
        var bits = shifted & Vector256.Create(unchecked((int)0x8FFFE000));
        var value = bits.AsSingle() * Vector256.Create(WeightF16.Rebias);
        // Infinities and NaN came out as 2^16 and more: their exponent has all bits.
        return Vector256.ConditionalSelect(
            Vector256.GreaterThanOrEqual(Vector256.Abs(value), Vector256.Create(65536f)), (value.AsInt32() | Vector256.Create(0x7F800000)).AsSingle(), value);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> Add(Vector256<float> a, Vector256<float> b) => a + b;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> Subtract(Vector256<float> a, Vector256<float> b) => a - b;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> Multiply(Vector256<float> a, Vector256<float> b) => a * b;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> Divide(Vector256<float> a, Vector256<float> b) => a / b;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> MultiplyAdd(Vector256<float> a, Vector256<float> b, Vector256<float> c) =>
        Vector256.MultiplyAddEstimate(a, b, c);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> Max(Vector256<float> a, Vector256<float> b) => Avx.Max(a, b);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> Min(Vector256<float> a, Vector256<float> b) => Avx.Min(a, b);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> Abs(Vector256<float> a) => Vector256.Abs(a);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> Round(Vector256<float> a) => Vector256.Round(a);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> ScaleByPowerOfTwo(Vector256<float> a, Vector256<float> n)
    {
        // Two factors, each a normal number, so that the result overflows or becomes subnormal with one rounding.
        var exponent = Vector256.ConvertToInt32Native(n);
        var first = exponent >> 1;
        var bias = Vector256.Create(127);
        return a * ((first + bias) << 23).AsSingle() * ((exponent - first + bias) << 23).AsSingle();
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> GreaterThan(Vector256<float> a, Vector256<float> b) => Vector256.GreaterThan(a, b);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> Select(Vector256<float> mask, Vector256<float> a, Vector256<float> b) =>
        Vector256.ConditionalSelect(mask, a, b);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float Sum(Vector256<float> a) => Vector128.Sum(a.GetLower() + a.GetUpper());

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float MaxAcross(Vector256<float> a) => Simd128.MaxAcross(Simd128.Max(a.GetLower(), a.GetUpper()));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> RoundToBFloat16(Vector256<float> a)
    {
        var bits = a.AsUInt32();
        var rounded = (bits + Vector256.Create(0x7FFFu) + ((bits >> 16) & Vector256.Create(1u))) & Vector256.Create(0xFFFF0000u);
        return Vector256.ConditionalSelect(Vector256.Equals(a, a), rounded.AsSingle(), a);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> RoundToFloat16(Vector256<float> a)
    {
        var bits = a.AsUInt32();
        var sign = bits & Vector256.Create(0x80000000u);
        var magnitude = (bits ^ sign).AsSingle();
        var rounded = ((bits ^ sign) + Vector256.Create(0xFFFu) + ((bits >> 13) & Vector256.Create(1u))) & Vector256.Create(0xFFFFE000u);
        // Below 2^-14 the quantum is 2^-24, the unit in the last place of 0.5.
        var half = Vector256.Create(0.5f);
        var subnormal = (magnitude + half - half).AsUInt32();
        var result = Vector256.ConditionalSelect(
            Vector256.LessThan(magnitude, Vector256.Create(6.103515625e-5f)).AsUInt32(), subnormal, rounded);
        result = Vector256.ConditionalSelect(
            Vector256.GreaterThanOrEqual(magnitude, Vector256.Create(65520f)).AsUInt32(), Vector256.Create(0x7F800000u), result);
        return Vector256.ConditionalSelect(Vector256.Equals(a, a), (result | sign).AsSingle(), a);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void AddSquares(Vector256<float> a, double* sums)
    {
        var (low, high) = Vector256.Widen(a);
        (Vector256.Load(sums) + low * low).Store(sums);
        (Vector256.Load(sums + 4) + high * high).Store(sums + 4);
    }
}
