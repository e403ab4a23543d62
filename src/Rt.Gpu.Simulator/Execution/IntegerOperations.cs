// Integer and bit operations of one lane or one vector of lanes.
// Source: PTX ISA, "Integer Arithmetic Instructions", "Logic and Shift Instructions", "Data Movement and Conversion Instructions".
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace Rt.Gpu.Simulator.Execution;


internal readonly struct Move<T> : IUnary<T> where T : unmanaged
{
    public static Vector512<T> Of(Vector512<T> a) => a;
}

internal readonly struct Add<T> : IBinary<T> where T : unmanaged
{
    public static Vector512<T> Of(Vector512<T> a, Vector512<T> b) => a + b;
}

internal readonly struct Subtract<T> : IBinary<T> where T : unmanaged
{
    public static Vector512<T> Of(Vector512<T> a, Vector512<T> b) => a - b;
}

internal readonly struct Multiply<T> : IBinary<T> where T : unmanaged
{
    public static Vector512<T> Of(Vector512<T> a, Vector512<T> b) => a * b;
}

internal readonly struct MultiplyAdd<T> : ITernary<T> where T : unmanaged
{
    public static Vector512<T> Of(Vector512<T> a, Vector512<T> b, Vector512<T> c) => (a * b) + c;
}

internal readonly struct Lesser<T> : IBinary<T> where T : unmanaged
{
    public static Vector512<T> Of(Vector512<T> a, Vector512<T> b) => Vector512.Min(a, b);
}

internal readonly struct Greater<T> : IBinary<T> where T : unmanaged
{
    public static Vector512<T> Of(Vector512<T> a, Vector512<T> b) => Vector512.Max(a, b);
}

internal readonly struct And<T> : IBinary<T> where T : unmanaged
{
    public static Vector512<T> Of(Vector512<T> a, Vector512<T> b) => a & b;
}

internal readonly struct Or<T> : IBinary<T> where T : unmanaged
{
    public static Vector512<T> Of(Vector512<T> a, Vector512<T> b) => a | b;
}

internal readonly struct Xor<T> : IBinary<T> where T : unmanaged
{
    public static Vector512<T> Of(Vector512<T> a, Vector512<T> b) => a ^ b;
}

internal readonly struct Not<T> : IUnary<T> where T : unmanaged
{
    public static Vector512<T> Of(Vector512<T> a) => ~a;
}

internal readonly struct Negate<T> : IUnary<T> where T : unmanaged
{
    public static Vector512<T> Of(Vector512<T> a) => Vector512<T>.Zero - a;
}

internal readonly struct Magnitude<T> : IUnary<T> where T : unmanaged
{
    public static Vector512<T> Of(Vector512<T> a) => Vector512.ConditionalSelect(Vector512.LessThan(a, Vector512<T>.Zero), Vector512<T>.Zero - a, a);
}

/// <summary>An operation on 16-bit values that lie in 32-bit lanes with zeros above.</summary>
internal readonly struct Unsigned16<TOp> : IBinary<uint> where TOp : struct, IBinary<uint>
{
    public static Vector512<uint> Of(Vector512<uint> a, Vector512<uint> b) => TOp.Of(a, b) & Vector512.Create(0xFFFFu);
}

/// <summary>An operation on signed 16-bit values that lie in 32-bit lanes with zeros above.</summary>
internal readonly struct Signed16<TOp> : IBinary<int> where TOp : struct, IBinary<int>
{
    public static Vector512<int> Of(Vector512<int> a, Vector512<int> b) => TOp.Of(Widen(a), Widen(b)) & Vector512.Create(0xFFFF);

    public static Vector512<int> Widen(Vector512<int> a) => (a << 16) >> 16;
}

internal readonly struct Unsigned16Unary<TOp> : IUnary<uint> where TOp : struct, IUnary<uint>
{
    public static Vector512<uint> Of(Vector512<uint> a) => TOp.Of(a) & Vector512.Create(0xFFFFu);
}

internal readonly struct Signed16Unary<TOp> : IUnary<int> where TOp : struct, IUnary<int>
{
    public static Vector512<int> Of(Vector512<int> a) => TOp.Of((a << 16) >> 16) & Vector512.Create(0xFFFF);
}

internal readonly struct CompareSigned16<TOp> : ICompare<int> where TOp : struct, ICompare<int>
{
    public static Vector512<int> Of(Vector512<int> a, Vector512<int> b) => TOp.Of((a << 16) >> 16, (b << 16) >> 16);
}

/// <summary>Shift left; amounts past the width give 0.</summary>
internal readonly struct ShiftLeft32 : IBinary<uint>
{
    public static Vector512<uint> Of(Vector512<uint> a, Vector512<uint> b)
    {
        if (Avx512F.IsSupported)
        {
            return Avx512F.ShiftLeftLogicalVariable(a, b);
        }
        var result = Vector512<uint>.Zero;
        for (int l = 0; l < Vector512<uint>.Count; l++)
        {
            result = result.WithElement(l, b[l] > 31 ? 0 : a[l] << (int)b[l]);
        }
        return result;
    }
}

/// <summary>Shift right with zeros; amounts past the width give 0.</summary>
internal readonly struct ShiftRightUnsigned32 : IBinary<uint>
{
    public static Vector512<uint> Of(Vector512<uint> a, Vector512<uint> b)
    {
        if (Avx512F.IsSupported)
        {
            return Avx512F.ShiftRightLogicalVariable(a, b);
        }
        var result = Vector512<uint>.Zero;
        for (int l = 0; l < Vector512<uint>.Count; l++)
        {
            result = result.WithElement(l, b[l] > 31 ? 0 : a[l] >> (int)b[l]);
        }
        return result;
    }
}

