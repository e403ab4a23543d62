// Tiles of matrix products on the simulator's tensor cores against plain sums in double precision.
using Rt.Gpu.Compiler.Tests.Kernels;

namespace Rt.Gpu.Compiler.Tests;

public sealed class TensorTests
{
    private readonly Random _random = new(5);

    [Fact]
    public void Mma_TileByAsynchronousCopiesAndLdMatrix_EqualsThePlainProduct()
    {
        CheckTile(value => (BFloat16)value, value => (float)value);
        CheckTile(value => (Half)value, value => (float)value);
    }

    [Fact]
    public void Mma_TransposedTilesWithRowsThatAreNotCopied_EqualsTheProductOfTheOthers()
    {
        CheckTransposed(value => (BFloat16)value, value => (float)value);
        CheckTransposed(value => (Half)value, value => (float)value);
    }

    [Fact]
    public void Mma_Tf32_EqualsTheProductOfRoundedOperands()
    {
        float[] a = Values(16 * 8), b = Values(8 * 8);
        using var device = new Device();
        var c = device.Room<float>(128);
        device.Run(KernelCatalog.Find("MmaTf32Kernel"), 1, device.Give(a), device.Give(b), c);
        Check(device.Take(c), (row, column) => Enumerable.Range(0, 8).Sum(k => (double)Tf32(a[(row * 8) + k]) * Tf32(b[(k * 8) + column])));

        // 10 bits of the mantissa; ties go away from zero.
        static float Tf32(float value) => Interop.IntAsFloat((Interop.FloatAsInt(value) + 0x1000) & 0xFFFFE000);
    }

    [Fact]
    public void Emit_MmaOnLocalArrays_UpdatesThemInPlace()
    {
        float[] a = Rounded(256), b = Rounded(128);
        using var device = new Device();
        var c = device.Room<float>(128);
        var bits = device.Room<uint>(32);
        BFloat16[] storedA = [.. a.Select(value => (BFloat16)value)], storedB = [.. b.Select(value => (BFloat16)value)];
        device.Run(KernelCatalog.Find("EmitKernel"), 1, device.Give(storedA), device.Give(storedB), c, bits);
        Check(device.Take(c), (row, column) => 2 * Enumerable.Range(0, 16).Sum(k => (double)a[(row * 16) + k] * b[(column * 16) + k]));
        Assert.Equal(Enumerable.Range(0, 32).Select(lane => unchecked((uint)lane * 0x9E3779B9u) ^ ((uint)lane << 7) ^ 0x55u), device.Take(bits));
    }

    private void CheckTile<T>(Func<float, T> store, Func<T, float> load)
        where T : unmanaged
    {
        T[] a = [.. Values(256).Select(store)], b = [.. Values(128).Select(store)];
        var start = Values(128);
        using var device = new Device();
        var c = device.Give(start);
        device.Run(KernelCatalog.Find("MmaTileKernel", typeof(T)), 1, device.Give(a), device.Give(b), c);
        Check(device.Take(c), (row, column) =>
            start[(row * 8) + column] + Enumerable.Range(0, 16).Sum(k => (double)load(a[(row * 16) + k]) * load(b[(column * 16) + k])));
    }

    private void CheckTransposed<T>(Func<float, T> store, Func<T, float> load)
        where T : unmanaged
    {
        T[] a = [.. Values(256).Select(store)], b = [.. Values(128).Select(store)];
        using var device = new Device();
        var c = device.Room<float>(128);
        device.Run(KernelCatalog.Find("MmaTransposedKernel", typeof(T)), 1, device.Give(a), device.Give(b), c);
        Check(device.Take(c), (row, column) =>
            Enumerable.Range(0, TensorKernels.ValidDepth).Sum(k => (double)load(a[(k * 16) + row]) * load(b[(k * 8) + column])));
    }

    // Accumulators are F32: 17 roundings of sums below 8.
    private static void Check(float[] actual, Func<int, int, double> expected)
    {
        for (var row = 0; row < 16; row++)
        {
            for (var column = 0; column < 8; column++)
            {
                Assert.Equal(expected(row, column), actual[(row * 8) + column], 1e-5);
            }
        }
    }

    private float[] Values(int count) => [.. Enumerable.Range(0, count).Select(_ => _random.NextSingle() - 0.5f)];

    private float[] Rounded(int count) => [.. Values(count).Select(value => (float)(BFloat16)value)];
}
