// Tensor cores: ldmatrix and mma. Products are exact, sums are F32 in the order of k.
// Source: PTX ISA, "Warp Level Matrix Instructions", the fragment layouts of m16n8k16 and m16n8k8.
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Rt.Gpu.Simulator.Execution;

internal sealed unsafe partial class Worker
{
    /// <summary>ldmatrix: First matrices, Second 1 where transposed, C the bytes of an address lane.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void LoadMatrix(Worker w, Instruction* i, uint mask)
    {
        w.CheckWholeWarp(i, mask);
        uint* addresses = stackalloc uint[32];
        int lanes = 8 * i->First;
        uint rowsMask = lanes == 32 ? Lanes.All : (1u << lanes) - 1;
        w.SharedAddresses(i, rowsMask, addresses);
        w.ReadShared(i, rowsMask, addresses, 16);
        byte* memory = w.Shared.Data;
        for (int m = 0; m < i->First; m++)
        {
            uint* d = (uint*)(w.Registers + i->Registers[m]);
            uint* rows = addresses + (8 * m);
            if (i->Second == 0)
            {
                for (int row = 0; row < 8; row++)
                {
                    Unsafe.CopyBlockUnaligned(d + (4 * row), memory + rows[row], 16);
                }
            }
            else
            {
                Quads.Transpose8(memory, rows, (ushort*)d);
            }
        }
    }

    /// <summary>mma m16n8k16 of 16-bit elements: First is 0 for bf16 and 1 for f16. Registers: d0-3, a0-3, b0-1, c0-3.</summary>
    /// <remarks>The 32 lanes of an A register hold an 8 x 8 block row by row, those of a B register one column by column.</remarks>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Mma16(Worker w, Instruction* i, uint mask)
    {
        w.CheckWholeWarp(i, mask);
        float* a = stackalloc float[16 * 16];
        float* columns = stackalloc float[8 * 16];
        float* b = stackalloc float[16 * 8];
        byte* r = w.Registers;
        for (int q = 0; q < 4; q++)
        {
            Widen16((ushort*)(r + i->Registers[4 + q]), a + (128 * (q & 1)) + (8 * (q >> 1)), 16, i->First);
        }
        for (int q = 0; q < 2; q++)
        {
            Widen16((ushort*)(r + i->Registers[8 + q]), columns + (8 * q), 16, i->First);
        }
        TransposeColumns(columns, 16, b);
        Multiply(r, i, a, b, 16);
    }

    /// <summary>mma m16n8k8 of tf32: the lower 13 bits of operands do not count. Registers as in <see cref="Mma16"/>.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Mma8(Worker w, Instruction* i, uint mask)
    {
        w.CheckWholeWarp(i, mask);
        float* a = stackalloc float[16 * 8];
        float* columns = stackalloc float[8 * 8];
        float* b = stackalloc float[8 * 8];
        byte* r = w.Registers;
        var kept = Vector128.Create(0xFFFFE000u);
        for (int q = 0; q < 6; q++)
        {
            // Eight rows of four: A's lower and upper rows, left and right; then B's columns, their upper and lower halves.
            uint* from = (uint*)(r + i->Registers[4 + q]);
            uint* to = q < 4 ? (uint*)a + (64 * (q & 1)) + (4 * (q >> 1)) : (uint*)columns + (4 * (q - 4));
            for (int row = 0; row < 8; row++)
            {
                (Vector128.Load(from + (4 * row)) & kept).Store(to + (8 * row));
            }
        }
        TransposeColumns(columns, 8, b);
        Multiply(r, i, a, b, 8);
    }

    /// <summary>Eight rows of eight 16-bit elements as floats, in rows of <paramref name="stride"/>.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Widen16(ushort* from, float* to, int stride, int half)
    {
        for (int row = 0; row < 8; row += 2)
        {
            var (low, high) = Vector256.Widen(Vector256.Load(from + (8 * row)));
            (half == 0 ? (low << 16).AsSingle() : WidenHalves(low)).Store(to + (stride * row));
            (half == 0 ? (high << 16).AsSingle() : WidenHalves(high)).Store(to + (stride * (row + 1)));
        }
    }

