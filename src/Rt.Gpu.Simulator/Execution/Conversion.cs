// cvt: conversions between integers, floats, halves and bfloats, with rounding and saturation.
// Source: PTX ISA, "cvt".
using System.Runtime.CompilerServices;

namespace Rt.Gpu.Simulator.Execution;

internal enum NumberKind
{
    Unsigned,
    Signed,
    Float,
    Brain,
    TensorFloat,
}

internal enum Rounding
{
    None,
    Nearest,
    Zero,
    Down,
    Up,
    NearestAway,
}

/// <summary>One conversion: kinds and bits of both ends.</summary>
/// <param name="To">Kind of the result.</param>
/// <param name="ToBits">Bits of the result.</param>
/// <param name="From">Kind of the operand.</param>
/// <param name="FromBits">Bits of the operand.</param>
/// <param name="Rounding">Rounding: of the float result, or to an integer.</param>
/// <param name="Saturate">Integers are clamped; floats to [0, 1].</param>
/// <param name="ToInteger">A rounding of float to float that gives an integer (.rni and its kind).</param>
internal readonly record struct Conversion(
    NumberKind To, int ToBits, NumberKind From, int FromBits, Rounding Rounding, bool Saturate, bool ToInteger, bool Relu)
{

    /// <summary>The bits of the result for the bits of an operand.</summary>
    public ulong Of(ulong bits)
    {
        if (From is NumberKind.Unsigned or NumberKind.Signed)
        {
            long value = From == NumberKind.Signed ? SignExtend(bits, FromBits) : (long)ZeroExtend(bits, FromBits);
            bool unsigned = From == NumberKind.Unsigned;
            return To is NumberKind.Unsigned or NumberKind.Signed ? IntegerToInteger(value, unsigned) : IntegerToFloat(value, unsigned);
        }
        double operand = Widen(bits);
        return To is NumberKind.Unsigned or NumberKind.Signed ? FloatToInteger(operand) : FloatToFloat(operand);
    }

    private static long SignExtend(ulong bits, int width) => (long)(bits << (64 - width)) >> (64 - width);

    private static ulong ZeroExtend(ulong bits, int width) => width == 64 ? bits : bits & ((1UL << width) - 1);

    private double Widen(ulong bits) => (From, FromBits) switch
    {
        (NumberKind.Brain, _) => BitConverter.UInt32BitsToSingle((uint)bits << 16),
        (_, 16) => (double)BitConverter.UInt16BitsToHalf((ushort)bits),
        (_, 32) => BitConverter.UInt32BitsToSingle((uint)bits),
        _ => BitConverter.UInt64BitsToDouble(bits),
    };

    private ulong IntegerToInteger(long value, bool unsigned)
    {
        if (Saturate)
        {
            Int128 wide = unsigned ? (Int128)(ulong)value : value;
            Int128 low = To == NumberKind.Signed ? -((Int128)1 << (ToBits - 1)) : 0;
            Int128 high = ((Int128)1 << (To == NumberKind.Signed ? ToBits - 1 : ToBits)) - 1;
            wide = Int128.Clamp(wide, low, high);
            return unchecked((ulong)wide);
        }
        return To == NumberKind.Signed ? (ulong)SignExtend((ulong)value, ToBits) : ZeroExtend((ulong)value, ToBits);
    }

    private ulong IntegerToFloat(long value, bool unsigned)
    {
        bool negative = !unsigned && value < 0;
        ulong magnitude = negative ? 0 - (ulong)value : (ulong)value;
        var (precision, exponentBits) = Format;
        if (magnitude == 0)
        {
            return 0;
        }
        int top = 63 - System.Numerics.BitOperations.LeadingZeroCount(magnitude);
        int dropped = Math.Max(0, top - (precision - 1));
        ulong whole = magnitude >> dropped;
        ulong rest = magnitude - (whole << dropped);
        ulong half = dropped == 0 ? 1 : 1UL << (dropped - 1);
        whole += IsAway(rest != 0, rest.CompareTo(half), (whole & 1) != 0, negative) ? 1UL : 0;
        whole <<= Math.Max(0, precision - 1 - top);
        return Assemble(whole, top, negative, precision, exponentBits);
    }

    /// <summary>Bits of the significand with the hidden one, and of the exponent.</summary>
    private (int Precision, int ExponentBits) Format => (To, ToBits) switch
    {
        (NumberKind.Brain, _) => (8, 8),
        (NumberKind.TensorFloat, _) => (11, 8),
        (_, 16) => (11, 5),
        (_, 32) => (24, 8),
        _ => (53, 11),
    };

    /// <summary>Whether the rounding goes away from zero.</summary>
    private bool IsAway(bool inexact, int restAgainstHalf, bool odd, bool negative) => inexact && Rounding switch
    {
        Rounding.Zero => false,
        Rounding.Down => negative,
        Rounding.Up => !negative,
        Rounding.NearestAway => restAgainstHalf >= 0,
        _ => restAgainstHalf > 0 || (restAgainstHalf == 0 && odd),
    };

    /// <summary>The bits of a float; a carry out of the significand moves into the exponent by itself.</summary>
    private ulong Assemble(ulong significand, int exponent, bool negative, int precision, int exponentBits)
    {
        int bias = (1 << (exponentBits - 1)) - 1;
        ulong infinity = ((1UL << exponentBits) - 1) << (precision - 1);
        ulong result = significand + ((ulong)(exponent - (1 - bias)) << (precision - 1));
        if (exponent > bias || result >= infinity)
        {
            bool stays = Rounding == Rounding.Zero || (Rounding == Rounding.Down && !negative) || (Rounding == Rounding.Up && negative);
            result = stays ? infinity - 1 : infinity;
        }
        return result | (negative ? 1UL << (precision - 1 + exponentBits) : 0);
    }

    private static double RoundToInteger(double value, Rounding rounding) => rounding switch
    {
        Rounding.Zero => Math.Truncate(value),
        Rounding.Down => Math.Floor(value),
        Rounding.Up => Math.Ceiling(value),
        _ => Math.Round(value, MidpointRounding.ToEven),
    };

    private ulong FloatToInteger(double value)
    {
        if (double.IsNaN(value))
        {
            // Zero, but for 64-bit ends: there the highest bit of the result is set.
            return FromBits == 64 || ToBits == 64 ? (To == NumberKind.Signed ? (ulong)SignExtend(1UL << (ToBits - 1), ToBits) : 1UL << (ToBits - 1)) : 0;
        }
        double whole = RoundToInteger(value, Rounding);
        if (To == NumberKind.Signed)
        {
            double bound = Math.ScaleB(1, ToBits - 1);
            long result = whole >= bound ? (long)((1UL << (ToBits - 1)) - 1) : whole < -bound ? -1L << (ToBits - 1) : (long)whole;
            return (ulong)result;
        }
        double top = Math.ScaleB(1, ToBits);
        return whole >= top ? ZeroExtend(ulong.MaxValue, ToBits) : whole <= 0 ? 0 : (ulong)whole;
    }

    private ulong FloatToFloat(double value)
    {
        if (ToInteger)
        {
            double whole = double.IsFinite(value) ? Math.CopySign(RoundToInteger(value, Rounding), value) : value;
            value = whole;
        }
        if (Saturate)
        {
            value = double.IsNaN(value) || value <= 0 ? 0 : Math.Min(value, 1);
        }
        if (Relu && (value < 0 || double.IsNaN(value)))
        {
            value = double.IsNaN(value) ? value : 0;
        }
        if (ToBits == 64)
        {
            return BitConverter.DoubleToUInt64Bits(value);
        }
        bool tensor = To == NumberKind.TensorFloat;
        if (double.IsNaN(value))
        {
            return ToBits == 16 ? 0x7FFFu : Canonical.NaN32;
        }
        return tensor ? Narrow(value) << 13 : Narrow(value);
    }

    /// <summary>The bits of a number in the format of the result.</summary>
    private ulong Narrow(double value)
    {
        var (precision, exponentBits) = Format;
        bool negative = double.IsNegative(value);
        int bias = (1 << (exponentBits - 1)) - 1;
        double magnitude = Math.Abs(value);
        if (magnitude == 0 || double.IsInfinity(magnitude))
        {
            ulong bits = magnitude == 0 ? 0 : ((1UL << exponentBits) - 1) << (precision - 1);
            return bits | (negative ? 1UL << (precision - 1 + exponentBits) : 0);
        }
        int exponent = Math.Max(Math.ILogB(magnitude), 1 - bias);
        double scaled = Math.ScaleB(magnitude, precision - 1 - exponent);
        double whole = Math.Floor(scaled);
        double rest = scaled - whole;
        ulong significand = (ulong)whole + (IsAway(rest > 0, rest.CompareTo(0.5), ((ulong)whole & 1) != 0, negative) ? 1UL : 0);
        return Assemble(significand, exponent, negative, precision, exponentBits);
    }
}

