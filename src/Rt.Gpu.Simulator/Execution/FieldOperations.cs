// Bit operations of one lane: counts, reversals, funnel shifts, permutations and fields.
// Source: PTX ISA, "Integer Arithmetic Instructions", "Logic and Shift Instructions", "Data Movement and Conversion Instructions".
using System.Numerics;

namespace Rt.Gpu.Simulator.Execution;

internal readonly struct PopulationCount32 : ILane<uint, uint>
{
    public static uint Of(uint a) => (uint)BitOperations.PopCount(a);
}

internal readonly struct PopulationCount64 : ILane<ulong, uint>
{
    public static uint Of(ulong a) => (uint)BitOperations.PopCount(a);
}

internal readonly struct LeadingZeros32 : ILane<uint, uint>
{
    public static uint Of(uint a) => (uint)BitOperations.LeadingZeroCount(a);
}

internal readonly struct LeadingZeros64 : ILane<ulong, uint>
{
    public static uint Of(ulong a) => (uint)BitOperations.LeadingZeroCount(a);
}

internal readonly struct ReverseBits32 : ILane<uint, uint>
{
    public static uint Of(uint a)
    {
        uint result = 0;
        for (int bit = 0; bit < 32; bit++)
        {
            result |= (a >> bit & 1) << (31 - bit);
        }
        return result;
    }
}

internal readonly struct ReverseBits64 : ILane<ulong, ulong>
{
    public static ulong Of(ulong a) => ((ulong)ReverseBits32.Of((uint)a) << 32) | ReverseBits32.Of((uint)(a >> 32));
}

/// <summary>shf.l.clamp: the upper word of {c, a} shifted left.</summary>
internal readonly struct FunnelLeftClamp : ILane<uint, uint, uint, uint>
{
    public static uint Of(uint a, uint b, uint c) => FunnelLeftWrap.OfAmount(a, b, Math.Min(c, 32));
}

internal readonly struct FunnelLeftWrap : ILane<uint, uint, uint, uint>
{
    public static uint Of(uint a, uint b, uint c) => OfAmount(a, b, c & 31);

    public static uint OfAmount(uint a, uint b, uint amount) => amount == 32 ? a : (uint)(((((ulong)b << 32) | a) << (int)amount) >> 32);
}

/// <summary>shf.r.clamp: the lower word of {b, a} shifted right.</summary>
internal readonly struct FunnelRightClamp : ILane<uint, uint, uint, uint>
{
    public static uint Of(uint a, uint b, uint c) => FunnelRightWrap.OfAmount(a, b, Math.Min(c, 32));
}

internal readonly struct FunnelRightWrap : ILane<uint, uint, uint, uint>
{
    public static uint Of(uint a, uint b, uint c) => OfAmount(a, b, c & 31);

    public static uint OfAmount(uint a, uint b, uint amount) => (uint)((((ulong)b << 32) | a) >> (int)amount);
}

/// <summary>prmt in its default mode: each nibble of c picks a byte of {b, a}, or its sign.</summary>
internal readonly struct Permute : ILane<uint, uint, uint, uint>
{
    public static uint Of(uint a, uint b, uint c)
    {
        ulong bytes = ((ulong)b << 32) | a;
        uint result = 0;
        for (int n = 0; n < 4; n++)
        {
            uint pick = c >> (4 * n) & 15;
            uint value = (byte)(bytes >> (int)(8 * (pick & 7)));
            if ((pick & 8) != 0)
            {
                value = (value & 0x80) != 0 ? 0xFFu : 0;
            }
            result |= value << (8 * n);
        }
        return result;
    }
}

/// <summary>bfe: c bits of a from bit b on; the sign comes from the highest bit taken, or bit 31 where the field passes it.</summary>
internal readonly struct ExtractUnsigned32 : ILane<uint, uint, uint, uint>
{
    public static uint Of(uint a, uint b, uint c) => (uint)Field.Extract(a, b, c, 32, signed: false);
}

internal readonly struct ExtractSigned32 : ILane<uint, uint, uint, uint>
{
    public static uint Of(uint a, uint b, uint c) => (uint)Field.Extract(a, b, c, 32, signed: true);
}

internal readonly struct ExtractUnsigned64 : ILane<ulong, uint, uint, ulong>
{
    public static ulong Of(ulong a, uint b, uint c) => Field.Extract(a, b, c, 64, signed: false);
}

internal readonly struct ExtractSigned64 : ILane<ulong, uint, uint, ulong>
{
    public static ulong Of(ulong a, uint b, uint c) => Field.Extract(a, b, c, 64, signed: true);
}

internal static class Field
{
    public static ulong Extract(ulong a, uint start, uint length, int width, bool signed)
    {
        int position = (int)(start & 0xFF);
        int count = (int)(length & 0xFF);
        ulong sign = signed && count > 0 ? a >> Math.Min(position + count - 1, width - 1) & 1 : 0;
        ulong result = 0;
        for (int bit = 0; bit < width; bit++)
        {
            ulong value = bit < count && position + bit < width ? a >> (position + bit) & 1 : sign;
            result |= value << bit;
        }
        return result;
    }

    public static ulong Insert(ulong value, ulong into, uint start, uint length, int width)
    {
        int position = (int)(start & 0xFF);
        int count = (int)(length & 0xFF);
        for (int bit = 0; bit < count && position + bit < width; bit++)
        {
            ulong one = 1UL << (position + bit);
            into = (value >> bit & 1) != 0 ? into | one : into & ~one;
        }
        return into;
    }
}
