// Work on the 32 lanes of registers: loops over vectors where all lanes take part, blends where some do not.
// Every operation is a struct with one static method, so that the loop is compiled once per operation without calls.
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Rt.Gpu.Simulator.Execution;

internal interface IUnary<T> where T : unmanaged
{
    static abstract Vector512<T> Of(Vector512<T> a);
}

internal interface IBinary<T> where T : unmanaged
{
    static abstract Vector512<T> Of(Vector512<T> a, Vector512<T> b);
}

internal interface ITernary<T> where T : unmanaged
{
    static abstract Vector512<T> Of(Vector512<T> a, Vector512<T> b, Vector512<T> c);
}

internal interface ICompare<T> where T : unmanaged
{
    static abstract Vector512<T> Of(Vector512<T> a, Vector512<T> b);
}

internal interface ILane<TA, TR>
{
    static abstract TR Of(TA a);
}

internal interface ILane<TA, TB, TR>
{
    static abstract TR Of(TA a, TB b);
}

internal interface ILane<TA, TB, TC, TR>
{
    static abstract TR Of(TA a, TB b, TC c);
}

/// <summary>Handlers of arithmetic: each takes the lanes of a mask through one operation.</summary>
internal static unsafe class Lanes
{
    public const uint All = uint.MaxValue;

    /// <summary>All ones in the elements whose bit is set: 16 elements of 4 bytes, or 8 of 8.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<T> Select<T>(uint bits) where T : unmanaged
    {
        if (sizeof(T) == 4)
        {
            var each = Vector512.Create(1u, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096, 8192, 16384, 32768);
            return Vector512.Equals(Vector512.Create(bits) & each, each).As<uint, T>();
        }
        var wide = Vector512.Create(1UL, 2, 4, 8, 16, 32, 64, 128);
        return Vector512.Equals(Vector512.Create((ulong)bits) & wide, wide).As<ulong, T>();
    }