    /// <summary>Halves as floats: the exponent is corrected by an exact product, which subnormals survive.</summary>
    private static Vector256<float> WidenHalves(Vector256<uint> bits)
    {
        var magnitude = (bits & Vector256.Create(0x7FFFu)) << 13;
        var value = (magnitude.AsSingle() * Vector256.Create(0x77800000u).AsSingle()).AsUInt32();
        var special = Vector256.GreaterThanOrEqual(magnitude, Vector256.Create(0x7C00u << 13));
        value = Vector256.ConditionalSelect(special, magnitude | Vector256.Create(0x7F800000u), value);
        return (value | ((bits & Vector256.Create(0x8000u)) << 16)).AsSingle();
    }

    /// <summary>Eight columns of so many elements become rows of eight.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void TransposeColumns(float* columns, int depth, float* rows)
    {
        for (int n = 0; n < 8; n += 4)
        {
            uint* from = (uint*)columns + (depth * n);
            for (int k = 0; k < depth; k += 4)
            {
                uint* to = (uint*)rows + (8 * k) + n;
                Quads.Transpose(from + k, from + depth + k, from + (2 * depth) + k, from + (3 * depth) + k, to, to + 8, to + 16, to + 24);
            }
        }
    }

    /// <summary>D = A B + C for A of 16 rows and depth columns, B of 8 columns. Lanes 4 r to 4 r + 3 hold row r of C and D two by two.</summary>
    private static void Multiply(byte* r, Instruction* i, float* a, float* b, int depth)
    {
        var merge = Vector256.Create(0, 4, 1, 5, 2, 6, 3, 7);
        // D may lie in the registers of C in any order.
        float* c = stackalloc float[4 * 32];
        for (int q = 0; q < 4; q++)
        {
            Unsafe.CopyBlockUnaligned(c + (32 * q), r + i->Registers[10 + q], 128);
        }
        for (int half = 0; half < 2; half++)
        {
            float* c0 = c + (64 * half), c1 = c + (64 * half) + 32;
            float* d0 = (float*)(r + i->Registers[2 * half]), d1 = (float*)(r + i->Registers[(2 * half) + 1]);
            for (int row = 0; row < 8; row += 4)
            {
                int l = 4 * row;
                var sum0 = Vector256.Shuffle(Vector256.Create(Vector128.Load(c0 + l), Vector128.Load(c1 + l)), merge);
                var sum1 = Vector256.Shuffle(Vector256.Create(Vector128.Load(c0 + l + 4), Vector128.Load(c1 + l + 4)), merge);
                var sum2 = Vector256.Shuffle(Vector256.Create(Vector128.Load(c0 + l + 8), Vector128.Load(c1 + l + 8)), merge);
                var sum3 = Vector256.Shuffle(Vector256.Create(Vector128.Load(c0 + l + 12), Vector128.Load(c1 + l + 12)), merge);
                float* left = a + (depth * (row + (8 * half)));
                for (int k = 0; k < depth; k++)
                {
                    var right = Vector256.Load(b + (8 * k));
                    sum0 = Vector256.FusedMultiplyAdd(Vector256.Create(left[k]), right, sum0);
                    sum1 = Vector256.FusedMultiplyAdd(Vector256.Create(left[depth + k]), right, sum1);
                    sum2 = Vector256.FusedMultiplyAdd(Vector256.Create(left[(2 * depth) + k]), right, sum2);
                    sum3 = Vector256.FusedMultiplyAdd(Vector256.Create(left[(3 * depth) + k]), right, sum3);
                }
                StoreRow(sum0, d0 + l, d1 + l);
                StoreRow(sum1, d0 + l + 4, d1 + l + 4);
                StoreRow(sum2, d0 + l + 8, d1 + l + 8);
                StoreRow(sum3, d0 + l + 12, d1 + l + 12);
            }
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void StoreRow(Vector256<float> row, float* even, float* odd)
    {
        row = Vector256.ConditionalSelect(Vector256.Equals(row, row), row, Vector256.Create(Canonical.NaN32).AsSingle());
        var split = Vector256.Shuffle(row, Vector256.Create(0, 2, 4, 6, 1, 3, 5, 7));
        split.GetLower().Store(even);
        split.GetUpper().Store(odd);
    }
}
