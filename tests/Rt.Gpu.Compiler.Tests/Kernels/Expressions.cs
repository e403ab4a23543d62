// Expressions that a kernel and the host both evaluate: what C# means, PTX must mean.
using Rt.Gpu;

namespace Rt.Gpu.Compiler.Tests.Kernels;

public static class Expressions
{
    public const int IntCount = 34;
    public const int LongCount = 22;
    public const int FloatCount = 30;
    public const int DoubleCount = 16;

    public static int Int(int k, int a, int b) => k switch
    {
        0 => a + b,
        1 => a - b,
        2 => a * b,
        3 => b == 0 || (a == int.MinValue && b == -1) ? 7 : a / b,
        4 => b == 0 || (a == int.MinValue && b == -1) ? 7 : a % b,
        5 => a << b,
        6 => a >> b,
        7 => a >>> b,
        8 => (int)((uint)a >> b),
        9 => a & b,
        10 => a | b,
        11 => a ^ b,
        12 => ~a,
        13 => -a,
        14 => a / 4,
        15 => a % 4,
        16 => a / -3,
        17 => (int)((uint)a / 10u),
        18 => (int)((uint)a % 16u),
        19 => (byte)a,
        20 => (sbyte)a,
        21 => (short)a,
        22 => (ushort)a,
        23 => a < b ? 1 : 0,
        24 => (uint)a < (uint)b ? 1 : 0,
        25 => XMath.Max(a, b) - XMath.Min(a, b),
        26 => (int)((long)a * b >> 7),
        27 => (int)((ulong)(uint)a * (uint)b >> 32),
        28 => ((a + 16) >> 1) & 3,
        29 => ((a + 5) * 3) - (a * 2),
        30 => (int)(uint)(ulong)a,
        31 => 1 << a,
        32 => (a & 0xFF00) >> 8 << 4,
        _ => unchecked((int)((uint)a << b)),
    };

    public static long Long(int k, long a, long b) => k switch
    {
        0 => a + b,
        1 => a - b,
        2 => a * b,
        3 => b == 0 || (a == long.MinValue && b == -1) ? 7 : a / b,
        4 => b == 0 || (a == long.MinValue && b == -1) ? 7 : a % b,
        5 => a << (int)b,
        6 => a >> (int)b,
        7 => a >>> (int)b,
        8 => (int)a,
        9 => (uint)a,
        10 => (short)a,
        11 => a / 8,
        12 => a % 8,
        13 => (long)((ulong)a / 8),
        14 => a < b ? 1 : 0,
        15 => (ulong)a < (ulong)b ? 1 : 0,
        16 => (long)(ulong)(int)a,
        17 => (long)(ulong)(uint)a,
        18 => -a ^ ~b,
        19 => (int)a * (long)(int)b,
        20 => ((int)a * 12L) + (int)b,
        _ => (a & 0xFFFF) | (b << 16),
    };

    /// <summary>A float's bits, or an integer.</summary>
    public static long Float(int k, float a, float b) => k switch
    {
        0 => Interop.FloatAsInt(a + b),
        1 => Interop.FloatAsInt(a - b),
        2 => Interop.FloatAsInt(a * b),
        3 => Interop.FloatAsInt(a / b),
        4 => Interop.FloatAsInt(-a),
        5 => Interop.FloatAsInt(XMath.Abs(a)),
        6 => Interop.FloatAsInt(XMath.Max(a, b)),
        7 => Interop.FloatAsInt(XMath.Min(a, b)),
        8 => Interop.FloatAsInt(XMath.Sqrt(a)),
        9 => Interop.FloatAsInt(XMath.Fma(a, b, a)),
        10 => (int)a,
        11 => (uint)a,
        12 => (long)a,
        13 => (long)(ulong)a,
        14 => (byte)a,
        15 => (sbyte)a,
        16 => (short)a,
        17 => (ushort)a,
        18 => a < b ? 1 : 0,
        19 => a <= b ? 1 : 0,
        20 => a == b ? 1 : 0,
        21 => a != b ? 1 : 0,
        22 => !(a < b) ? 1 : 0,
        23 => !(a >= b) ? 1 : 0,
        24 => float.IsNaN(a) ? 1 : 0,
        25 => Interop.FloatAsInt((a * b) + 0f),
        26 => Interop.FloatAsInt(a + 0f),
        27 => Interop.FloatAsInt(1f / a),
        28 => Interop.FloatAsInt((float)(int)a),
        _ => Interop.FloatAsInt((float)(Half)a),
    };

    /// <summary>A double's bits, or an integer.</summary>
    public static long Double(int k, double a, double b) => k switch
    {
        0 => BitConverter.DoubleToInt64Bits(a + b),
        1 => BitConverter.DoubleToInt64Bits(a * b),
        2 => BitConverter.DoubleToInt64Bits(a / b),
        3 => (int)a,
        4 => (uint)a,
        5 => (long)a,
        6 => (long)(ulong)a,
        7 => (byte)a,
        8 => Interop.FloatAsInt((float)a),
        9 => a < b ? 1 : 0,
        10 => a != b ? 1 : 0,
        11 => BitConverter.DoubleToInt64Bits((double)(long)a),
        12 => Interop.FloatAsInt((float)(long)a),
        13 => BitConverter.DoubleToInt64Bits((double)(uint)a),
        14 => BitConverter.DoubleToInt64Bits(Math.Sqrt(a)),
        _ => BitConverter.DoubleToInt64Bits(-a),
    };

    [Kernel(64)]
    public static void IntExpressionsKernel(ArrayView<int> a, ArrayView<int> b, ArrayView<int> results)
    {
        for (var k = 0; Unroll.While(k < IntCount); k++)
        {
            results[(Group.IdxX * IntCount) + k] = Int(k, a[Group.IdxX], b[Group.IdxX]);
        }
    }

    [Kernel(64)]
    public static void LongExpressionsKernel(ArrayView<long> a, ArrayView<long> b, ArrayView<long> results)
    {
        for (var k = 0; Unroll.While(k < LongCount); k++)
        {
            results[(Group.IdxX * LongCount) + k] = Long(k, a[Group.IdxX], b[Group.IdxX]);
        }
    }

    [Kernel(64)]
    public static void FloatExpressionsKernel(ArrayView<float> a, ArrayView<float> b, ArrayView<long> results)
    {
        for (var k = 0; Unroll.While(k < FloatCount); k++)
        {
            results[(Group.IdxX * FloatCount) + k] = Float(k, a[Group.IdxX], b[Group.IdxX]);
        }
    }

    [Kernel(64)]
    public static void DoubleExpressionsKernel(ArrayView<double> a, ArrayView<double> b, ArrayView<long> results)
    {
        for (var k = 0; Unroll.While(k < DoubleCount); k++)
        {
            results[(Group.IdxX * DoubleCount) + k] = Double(k, a[Group.IdxX], b[Group.IdxX]);
        }
    }
}