    /// <summary>Writes a vector to the lanes of the mask, of which the lowest bit is the first element.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Blend<T>(Vector512<T> value, T* destination, uint bits) where T : unmanaged =>
        Vector512.ConditionalSelect(Select<T>(bits), value, Vector512.Load(destination)).Store(destination);

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Unary<TOp, T>(Worker w, Instruction* i, uint mask) where TOp : struct, IUnary<T> where T : unmanaged
    {
        byte* r = w.Registers;
        T* a = (T*)(r + i->A), d = (T*)(r + i->Destination);
        if (mask == All)
        {
            for (int l = 0; l < 32; l += Vector512<T>.Count)
            {
                TOp.Of(Vector512.Load(a + l)).Store(d + l);
            }
            return;
        }
        for (int l = 0; l < 32; l += Vector512<T>.Count)
        {
            Blend(TOp.Of(Vector512.Load(a + l)), d + l, mask >> l);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Binary<TOp, T>(Worker w, Instruction* i, uint mask) where TOp : struct, IBinary<T> where T : unmanaged
    {
        byte* r = w.Registers;
        T* a = (T*)(r + i->A), b = (T*)(r + i->B), d = (T*)(r + i->Destination);
        if (mask == All)
        {
            for (int l = 0; l < 32; l += Vector512<T>.Count)
            {
                TOp.Of(Vector512.Load(a + l), Vector512.Load(b + l)).Store(d + l);
            }
            return;
        }
        for (int l = 0; l < 32; l += Vector512<T>.Count)
        {
            Blend(TOp.Of(Vector512.Load(a + l), Vector512.Load(b + l)), d + l, mask >> l);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Ternary<TOp, T>(Worker w, Instruction* i, uint mask) where TOp : struct, ITernary<T> where T : unmanaged
    {
        byte* r = w.Registers;
        T* a = (T*)(r + i->A), b = (T*)(r + i->B), c = (T*)(r + i->C), d = (T*)(r + i->Destination);
        if (mask == All)
        {
            for (int l = 0; l < 32; l += Vector512<T>.Count)
            {
                TOp.Of(Vector512.Load(a + l), Vector512.Load(b + l), Vector512.Load(c + l)).Store(d + l);
            }
            return;
        }
        for (int l = 0; l < 32; l += Vector512<T>.Count)
        {
            Blend(TOp.Of(Vector512.Load(a + l), Vector512.Load(b + l), Vector512.Load(c + l)), d + l, mask >> l);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Map<TOp, TA, TR>(Worker w, Instruction* i, uint mask)
        where TOp : struct, ILane<TA, TR> where TA : unmanaged where TR : unmanaged
    {
        byte* r = w.Registers;
        TA* a = (TA*)(r + i->A);
        TR* d = (TR*)(r + i->Destination);
        if (mask == All)
        {
            for (int l = 0; l < 32; l++)
            {
                d[l] = TOp.Of(a[l]);
            }
            return;
        }
        for (int l = 0; l < 32; l++)
        {
            if ((mask >> l & 1) != 0)
            {
                d[l] = TOp.Of(a[l]);
            }
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Map<TOp, TA, TB, TR>(Worker w, Instruction* i, uint mask)
        where TOp : struct, ILane<TA, TB, TR> where TA : unmanaged where TB : unmanaged where TR : unmanaged
    {
        byte* r = w.Registers;
        TA* a = (TA*)(r + i->A);
        TB* b = (TB*)(r + i->B);
        TR* d = (TR*)(r + i->Destination);
        if (mask == All)
        {
            for (int l = 0; l < 32; l++)
            {
                d[l] = TOp.Of(a[l], b[l]);
            }
            return;
        }
        for (int l = 0; l < 32; l++)
        {
            if ((mask >> l & 1) != 0)
            {
                d[l] = TOp.Of(a[l], b[l]);
            }
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Map<TOp, TA, TB, TC, TR>(Worker w, Instruction* i, uint mask)
        where TOp : struct, ILane<TA, TB, TC, TR> where TA : unmanaged where TB : unmanaged where TC : unmanaged where TR : unmanaged
    {
        byte* r = w.Registers;
        TA* a = (TA*)(r + i->A);
        TB* b = (TB*)(r + i->B);
        TC* c = (TC*)(r + i->C);
        TR* d = (TR*)(r + i->Destination);
        if (mask == All)
        {
            for (int l = 0; l < 32; l++)
            {
                d[l] = TOp.Of(a[l], b[l], c[l]);
            }
            return;
        }
        for (int l = 0; l < 32; l++)
        {
            if ((mask >> l & 1) != 0)
            {
                d[l] = TOp.Of(a[l], b[l], c[l]);
            }
        }
    }

    /// <summary>Division of integers: a zero divisor is a fault, as PTX leaves its result open.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Divide<TOp, T>(Worker w, Instruction* i, uint mask) where TOp : struct, ILane<T, T, T> where T : unmanaged
    {
        T* b = (T*)(w.Registers + i->B);
        for (int l = 0; l < 32; l++)
        {
            if ((mask >> l & 1) != 0 && EqualityComparer<T>.Default.Equals(b[l], default))
            {
                w.Fault(i, l, "division of an integer by zero, whose result PTX leaves open");
            }
        }
        Map<TOp, T, T, T>(w, i, mask);
    }

    /// <summary>setp: First is the way to combine with predicate C (0 none, 1 and, 2 or, 3 xor), Second its flip, Third the second result.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Compare<TOp, T>(Worker w, Instruction* i, uint mask) where TOp : struct, ICompare<T> where T : unmanaged
    {
        byte* r = w.Registers;
        T* a = (T*)(r + i->A), b = (T*)(r + i->B);
        uint result = 0;
        for (int l = 0; l < 32; l += Vector512<T>.Count)
        {
            result |= (uint)TOp.Of(Vector512.Load(a + l), Vector512.Load(b + l)).ExtractMostSignificantBits() << l;
        }
        SetPredicates(w, i, mask, result);
    }

    private static void SetPredicates(Worker w, Instruction* i, uint mask, uint result)
    {
        uint* p = w.Predicates;
        uint other = ~result;
        if (i->First != 0)
        {
            uint c = p[i->C] ^ (uint)i->Second;
            result = Combine(i->First, result, c);
            other = Combine(i->First, other, c);
        }
        p[i->Destination] = (p[i->Destination] & ~mask) | (result & mask);
        if (i->Third >= 0)
        {
            p[i->Third] = (p[i->Third] & ~mask) | (other & mask);
        }
    }

    private static uint Combine(int how, uint a, uint b) => how == 1 ? a & b : how == 2 ? a | b : a ^ b;

    /// <summary>selp: A where predicate C (flipped by Second), else B.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void SelectByPredicate<T>(Worker w, Instruction* i, uint mask) where T : unmanaged
    {
        byte* r = w.Registers;
        T* a = (T*)(r + i->A), b = (T*)(r + i->B), d = (T*)(r + i->Destination);
        uint p = w.Predicates[i->C] ^ (uint)i->Second;
        for (int l = 0; l < 32; l += Vector512<T>.Count)
        {
            var value = Vector512.ConditionalSelect(Select<T>(p >> l), Vector512.Load(a + l), Vector512.Load(b + l));
            if (mask == All)
            {
                value.Store(d + l);
            }
            else
            {
                Blend(value, d + l, mask >> l);
            }
        }
    }

    /// <summary>and, or, xor, not and mov of predicates: First is the operation; the flips of A and B are the bits 0 and 1 of Second.</summary>
    public static void Predicate(Worker w, Instruction* i, uint mask)
    {
        uint* p = w.Predicates;
        uint a = p[i->A] ^ (0u - (uint)(i->Second & 1));
        uint b = p[i->B] ^ (0u - (uint)(i->Second >> 1 & 1));
        uint value = i->First == 0 ? a : Combine(i->First, a, b);
        p[i->Destination] = (p[i->Destination] & ~mask) | (value & mask);
    }
}
