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
        ulong* addresses = stackalloc ulong[32];
        w.SharedAddresses(i, mask, addresses);
        byte* memory = w.Shared.Data;
        int lanes = 8 * i->First;
        for (int l = 0; l < lanes; l++)
        {
            w.CheckSharedAddress(i, l, addresses[l], 16, "matrix row");
            w.ReadShared(i, l, (uint)addresses[l], 16);
        }
        for (int m = 0; m < i->First; m++)
        {
            uint* d = (uint*)(w.Registers + i->Registers[m]);
            ulong* rows = addresses + (8 * m);
            if (i->Second == 0)
            {
                for (int row = 0; row < 8; row++)
                {
                    Unsafe.CopyBlockUnaligned(d + (4 * row), memory + rows[row], 16);
                }
            }
            else
            {
                for (int l = 0; l < 32; l++)
                {
                    int row = 2 * (l & 3);
                    int column = l >> 2;
                    d[l] = ((ushort*)(memory + rows[row]))[column] | ((uint)((ushort*)(memory + rows[row + 1]))[column] << 16);
                }
            }
        }
        w.CountBanks(addresses, lanes == 32 ? Lanes.All : (1u << lanes) - 1, 16);
    }

    /// <summary>mma m16n8k16 of 16-bit elements: First is 0 for bf16 and 1 for f16. Registers: d0-3, a0-3, b0-1, c0-3.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Mma16(Worker w, Instruction* i, uint mask)
    {
        w.CheckWholeWarp(i, mask);
        float* a = stackalloc float[16 * 16];
        float* b = stackalloc float[16 * 8];
        byte* r = w.Registers;
        for (int q = 0; q < 4; q++)
        {
            uint* from = (uint*)(r + i->Registers[4 + q]);
            for (int l = 0; l < 32; l++)
            {
                int row = (l >> 2) + (8 * (q & 1));
                int column = (2 * (l & 3)) + (8 * (q >> 1));
                a[(16 * row) + column] = Widen16(from[l], i->First);
                a[(16 * row) + column + 1] = Widen16(from[l] >> 16, i->First);
            }
        }
        for (int q = 0; q < 2; q++)
        {
            uint* from = (uint*)(r + i->Registers[8 + q]);
            for (int l = 0; l < 32; l++)
            {
                int row = (2 * (l & 3)) + (8 * q);
                int column = l >> 2;
                b[(8 * row) + column] = Widen16(from[l], i->First);
                b[(8 * (row + 1)) + column] = Widen16(from[l] >> 16, i->First);
            }
        }
        Multiply(r, i, a, b, 16);
    }

    /// <summary>mma m16n8k8 of tf32: the lower 13 bits of operands do not count. Registers as in <see cref="Mma16"/>.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Mma8(Worker w, Instruction* i, uint mask)
    {
        w.CheckWholeWarp(i, mask);
        float* a = stackalloc float[16 * 8];
        float* b = stackalloc float[8 * 8];
        byte* r = w.Registers;
        for (int q = 0; q < 4; q++)
        {
            uint* from = (uint*)(r + i->Registers[4 + q]);
            for (int l = 0; l < 32; l++)
            {
                a[(8 * ((l >> 2) + (8 * (q & 1)))) + (l & 3) + (4 * (q >> 1))] = BitConverter.UInt32BitsToSingle(from[l] & 0xFFFFE000);
            }
        }
        for (int q = 0; q < 2; q++)
        {
            uint* from = (uint*)(r + i->Registers[8 + q]);
            for (int l = 0; l < 32; l++)
            {
                b[(8 * ((l & 3) + (4 * q))) + (l >> 2)] = BitConverter.UInt32BitsToSingle(from[l] & 0xFFFFE000);
            }
        }
        Multiply(r, i, a, b, 8);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static float Widen16(uint bits, int half) =>
        half == 0 ? BitConverter.UInt32BitsToSingle(bits << 16) : (float)BitConverter.UInt16BitsToHalf((ushort)bits);

    /// <summary>D = A B + C for A of 16 rows and depth columns, B of 8 columns.</summary>
    private static void Multiply(byte* r, Instruction* i, float* a, float* b, int depth)
    {
        for (int half = 0; half < 2; half++)
        {
            float* c0 = (float*)(r + i->Registers[10 + (2 * half)]), c1 = (float*)(r + i->Registers[11 + (2 * half)]);
            float* d0 = (float*)(r + i->Registers[2 * half]), d1 = (float*)(r + i->Registers[(2 * half) + 1]);
            for (int row = 0; row < 8; row++)
            {
                // Lanes 4 row ... 4 row + 3 hold the columns two by two.
                int l = 4 * row;
                var sum = Vector256.Create(c0[l], c1[l], c0[l + 1], c1[l + 1], c0[l + 2], c1[l + 2], c0[l + 3], c1[l + 3]);
                float* left = a + (depth * (row + (8 * half)));
                for (int k = 0; k < depth; k++)
                {
                    sum = Vector256.FusedMultiplyAdd(Vector256.Create(left[k]), Vector256.Load(b + (8 * k)), sum);
                }
                for (int pair = 0; pair < 4; pair++)
                {
                    d0[l + pair] = Canonical.Of(sum[2 * pair]);
                    d1[l + pair] = Canonical.Of(sum[(2 * pair) + 1]);
                }
            }
        }
    }
}
