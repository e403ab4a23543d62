// One tile of a matrix product each: fragments by ldmatrix, by transposed ldmatrix, by hand, and of tf32.
using Rt.Gpu;
using Assembly = Rt.Gpu.Ptx;

namespace Rt.Gpu.Compiler.Tests.Kernels;

public static class TensorKernels
{
    /// <summary>Rows of the depth that <see cref="MmaTransposedKernel{T}"/> reads; the others count as zero.</summary>
    public const int ValidDepth = 11;

    /// <summary>C [16, 8] += A B^T with A [16, 16], B [8, 16].</summary>
    [Kernel(32)]
    [Instance(typeof(BFloat16))]
    [Instance(typeof(Half))]
    public static void MmaTileKernel<T>([ReadOnlyView] ArrayView<T> a, [ReadOnlyView] ArrayView<T> b, ArrayView<float> c)
        where T : unmanaged
    {
        var tileA = SharedMemory.Allocate<T>(16 * 16);
        var tileB = SharedMemory.Allocate<T>(8 * 16);
        Stage(a, b, tileA, tileB);
        var lane = Warp.LaneIdx;
        LdMatrix.X4(tileA.SubView((lane % 16 * 16) + (lane / 16 * 8)), out var a0, out var a1, out var a2, out var a3);
        LdMatrix.X2(tileB.SubView((lane % 8 * 16) + (lane / 8 % 2 * 8)), out var b0, out var b1);
        var upper = c.SubView((lane / 4 * 8) + (lane % 4 * 2)).Cast<Vec2<float>>();
        var lower = c.SubView((((lane / 4) + 8) * 8) + (lane % 4 * 2)).Cast<Vec2<float>>();
        var first = upper[0];
        var second = lower[0];
        float d0 = first[0], d1 = first[1], d2 = second[0], d3 = second[1];
        Mma.M16N8K16<T>(ref d0, ref d1, ref d2, ref d3, a0, a1, a2, a3, b0, b1);
        first[0] = d0;
        first[1] = d1;
        second[0] = d2;
        second[1] = d3;
        upper[0] = first;
        lower[0] = second;
    }

    /// <summary>C [16, 8] = A^T B with A [16, 16], B [16, 8], over the first <see cref="ValidDepth"/> rows of both.</summary>
    [Kernel(32)]
    [Instance(typeof(BFloat16))]
    [Instance(typeof(Half))]
    public static void MmaTransposedKernel<T>([ReadOnlyView] ArrayView<T> a, [ReadOnlyView] ArrayView<T> b, ArrayView<float> c)
        where T : unmanaged
    {
        var tileA = SharedMemory.Allocate<T>(16 * 16);
        var tileB = SharedMemory.Allocate<T>(16 * 8);
        var lane = Warp.LaneIdx;
        AsyncCopy.Copy16(tileA.SubView(lane * 8), a.SubView(lane * 8), lane / 2 < ValidDepth);
        AsyncCopy.Commit();
        for (var i = 0; i < 2; i++)
        {
            var start = (lane + (i * 32)) * 2;
            AsyncCopy.Copy4(tileB.SubView(start), b.SubView(start), start / 8 < ValidDepth);
        }

        AsyncCopy.Commit();
        AsyncCopy.Wait(1);
        Group.Barrier();
        LdMatrix.X4Transposed(
            tileA.SubView((((lane % 8) + (lane / 16 * 8)) * 16) + (lane / 8 % 2 * 8)), out var a0, out var a1, out var a2, out var a3);
        AsyncCopy.Wait(0);
        Group.Barrier();
        LdMatrix.X2Transposed(tileB.SubView(lane % 16 * 8), out var b0, out var b1);
        float d0 = 0, d1 = 0, d2 = 0, d3 = 0;
        Mma.M16N8K16<T>(ref d0, ref d1, ref d2, ref d3, a0, a1, a2, a3, b0, b1);
        Write(c, d0, d1, d2, d3);
    }

    /// <summary>C [16, 8] = A B of tf32 with A [16, 8], B [8, 8].</summary>
    [Kernel(32)]
    public static void MmaTf32Kernel([ReadOnlyView] ArrayView<float> a, [ReadOnlyView] ArrayView<float> b, ArrayView<float> c)
    {
        var row = Warp.LaneIdx / 4;
        var column = Warp.LaneIdx % 4;
        float d0 = 0, d1 = 0, d2 = 0, d3 = 0;
        Mma.M16N8K8(
            ref d0, ref d1, ref d2, ref d3,
            Mma.ToTf32(a[(row * 8) + column]), Mma.ToTf32(a[((row + 8) * 8) + column]),
            Mma.ToTf32(a[(row * 8) + column + 4]), Mma.ToTf32(a[((row + 8) * 8) + column + 4]),
            Mma.ToTf32(b[(column * 8) + row]), Mma.ToTf32(b[((column + 4) * 8) + row]));
        Write(c, d0, d1, d2, d3);
    }

    /// <summary>As <see cref="MmaTileKernel{T}"/> for bfloat16 and C = 0, twice over, by instructions written by hand on local arrays.</summary>
    [Kernel(32)]
    public static void EmitKernel([ReadOnlyView] ArrayView<BFloat16> a, [ReadOnlyView] ArrayView<BFloat16> b, ArrayView<float> c, ArrayView<uint> bits)
    {
        var tileA = SharedMemory.Allocate<BFloat16>(16 * 16);
        var tileB = SharedMemory.Allocate<BFloat16>(8 * 16);
        Stage(a, b, tileA, tileB);
        var lane = Warp.LaneIdx;
        var fragmentA = LocalMemory.Allocate<uint>(4);
        var fragmentB = LocalMemory.Allocate<uint>(2);
        var sums = LocalMemory.Allocate<float>(4);
        for (var i = 0; i < 4; i++)
        {
            sums[i] = 0;
        }

        Assembly.Emit("ldmatrix.sync.aligned.m8n8.x4.shared.b16 %0, [%1];", fragmentA, tileA.SubView((lane % 16 * 16) + (lane / 16 * 8)));
        Assembly.Emit("ldmatrix.sync.aligned.m8n8.x2.shared.b16 %0, [%1];", fragmentB, tileB.SubView((lane % 8 * 16) + (lane / 8 % 2 * 8)));
        for (var i = 0; i < 2; i++)
        {
            Assembly.Emit("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 %0, %1, %2, %0;", sums, fragmentA, fragmentB);
        }

        Write(c, sums[0], sums[1], sums[2], sums[3]);
        Assembly.EmitTo("lop3.b32 %0, %1, %2, %3, 0x96;", out uint parity, (uint)lane * 0x9E3779B9u, (uint)lane << 7, 0x55u);
        bits[lane] = parity;
    }

    private static void Stage<T>(ArrayView<T> a, ArrayView<T> b, ArrayView<T> tileA, ArrayView<T> tileB)
        where T : unmanaged
    {
        var start = Warp.LaneIdx * 8;
        AsyncCopy.Copy16(tileA.SubView(start), a.SubView(start));
        if (Warp.LaneIdx < 16)
        {
            AsyncCopy.Copy16(tileB.SubView(start), b.SubView(start));
        }

        AsyncCopy.Commit();
        AsyncCopy.Wait(0);
        Group.Barrier();
    }

    private static void Write(ArrayView<float> c, float d0, float d1, float d2, float d3)
    {
        var at = (Warp.LaneIdx / 4 * 8) + (Warp.LaneIdx % 4 * 2);
        c[at] = d0;
        c[at + 1] = d1;
        c[at + 64] = d2;
        c[at + 65] = d3;
    }
}
