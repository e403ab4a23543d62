// Probes of what the arithmetic units reach at best: operands in registers, nothing read, one number written per thread.
// Source: PTX ISA, mma; nothing else is needed.
using Rt.Gpu;

namespace Rt.Kernels;

/// <summary>Kernels that only compute.</summary>
public static class PeakRate
{
    /// <summary>Threads per group.</summary>
    public const int GroupSize = 256;

    // Independent sums per warp or thread: enough to hide an instruction's latency.
    private const int MatrixSums = 8;
    private const int FloatSums = 16;

    /// <summary>Matrix products 16 x 8 x 16 into eight sums.</summary>
    /// <param name="destination">[groups, 256]: receives something that depends on all products.</param>
    /// <param name="turns">Turns of eight products.</param>
    /// <remarks>Grid: any. Group 256. No shared memory. Writes 4 bytes per thread; 4096 FLOPs per product and warp.</remarks>
    [Kernel(GroupSize)]
    [Instance(typeof(BFloat16))]
    [Instance(typeof(Half))]
    internal static void MatrixPeakKernel<T>(ArrayView<float> destination, int turns) where T : unmanaged
    {
        var sums = LocalMemory.Allocate<float>(4 * MatrixSums);
        for (var i = 0; i < 4 * MatrixSums; i++)
        {
            sums[i] = 0f;
        }

        var one = Element.Pack<T>(1f, Group.IdxX * 0.0078125f);
        for (var turn = 0; turn < turns; turn++)
        {
            for (var i = 0; i < MatrixSums; i++)
            {
                Mma.M16N8K16<T>(
                    ref sums[4 * i], ref sums[4 * i + 1], ref sums[4 * i + 2], ref sums[4 * i + 3], one, one, one, one, one, one);
            }
        }

        var sum = 0f;
        for (var i = 0; i < 4 * MatrixSums; i++)
        {
            sum += sums[i];
        }

        destination[Grid.IdxX * GroupSize + Group.IdxX] = sum;
    }

    /// <summary>Fused multiply-adds into sixteen sums.</summary>
    /// <param name="destination">[groups, 256]: receives something that depends on all of them.</param>
    /// <param name="turns">Turns of sixteen.</param>
    /// <remarks>Grid: any. Group 256. No shared memory. Writes 4 bytes per thread; 2 FLOPs per multiply-add and thread.</remarks>
    [Kernel(GroupSize)]
    internal static void FloatPeakKernel(ArrayView<float> destination, int turns)
    {
        var sums = LocalMemory.Allocate<float>(FloatSums);
        for (var i = 0; i < FloatSums; i++)
        {
            sums[i] = Group.IdxX + i;
        }

        for (var turn = 0; turn < turns; turn++)
        {
            for (var i = 0; i < FloatSums; i++)
            {
                sums[i] = XMath.Fma(sums[i], 0.5f, 1f);
            }
        }

        var sum = 0f;
        for (var i = 0; i < FloatSums; i++)
        {
            sum += sums[i];
        }

        destination[Grid.IdxX * GroupSize + Group.IdxX] = sum;
    }

    /// <summary>Operations of a launch of <see cref="MatrixPeakKernel"/>.</summary>
    public static double MatrixFlops(int groups, int turns) => 4096.0 * MatrixSums * turns * groups * (GroupSize / 32);

    /// <summary>Operations of a launch of <see cref="FloatPeakKernel"/>.</summary>
    public static double FloatFlops(int groups, int turns) => 2.0 * FloatSums * turns * groups * GroupSize;
}
