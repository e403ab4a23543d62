// Exchanges within a warp: shuffles, votes, reductions, warp barriers.
// Source: PTX ISA, "shfl.sync", "vote.sync", "redux.sync", "bar.warp.sync".
using System.Numerics;
using System.Runtime.Intrinsics;

namespace Rt.Gpu.Simulator.Execution;

internal sealed unsafe partial class Worker
{
    /// <summary>The member mask must name exactly the lanes that take part.</summary>
    private void CheckMembers(Instruction* i, uint mask, uint* members)
    {
        var wrong = (Vector512.Load(members) ^ Vector512.Create(mask)) & Lanes.Select<uint>(mask);
        wrong |= (Vector512.Load(members + 16) ^ Vector512.Create(mask)) & Lanes.Select<uint>(mask >> 16);
        if (wrong == Vector512<uint>.Zero)
        {
            return;
        }
        for (uint rest = mask; rest != 0; rest &= rest - 1)
        {
            int l = BitOperations.TrailingZeroCount(rest);
            if (members[l] != mask)
            {
                uint missing = members[l] & ~mask;
                Fault(i, l, missing != 0
                    ? $"the member mask 0x{members[l]:x} names lanes 0x{missing:x}, which do not take part"
                    : $"lanes 0x{mask:x} take part and the member mask 0x{members[l]:x} does not name them all");
            }
        }
    }

    private void CheckWholeWarp(Instruction* i, uint mask)
    {
        if (mask != Lanes.All)
        {
            Fault(i, BitOperations.TrailingZeroCount(mask), $"all 32 lanes must take part; only 0x{mask:x} do");
        }
    }

    /// <summary>shfl.sync: First is the mode (0 idx, 1 up, 2 down, 3 bfly), B the lane or distance, C clamp and segments, Registers[0] members,
    /// Second the predicate result or -1.</summary>
    public static void Shuffle(Worker w, Instruction* i, uint mask)
    {
        byte* r = w.Registers;
        w.CheckMembers(i, mask, (uint*)(r + i->Registers[0]));
        uint* a = (uint*)(r + i->A), b = (uint*)(r + i->B), c = (uint*)(r + i->C), d = (uint*)(r + i->Destination);
        uint* values = stackalloc uint[32];
        int* sources = stackalloc int[32];
        Vector512.Load(a).Store(values);
        Vector512.Load(a + 16).Store(values + 16);
        uint valid = ShuffleSources(i->First, b, c, sources, 0) | (ShuffleSources(i->First, b, c, sources, 16) << 16);
        if (mask != Lanes.All)
        {
            for (uint rest = mask; rest != 0; rest &= rest - 1)
            {
                int lane = BitOperations.TrailingZeroCount(rest);
                if ((mask >> sources[lane] & 1) == 0)
                {
                    w.Fault(i, lane, $"shuffle from lane {sources[lane]}, which does not take part");
                }
            }
            valid &= mask;
        }
        for (uint rest = mask; rest != 0; rest &= rest - 1)
        {
            int lane = BitOperations.TrailingZeroCount(rest);
            d[lane] = values[sources[lane]];
        }
        if (i->Second >= 0)
        {
            uint* p = w.Predicates + i->Second;
            *p = (*p & ~mask) | valid;
        }
    }

    /// <summary>The lanes that 16 lanes from the first one on read from: their own where the wanted one is out of range. Gives which are in range.</summary>
    private static uint ShuffleSources(int mode, uint* b, uint* c, int* sources, int first)
    {
        var lane = Vector512.Create(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15) + Vector512.Create(first);
        var low = Vector512.Create(31);
        var by = Vector512.Load(b + first).AsInt32() & low;
        var packed = Vector512.Load(c + first).AsInt32();
        var segment = (packed >> 8) & low;
        var edge = (lane & segment) | (packed & low & ~segment);
        var source = mode switch
        {
            0 => (lane & segment) | (by & ~segment),
            1 => lane - by,
            2 => lane + by,
            _ => lane ^ by,
        };
        var inside = mode == 1 ? Vector512.GreaterThanOrEqual(source, edge) : Vector512.LessThanOrEqual(source, edge);
        Vector512.ConditionalSelect(inside, source, lane).Store(sources + first);
        return (uint)inside.ExtractMostSignificantBits();
    }

    /// <summary>vote.sync: First is the mode (0 all, 1 any, 2 uni, 3 ballot), A the predicate, Second its flip, B the members.</summary>
    public static void Vote(Worker w, Instruction* i, uint mask)
    {
        w.CheckMembers(i, mask, (uint*)(w.Registers + i->B));
        uint votes = (w.Predicates[i->A] ^ (uint)i->Second) & mask;
        if (i->First == 3)
        {
            uint* d = (uint*)(w.Registers + i->Destination);
            for (uint rest = mask; rest != 0; rest &= rest - 1)
            {
                d[BitOperations.TrailingZeroCount(rest)] = votes;
            }
            return;
        }
        bool result = i->First switch
        {
            0 => votes == mask,
            1 => votes != 0,
            _ => votes == mask || votes == 0,
        };
        uint* p = w.Predicates + i->Destination;
        *p = (*p & ~mask) | (result ? mask : 0);
    }

