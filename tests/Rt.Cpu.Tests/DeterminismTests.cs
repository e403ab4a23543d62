// Bits: the same for every number of threads and on every run, and with batch invariance for every number of rows and any packing.
using Rt.Core;

namespace Rt.Cpu.Tests;

public sealed class DeterminismTests
{
    [Theory]
    [InlineData(1, false)]
    [InlineData(5, false)]
    [InlineData(40, false)]
    [InlineData(1, true)]
    [InlineData(2, true)]
    [InlineData(5, true)]
    [InlineData(40, true)]
    public void MatMul_AnyThreadCount_GivesSameBits(int rows, bool inputMajor)
    {
        float[]? expected = null;
        foreach (var threads in (int[])[1, 2, 3, 8, 2])
        {
            using var device = new CpuDevice(new CpuOptions(threads));
            var result = Product(device, rows, inputMajor, rows);
            expected ??= result;
            Assert.Equal(expected, result);
        }
    }

    [Fact]
    public void Attention_AnyThreadCount_GivesSameBits()
    {
        float[]? expected = null;
        foreach (var threads in (int[])[1, 2, 3, 8, 8])
        {
            using var device = new CpuDevice(new CpuOptions(threads));
            var result = Attended(device, [(70, 3), (5, 90), (1, 200)], withPrefix: true);
            expected ??= result;
            Assert.Equal(expected, result);
        }
    }

    [Fact]
    public void LogProbabilities_AnyThreadCount_GivesSameBits()
    {
        double[]? expected = null;
        foreach (var threads in (int[])[1, 2, 3, 8])
        {
            using var device = new CpuDevice(new CpuOptions(threads));
            var x = Values(device, DType.F32, 30, 64, 1);
            var head = new Linear(new LinearPart(Values(device, DType.F32, 1000, 64, 2), null, false));
            var targets = new TokenTarget[30];
            for (var i = 0; i < targets.Length; i++)
            {
                targets[i] = new TokenTarget(i, 33 * i);
            }

            var result = new double[30];
            device.LogProbabilities(x, head, 0, targets, result);
            expected ??= result;
            Assert.Equal(expected, result);
        }
    }

    [Fact]
    public void SquaredNorms_AnyThreadCount_GiveSameBits()
    {
        double[]? expected = null;
        foreach (var threads in (int[])[1, 2, 3, 8])
        {
            using var device = new CpuDevice(new CpuOptions(threads));
            KvLayer Layer(int seed) => new(Values(device, DType.F32, 3000, 64, seed), Values(device, DType.F32, 3000, 64, seed + 1));
            var norms = device.Allocate(DType.F64, 1, 1, 2);
            device.AccumulateMetaGradient(Layer(1), Layer(3), Layer(5), new MetaGradientStep(0.1, 0.9, DType.F32), norms);
            var result = new double[2];
            device.Download(norms, result);
            Assert.True(result[0] > 0 && result[1] > 0);
            expected ??= result;
            Assert.Equal(expected, result);
        }
    }

    [Theory]
    [InlineData(false, 900, 150, DType.BF16)]
    [InlineData(true, 900, 150, DType.BF16)]
    [InlineData(false, 2611, 71, DType.BF16)]
    [InlineData(false, 2611, 71, DType.F16)]
    [InlineData(false, 2611, 71, DType.F32)]
    [InlineData(true, 50, 1100, DType.BF16)]
    public void MatMul_BatchInvariant_RowBitsDoNotDependOnRowCount(bool inputMajor, int inputs, int outputs, DType type)
    {
        using var device = new CpuDevice(new CpuOptions(2, BatchInvariant: true));
        var all = Product(device, 130, inputMajor, 130, inputs, outputs, type);
        var width = all.Length / 130;
        foreach (var rows in (int[])[1, 2, 3, 5, 7, 16, 17, 24, 25, 33, 64])
        {
            Assert.Equal(all[..(rows * width)], Product(device, rows, inputMajor, 130, inputs, outputs, type));
        }
    }

