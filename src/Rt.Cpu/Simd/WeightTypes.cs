// How weights of each stored dtype become F32 lanes, so that kernels read them in place.
// Sources: IEEE 754 binary16; bfloat16 is the upper half of binary32.
using System.Runtime.CompilerServices;
using Rt.Core;

namespace Rt.Cpu;

/// <summary>Reads stored elements as F32. Addresses need only be aligned to the element.</summary>
internal unsafe interface IWeightType
{
    /// <summary>Bytes per element.</summary>
    static abstract int Bytes { get; }

    /// <summary>Elements index .. index + lanes - 1.</summary>
    static abstract TV Load<TW, TV>(byte* weights, long index) where TW : ISimd<TV> where TV : unmanaged;

    /// <summary>The first register of elements index .. index + 2 lanes - 1: those of even index where <see cref="Unzipped"/>.</summary>
    static abstract TV LoadFirst<TW, TV>(byte* weights, long index) where TW : ISimd<TV> where TV : unmanaged;

    /// <summary>The second register of elements index .. index + 2 lanes - 1: those of odd index where <see cref="Unzipped"/>.</summary>
    static abstract TV LoadSecond<TW, TV>(byte* weights, long index) where TW : ISimd<TV> where TV : unmanaged;

    /// <summary>Whether two registers of weights hold the elements of even index and those of odd index, not neighbours.</summary>
    static abstract bool Unzipped { get; }

    /// <summary>One element.</summary>
    static abstract float LoadOne(byte* weights, long index);
}

internal readonly unsafe struct WeightF32 : IWeightType
{
    public static int Bytes => 4;

    public static bool Unzipped => false;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TV Load<TW, TV>(byte* weights, long index) where TW : ISimd<TV> where TV : unmanaged =>
        TW.Load((float*)weights + index);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TV LoadFirst<TW, TV>(byte* weights, long index) where TW : ISimd<TV> where TV : unmanaged =>
        Load<TW, TV>(weights, index);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TV LoadSecond<TW, TV>(byte* weights, long index) where TW : ISimd<TV> where TV : unmanaged =>
        Load<TW, TV>(weights, index + TW.Count);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float LoadOne(byte* weights, long index) => ((float*)weights)[index];
}

internal readonly unsafe struct WeightF16 : IWeightType
{
    /// <summary>2^112: from an exponent biased by 15 to one biased by 127.</summary>
    public const float Rebias = 5.192296858534828e33f;

    public static int Bytes => 2;

    public static bool Unzipped => true;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TV Load<TW, TV>(byte* weights, long index) where TW : ISimd<TV> where TV : unmanaged =>
        TW.LoadFloat16((ushort*)weights + index);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TV LoadFirst<TW, TV>(byte* weights, long index) where TW : ISimd<TV> where TV : unmanaged =>
        TW.LoadEvenFloat16((ushort*)weights + index);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TV LoadSecond<TW, TV>(byte* weights, long index) where TW : ISimd<TV> where TV : unmanaged =>
        TW.LoadOddFloat16((ushort*)weights + index);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float LoadOne(byte* weights, long index) => (float)((Half*)weights)[index];
}

internal readonly unsafe struct WeightBF16 : IWeightType
{
    public static int Bytes => 2;

    public static bool Unzipped => true;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TV Load<TW, TV>(byte* weights, long index) where TW : ISimd<TV> where TV : unmanaged =>
        TW.LoadBFloat16((ushort*)weights + index);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TV LoadFirst<TW, TV>(byte* weights, long index) where TW : ISimd<TV> where TV : unmanaged =>
        TW.LoadEvenBFloat16((ushort*)weights + index);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TV LoadSecond<TW, TV>(byte* weights, long index) where TW : ISimd<TV> where TV : unmanaged =>
        TW.LoadOddBFloat16((ushort*)weights + index);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float LoadOne(byte* weights, long index) =>
        BitConverter.UInt32BitsToSingle((uint)((ushort*)weights)[index] << 16);
}

/// <summary>Copies of stored elements in F32.</summary>
internal static unsafe class Widening
{
    /// <summary>destination[i] = weights[index + i] for i below count; never reads past the last element.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Copy<TW, TV, TE>(byte* weights, long index, int count, float* destination)
        where TW : ISimd<TV> where TV : unmanaged where TE : IWeightType
    {
        var i = 0;
        for (; i <= count - TW.Count; i += TW.Count)
        {
            TW.Store(TE.Load<TW, TV>(weights, index + i), destination + i);
        }

        for (; i < count; i++)
        {
            destination[i] = TE.LoadOne(weights, index + i);
        }
    }

    /// <summary><see cref="Copy{TW, TV, TE}"/> with the dtype chosen at run time.</summary>
    public static void Copy<TW, TV>(DType type, byte* weights, long index, int count, float* destination)
        where TW : ISimd<TV> where TV : unmanaged
    {
        switch (type)
        {
            case DType.F32: Copy<TW, TV, WeightF32>(weights, index, count, destination); break;
            case DType.F16: Copy<TW, TV, WeightF16>(weights, index, count, destination); break;
            case DType.BF16: Copy<TW, TV, WeightBF16>(weights, index, count, destination); break;
            default: throw new ShapeException($"the cpu device does not compute with {type} weights");
        }
    }
}