    /// <summary>redux.sync: First is the operation, B the members.</summary>
    public static void Reduce(Worker w, Instruction* i, uint mask)
    {
        w.CheckMembers(i, mask, (uint*)(w.Registers + i->B));
        uint* a = (uint*)(w.Registers + i->A), d = (uint*)(w.Registers + i->Destination);
        uint value = a[BitOperations.TrailingZeroCount(mask)];
        for (uint rest = mask & (mask - 1); rest != 0; rest &= rest - 1)
        {
            value = Combine((AtomicOperation)i->First, value, a[BitOperations.TrailingZeroCount(rest)], 0);
        }
        for (uint rest = mask; rest != 0; rest &= rest - 1)
        {
            d[BitOperations.TrailingZeroCount(rest)] = value;
        }
    }

    /// <summary>bar.warp.sync: orders the accesses of the lanes it names.</summary>
    public static void WarpBarrier(Worker w, Instruction* i, uint mask)
    {
        w.CheckMembers(i, mask, (uint*)(w.Registers + i->A));
        if (mask == (w.Warp.Lanes & ~w.Warp.Returned))
        {
            w.Advance(i);
            w.Warp.BarrierTime = w.Time;
        }
    }

    /// <summary>membar, fence: First is 1 for the device. Within a group the race check asks for barriers all the same.</summary>
    public static void Fence(Worker w, Instruction* i, uint mask) => w._fenced |= i->First == 1;

    /// <summary>A register that some path leaves unwritten is read: First is its number among the tracked ones.</summary>
    public static void RequireRegister(Worker w, Instruction* i, uint mask)
    {
        uint missing = mask & ~w.Warp.Written[i->First];
        if (missing != 0)
        {
            w.Fault(i, BitOperations.TrailingZeroCount(missing), $"read of register {w._program.TrackedNames[i->First]}, which nothing wrote");
        }
    }

    /// <summary>A tracked register is written.</summary>
    public static void MarkRegister(Worker w, Instruction* i, uint mask) => w.Warp.Written[i->First] |= mask;

    /// <summary>mov.b64 d, {a, b} and mov.b32 of 16-bit halves: First is the bits of a half.</summary>
    public static void Pack(Worker w, Instruction* i, uint mask)
    {
        uint* low = (uint*)(w.Registers + i->Registers[0]), high = (uint*)(w.Registers + i->Registers[1]);
        byte* d = w.Registers + i->Destination;
        for (uint rest = mask; rest != 0; rest &= rest - 1)
        {
            int l = BitOperations.TrailingZeroCount(rest);
            if (i->First == 32)
            {
                ((ulong*)d)[l] = low[l] | ((ulong)high[l] << 32);
            }
            else
            {
                ((uint*)d)[l] = (low[l] & 0xFFFF) | (high[l] << 16);
            }
        }
    }

    /// <summary>mov.b64 {d, e}, a and mov.b32 into 16-bit halves; a half may be left out (-1).</summary>
    public static void Unpack(Worker w, Instruction* i, uint mask)
    {
        byte* a = w.Registers + i->A;
        for (uint rest = mask; rest != 0; rest &= rest - 1)
        {
            int l = BitOperations.TrailingZeroCount(rest);
            ulong value = i->First == 32 ? ((ulong*)a)[l] : ((uint*)a)[l];
            for (int half = 0; half < 2; half++)
            {
                if (i->Registers[half] >= 0)
                {
                    uint part = i->First == 32 ? (uint)(value >> (32 * half)) : (uint)(value >> (16 * half)) & 0xFFFF;
                    ((uint*)(w.Registers + i->Registers[half]))[l] = part;
                }
            }
        }
    }

    /// <summary>lop3: Immediate is the table.</summary>
    public static void Logic3(Worker w, Instruction* i, uint mask)
    {
        byte* r = w.Registers;
        uint* a = (uint*)(r + i->A), b = (uint*)(r + i->B), c = (uint*)(r + i->C), d = (uint*)(r + i->Destination);
        for (uint rest = mask; rest != 0; rest &= rest - 1)
        {
            int l = BitOperations.TrailingZeroCount(rest);
            uint value = 0;
            for (int term = 0; term < 8; term++)
            {
                if ((i->Immediate >> term & 1) != 0)
                {
                    value |= ((term & 4) != 0 ? a[l] : ~a[l]) & ((term & 2) != 0 ? b[l] : ~b[l]) & ((term & 1) != 0 ? c[l] : ~c[l]);
                }
            }
            d[l] = value;
        }
    }

    /// <summary>bfi: A into B, from bit C, as many bits as Registers[0] says.</summary>
    public static void InsertField(Worker w, Instruction* i, uint mask)
    {
        byte* r = w.Registers;
        for (uint rest = mask; rest != 0; rest &= rest - 1)
        {
            int l = BitOperations.TrailingZeroCount(rest);
            uint start = ((uint*)(r + i->C))[l], length = ((uint*)(r + i->Registers[0]))[l];
            if (i->First == 64)
            {
                ((ulong*)(r + i->Destination))[l] = Field.Insert(((ulong*)(r + i->A))[l], ((ulong*)(r + i->B))[l], start, length, 64);
            }
            else
            {
                ((uint*)(r + i->Destination))[l] = (uint)Field.Insert(((uint*)(r + i->A))[l], ((uint*)(r + i->B))[l], start, length, 32);
            }
        }
    }
}