/// <summary>Shift right with the sign; amounts past the width give the sign.</summary>
internal readonly struct ShiftRightSigned32 : IBinary<uint>
{
    public static Vector512<uint> Of(Vector512<uint> a, Vector512<uint> b)
    {
        if (Avx512F.IsSupported)
        {
            return Avx512F.ShiftRightArithmeticVariable(a.AsInt32(), b).AsUInt32();
        }
        var result = Vector512<uint>.Zero;
        for (int l = 0; l < Vector512<uint>.Count; l++)
        {
            result = result.WithElement(l, (uint)((int)a[l] >> (int)Math.Min(b[l], 31)));
        }
        return result;
    }
}

internal readonly struct ShiftLeft64 : ILane<ulong, uint, ulong>
{
    public static ulong Of(ulong a, uint b) => b > 63 ? 0 : a << (int)b;
}

internal readonly struct ShiftRightUnsigned64 : ILane<ulong, uint, ulong>
{
    public static ulong Of(ulong a, uint b) => b > 63 ? 0 : a >> (int)b;
}

internal readonly struct ShiftRightSigned64 : ILane<long, uint, long>
{
    public static long Of(long a, uint b) => a >> (int)Math.Min(b, 63);
}

internal readonly struct ShiftLeft16 : ILane<uint, uint, uint>
{
    public static uint Of(uint a, uint b) => b > 15 ? 0u : (ushort)(a << (int)b);
}

internal readonly struct ShiftRightUnsigned16 : ILane<uint, uint, uint>
{
    public static uint Of(uint a, uint b) => b > 15 ? 0 : a >> (int)b;
}

internal readonly struct ShiftRightSigned16 : ILane<uint, uint, uint>
{
    public static uint Of(uint a, uint b) => (ushort)((short)a >> (int)Math.Min(b, 15));
}

internal readonly struct MultiplyHigh32 : ILane<int, int, int>
{
    public static int Of(int a, int b) => (int)(((long)a * b) >> 32);
}

internal readonly struct MultiplyHighUnsigned32 : ILane<uint, uint, uint>
{
    public static uint Of(uint a, uint b) => (uint)(((ulong)a * b) >> 32);
}

internal readonly struct MultiplyHigh64 : ILane<long, long, long>
{
    public static long Of(long a, long b) => Math.BigMul(a, b, out _);
}

internal readonly struct MultiplyHighUnsigned64 : ILane<ulong, ulong, ulong>
{
    public static ulong Of(ulong a, ulong b) => Math.BigMul(a, b, out _);
}

internal readonly struct MultiplyWide16 : ILane<uint, uint, int>
{
    public static int Of(uint a, uint b) => (short)a * (short)b;
}

internal readonly struct MultiplyWideUnsigned16 : ILane<uint, uint, uint>
{
    public static uint Of(uint a, uint b) => a * b;
}

internal readonly struct MultiplyWide32 : ILane<int, int, long>
{
    public static long Of(int a, int b) => (long)a * b;
}

internal readonly struct MultiplyWideUnsigned32 : ILane<uint, uint, ulong>
{
    public static ulong Of(uint a, uint b) => (ulong)a * b;
}

internal readonly struct MultiplyAddWide32 : ILane<int, int, long, long>
{
    public static long Of(int a, int b, long c) => ((long)a * b) + c;
}

internal readonly struct MultiplyAddWideUnsigned32 : ILane<uint, uint, ulong, ulong>
{
    public static ulong Of(uint a, uint b, ulong c) => ((ulong)a * b) + c;
}

internal readonly struct MultiplyAddHigh32 : ILane<int, int, int, int>
{
    public static int Of(int a, int b, int c) => (int)(((long)a * b) >> 32) + c;
}

internal readonly struct MultiplyAddHighUnsigned32 : ILane<uint, uint, uint, uint>
{
    public static uint Of(uint a, uint b, uint c) => (uint)(((ulong)a * b) >> 32) + c;
}

/// <summary>Quotient towards zero; int.MinValue / -1 is int.MinValue.</summary>
internal readonly struct Quotient32 : ILane<int, int, int>
{
    public static int Of(int a, int b) => b == -1 ? -a : a / b;
}

internal readonly struct QuotientUnsigned32 : ILane<uint, uint, uint>
{
    public static uint Of(uint a, uint b) => a / b;
}

internal readonly struct Quotient64 : ILane<long, long, long>
{
    public static long Of(long a, long b) => b == -1 ? -a : a / b;
}

internal readonly struct QuotientUnsigned64 : ILane<ulong, ulong, ulong>
{
    public static ulong Of(ulong a, ulong b) => a / b;
}

internal readonly struct Remainder32 : ILane<int, int, int>
{
    public static int Of(int a, int b) => b == -1 ? 0 : a % b;
}

internal readonly struct RemainderUnsigned32 : ILane<uint, uint, uint>
{
    public static uint Of(uint a, uint b) => a % b;
}

internal readonly struct Remainder64 : ILane<long, long, long>
{
    public static long Of(long a, long b) => b == -1 ? 0 : a % b;
}

internal readonly struct RemainderUnsigned64 : ILane<ulong, ulong, ulong>
{
    public static ulong Of(ulong a, ulong b) => a % b;
}