    [Fact]
    public void Attention_BatchInvariant_RowBitsDoNotDependOnPacking()
    {
        using var device = new CpuDevice(new CpuOptions(2, BatchInvariant: true));
        var whole = Attended(device, [(70, 0)], withPrefix: true);
        var rowWidth = whole.Length / 70;
        // The same sequence in two calls' worth of rows: the first 40, then one at a time, beside another sequence.
        foreach (var (rows, start) in ((int, int)[])[(40, 0), (1, 40), (3, 50), (17, 53)])
        {
            var alone = Attended(device, [(rows, start)], withPrefix: true);
            Assert.Equal(whole[(start * rowWidth)..((start + rows) * rowWidth)], alone[..(rows * rowWidth)]);
            var packed = Attended(device, [(rows, start), (9, 2)], withPrefix: true);
            Assert.Equal(alone, packed[..alone.Length]);
        }
    }

    /// <summary>The first rows of a fixed matrix of <paramref name="of"/> rows, times a fixed weight.</summary>
    private static float[] Product(
        CpuDevice device, int rows, bool inputMajor, int of, int inputs = 900, int outputs = 150, DType type = DType.BF16)
    {
        var x = Values(device, DType.F32, of, inputs, 1).SliceRows(0, rows);
        var weight = inputMajor ? Values(device, type, inputs, outputs, 2) : Values(device, type, outputs, inputs, 2);
        var destination = device.Allocate(DType.F32, 1, rows, outputs);
        device.MatMul(x, new Linear(new LinearPart(weight, null, inputMajor)), false, destination);
        return Read(device, destination);
    }

    /// <summary>Attention of sequences whose keys, values and queries follow from their entries only.</summary>
    private static float[] Attended(CpuDevice device, (int Rows, int Start)[] sequences, bool withPrefix)
    {
        const int Heads = 6;
        const int KvHeads = 2;
        const int HeadDim = 80;
        const int Capacity = 210;
        using var cache = new KvCache(device, 1, sequences.Length, KvHeads, Capacity, HeadDim);
        using var kept = new KvCache(device, 1, 1, KvHeads, 100, HeadDim);
        device.Copy(Reshape(Values(device, DType.F32, KvHeads * 100, HeadDim, 8), KvHeads), kept[0].Key);
        device.Copy(Reshape(Values(device, DType.F32, KvHeads * 100, HeadDim, 9), KvHeads), kept[0].Value);
        var rows = new RowBatch(sequences.Sum(s => s.Rows), sequences.Length).Reset(cache);
        var prefix = withPrefix ? rows.AddPrefix(kept) : -1;
        var query = device.Allocate(DType.F32, rows.RowCapacity, Heads, HeadDim);
        var queries = Reshape(Values(device, DType.F32, Capacity * Heads, HeadDim, 7), Capacity);
        for (var s = 0; s < sequences.Length; s++)
        {
            var (count, start) = sequences[s];
            device.Copy(Reshape(Values(device, DType.F32, KvHeads * Capacity, HeadDim, 10), KvHeads), cache[0].Key.Slice(s * KvHeads, KvHeads));
            device.Copy(Reshape(Values(device, DType.F32, KvHeads * Capacity, HeadDim, 11), KvHeads), cache[0].Value.Slice(s * KvHeads, KvHeads));
            var first = rows.Add(new int[count], s, start, 100, prefix, withPrefix ? 100 : 0);
            device.Copy(queries.Slice(start, count), query.Slice(first, count));
        }

        var destination = device.Allocate(DType.F32, rows.RowCount, Heads, HeadDim);
        device.Attention(query, rows, 0, new AttentionOptions(0.2), destination);
        return Read(device, destination);
    }

    private static Tensor Reshape(Tensor matrix, int slices) =>
        new(matrix.Storage, matrix.DType, matrix.Offset, slices, matrix.Rows / slices, matrix.Columns);

    private static Tensor Values(CpuDevice device, DType type, int rows, int columns, int seed)
    {
        var tensor = device.Allocate(type, 1, rows, columns);
        var random = new Random(seed);
        var values = new double[tensor.Count];
        for (var i = 0; i < values.Length; i++)
        {
            values[i] = random.NextDouble() - 0.5;
        }

        device.Upload(values, tensor);
        return tensor;
    }

    private static float[] Read(CpuDevice device, Tensor tensor)
    {
        var values = new float[tensor.Count];
        device.Download(tensor, values);
        return values;
    }
}
