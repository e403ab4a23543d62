// One lane: plain F32 arithmetic, for machines without vector registers and as a check on the others.
using System.Runtime.CompilerServices;
using Rt.Core;

namespace Rt.Cpu;

internal readonly unsafe struct SimdScalar : ISimd<float>
{
    public static int Count => 1;

    public static bool ManyRegisters => false;

    public static float Zero => 0f;

    public static float Indices => 0f;

    public static float Create(float value) => value;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float Load(float* source) => *source;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Store(float value, float* destination) => *destination = value;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float LoadBFloat16(ushort* source) => BitConverter.UInt32BitsToSingle((uint)*source << 16);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float LoadFloat16(ushort* source) => (float)*(Half*)source;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float LoadEvenBFloat16(ushort* source) => LoadBFloat16(source);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float LoadOddBFloat16(ushort* source) => LoadBFloat16(source + 1);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float LoadEvenFloat16(ushort* source) => LoadFloat16(source);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float LoadOddFloat16(ushort* source) => LoadFloat16(source + 1);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Unzip(float a, float b, out float even, out float odd)
    {
        even = a;
        odd = b;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float Add(float a, float b) => a + b;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float Subtract(float a, float b) => a - b;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float Multiply(float a, float b) => a * b;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float Divide(float a, float b) => a / b;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float MultiplyAdd(float a, float b, float c) => float.MultiplyAddEstimate(a, b, c);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float Max(float a, float b) => a > b ? a : b;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float Min(float a, float b) => a < b ? a : b;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float Abs(float a) => MathF.Abs(a);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float Round(float a) => MathF.Round(a);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float ScaleByPowerOfTwo(float a, float n)
    {
        var exponent = (int)n;
        var first = exponent >> 1;
        return a * BitConverter.Int32BitsToSingle((first + 127) << 23)
            * BitConverter.Int32BitsToSingle((exponent - first + 127) << 23);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float GreaterThan(float a, float b) => BitConverter.Int32BitsToSingle(a > b ? -1 : 0);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float Select(float mask, float a, float b) => BitConverter.SingleToInt32Bits(mask) != 0 ? a : b;

    public static float Sum(float a) => a;

    public static float MaxAcross(float a) => a;

    public static float RoundToBFloat16(float a) => (float)Rounding.To(DType.BF16, a);

    public static float RoundToFloat16(float a) => (float)Rounding.To(DType.F16, a);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void AddSquares(float a, double* sums) => *sums += (double)a * a;
}
