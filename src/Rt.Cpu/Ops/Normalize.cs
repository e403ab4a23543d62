// Layer norm and root-mean-square norm of each row. Ba, Kiros and Hinton 2016, arXiv:1607.06450; Zhang and Sennrich 2019, arXiv:1910.07467.
// Mean and squares are summed in F64 from F32 lanes of at most 64 terms, so that wide rows lose nothing.
using System.Runtime.CompilerServices;
using Rt.Core;

namespace Rt.Cpu;

internal sealed unsafe partial class CpuOps<TW, TV>
{
    public override void Normalize(Tensor x, Norm norm, Tensor destination)
    {
        var width = x.Columns;
        var padded = (width + 15) & ~15;
        var scratch = workspace.Small.Floats(2L * padded);
        var job = new NormalizeJob
        {
            X = new RowView(x),
            Destination = new RowView(destination),
            Weight = norm.Weight is { } weight ? NormWeight(weight, (float)norm.WeightOffset, scratch) : null,
            Bias = norm.Bias is { } bias ? AsF32(bias, scratch + padded) : null,
            Epsilon = norm.Epsilon,
            Centre = norm.Kind == NormKind.Layer,
            Rows = x.Rows,
            Width = width,
        };
        var chunks = Split(x.Rows, 2L * width, out job.RowsPerChunk);
        pool.Run(ref job, chunks);
    }

    private static float* NormWeight(Tensor weight, float offset, float* scratch)
    {
        var values = AsF32(weight, scratch);
        if (offset == 0)
        {
            return values;
        }

        for (var i = 0; i < weight.Count; i++)
        {
            scratch[i] = values[i] + offset;
        }

        return scratch;
    }

    private struct NormalizeJob : IJob
    {
        public RowView X, Destination;
        public float* Weight, Bias;
        public double Epsilon;
        public bool Centre;
        public int Rows, Width, RowsPerChunk;

        public void Run(int chunk, int worker)
        {
            var last = Math.Min(Rows, (chunk + 1) * RowsPerChunk);
            for (var row = chunk * RowsPerChunk; row < last; row++)
            {
                NormalizeRow(X.Row(row), Weight, Bias, Epsilon, Centre, Destination.Row(row), Width);
            }
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void NormalizeRow(
        float* x, float* weight, float* bias, double epsilon, bool centre, float* destination, int width)
    {
        var mean = centre ? (float)(SumOf(x, 0f, width, squares: false) / width) : 0f;
        var scale = TW.Create((float)(1 / Math.Sqrt(SumOf(x, mean, width, squares: true) / width + epsilon)));
        var shift = TW.Create(mean);
        var i = 0;
        for (; i <= width - TW.Count; i += TW.Count)
        {
            var value = TW.Multiply(TW.Subtract(TW.Load(x + i), shift), scale);
            value = weight == null ? value : TW.Multiply(value, TW.Load(weight + i));
            TW.Store(bias == null ? value : TW.Add(value, TW.Load(bias + i)), destination + i);
        }

        if (i < width)
        {
            var rest = width - i;
            var value = TW.Multiply(TW.Subtract(LoadPartial(x + i, rest), shift), scale);
            value = weight == null ? value : TW.Multiply(value, LoadPartial(weight + i, rest));
            StorePartial(bias == null ? value : TW.Add(value, LoadPartial(bias + i, rest)), destination + i, rest);
        }
    }

    /// <summary>Sum of x - shift, or of its squares: four registers over blocks, the blocks' sums in F64.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static double SumOf(float* x, float shift, int width, bool squares)
    {
        var total = 0.0;
        var s = TW.Create(shift);
        var block = 4 * TW.Count;
        var i = 0;
        while (i <= width - block)
        {
            TV a0 = TW.Zero, a1 = TW.Zero, a2 = TW.Zero, a3 = TW.Zero;
            var end = Math.Min(width - block, i + 63 * block);
            for (; i <= end; i += block)
            {
                TV v0 = TW.Subtract(TW.Load(x + i), s), v1 = TW.Subtract(TW.Load(x + i + TW.Count), s);
                TV v2 = TW.Subtract(TW.Load(x + i + 2 * TW.Count), s), v3 = TW.Subtract(TW.Load(x + i + 3 * TW.Count), s);
                a0 = squares ? TW.MultiplyAdd(v0, v0, a0) : TW.Add(v0, a0);
                a1 = squares ? TW.MultiplyAdd(v1, v1, a1) : TW.Add(v1, a1);
                a2 = squares ? TW.MultiplyAdd(v2, v2, a2) : TW.Add(v2, a2);
                a3 = squares ? TW.MultiplyAdd(v3, v3, a3) : TW.Add(v3, a3);
            }

            total += TW.Sum(TW.Add(TW.Add(a0, a1), TW.Add(a2, a3)));
        }

        for (; i < width; i++)
        {
            var value = (double)x[i] - shift;
            total += squares ? value * value : value;
        }

        return total;
    }
}