internal sealed unsafe partial class Worker
{
    /// <summary>cvt: Immediate is the index of the conversion, First and Third the bytes of a lane of operand and result; the result of 16-bit
    /// registers keeps zeros above.</summary>
    public static void Convert(Worker w, Instruction* i, uint mask)
    {
        var conversion = w._program.Conversions[(int)i->Immediate];
        byte* a = w.Registers + i->A, d = w.Registers + i->Destination;
        for (int l = 0; l < 32; l++)
        {
            if ((mask >> l & 1) == 0)
            {
                continue;
            }
            ulong result = conversion.Of(i->First == 8 ? ((ulong*)a)[l] : ((uint*)a)[l]);
            if (i->Third == 8)
            {
                ((ulong*)d)[l] = result;
            }
            else
            {
                ((uint*)d)[l] = i->Second == 16 ? (ushort)result : (uint)result;
            }
        }
    }

    /// <summary>cvt.rn.{bf16x2,f16x2}.f32 d, a, b: a in the upper half.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void ConvertPair(Worker w, Instruction* i, uint mask)
    {
        var conversion = w._program.Conversions[(int)i->Immediate];
        uint* a = (uint*)(w.Registers + i->A), b = (uint*)(w.Registers + i->B), d = (uint*)(w.Registers + i->Destination);
        for (int l = 0; l < 32; l++)
        {
            if ((mask >> l & 1) != 0)
            {
                d[l] = (uint)(conversion.Of(a[l]) << 16) | (uint)conversion.Of(b[l]);
            }
        }
    }
}
