// The fused meta-gradient update G = current - kept; M = G + β M; kept = kept + η M. arXiv:2305.13016.
// One pass: reads current, kept and M, writes kept and M (five streams of 4 bytes per element).
using System.Runtime.CompilerServices;
using Rt.Core;

namespace Rt.Cpu;

/// <summary>How every intermediate of the update is rounded.</summary>
internal interface IUpdateRounding
{
    static abstract TV Round<TW, TV>(TV value) where TW : ISimd<TV> where TV : unmanaged;
}

internal readonly struct NoRounding : IUpdateRounding
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TV Round<TW, TV>(TV value) where TW : ISimd<TV> where TV : unmanaged => value;
}

internal readonly struct BFloat16Rounding : IUpdateRounding
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TV Round<TW, TV>(TV value) where TW : ISimd<TV> where TV : unmanaged => TW.RoundToBFloat16(value);
}

internal readonly struct Float16Rounding : IUpdateRounding
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TV Round<TW, TV>(TV value) where TW : ISimd<TV> where TV : unmanaged => TW.RoundToFloat16(value);
}

internal sealed unsafe partial class CpuOps<TW, TV>
{
    /// <summary>Elements whose squares one partial sum covers, about; fixed, so that the norms do not depend on the threads.</summary>
    private const int UpdateChunkElements = 32 * 1024;

    public override void AccumulateMetaGradient(
        KvLayer current, KvLayer kept, KvLayer velocity, in MetaGradientStep step, Tensor? squaredNorms)
    {
        switch (step.Precision)
        {
            case DType.F32: Update<NoRounding>(current, kept, velocity, step, squaredNorms); break;
            case DType.BF16: Update<BFloat16Rounding>(current, kept, velocity, step, squaredNorms); break;
            case DType.F16: Update<Float16Rounding>(current, kept, velocity, step, squaredNorms); break;
            default: throw new ShapeException($"the cpu device cannot round a meta-gradient step to {step.Precision}");
        }
    }

    private void Update<TRounding>(
        KvLayer current, KvLayer kept, KvLayer velocity, in MetaGradientStep step, Tensor? squaredNorms)
        where TRounding : IUpdateRounding
    {
        var width = current.Key.Columns;
        var rows = current.Key.Rows;
        var rowsPerChunk = Math.Max(1, UpdateChunkElements / Math.Max(1, width));
        var chunks = (rows + rowsPerChunk - 1) / rowsPerChunk;
        var sums = (double*)workspace.Small.Bytes(2L * chunks * sizeof(double));
        var job = new UpdateJob<TRounding>
        {
            CurrentKey = new RowView(current.Key),
            CurrentValue = new RowView(current.Value),
            KeptKey = new RowView(kept.Key),
            KeptValue = new RowView(kept.Value),
            VelocityKey = new RowView(velocity.Key),
            VelocityValue = new RowView(velocity.Value),
            StepSize = (float)step.StepSize,
            Momentum = (float)step.Momentum,
            UpdateKey = step.UpdateKey,
            UpdateValue = step.UpdateValue,
            Rows = rows,
            Width = width,
            RowsPerChunk = rowsPerChunk,
            Chunks = chunks,
            Sums = squaredNorms is null ? null : sums,
        };
        pool.Run(ref job, 2 * chunks);
        if (squaredNorms is { } norms)
        {
            var target = (double*)norms.HostPointer();
            for (var side = 0; side < 2; side++)
            {
                var total = 0.0;
                for (var chunk = 0; chunk < chunks; chunk++)
                {
                    total += sums[side * chunks + chunk];
                }

                target[side] = total;
            }
        }
    }

    private struct UpdateJob<TRounding> : IJob where TRounding : IUpdateRounding
    {
        public RowView CurrentKey, CurrentValue, KeptKey, KeptValue, VelocityKey, VelocityValue;
        public float StepSize, Momentum;
        public bool UpdateKey, UpdateValue;
        public int Rows, Width, RowsPerChunk, Chunks;

        /// <summary>[2, chunks] partial sums of squares, or null.</summary>
        public double* Sums;

        public void Run(int chunk, int worker)
        {
            var isValue = chunk >= Chunks;
            var first = (isValue ? chunk - Chunks : chunk) * RowsPerChunk;
            var last = Math.Min(Rows, first + RowsPerChunk);
            var update = isValue ? UpdateValue : UpdateKey;
            ref readonly var current = ref isValue ? ref CurrentValue : ref CurrentKey;
            ref readonly var kept = ref isValue ? ref KeptValue : ref KeptKey;
            ref readonly var velocity = ref isValue ? ref VelocityValue : ref VelocityKey;
            var squares = stackalloc double[16];
            new Span<double>(squares, 16).Clear();
            var norms = Sums == null ? null : squares;
            for (var row = first; row < last; row++)
            {
                UpdateRow<TRounding>(
                    current.Row(row), kept.Row(row), velocity.Row(row), Width, StepSize, Momentum, update, norms);
            }

            if (Sums != null)
            {
                var total = 0.0;
                for (var lane = 0; lane < TW.Count; lane++)
                {
                    total += squares[lane];
                }

                Sums[chunk] = total;
            }
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void UpdateRow<TRounding>(
        float* current, float* kept, float* velocity, int width, float stepSize, float momentum, bool update, double* squares)
        where TRounding : IUpdateRounding
    {
        TV eta = TW.Create(stepSize), beta = TW.Create(momentum);
        var i = 0;
        for (; i <= width - TW.Count; i += TW.Count)
        {
            UpdateVector<TRounding>(current + i, kept + i, velocity + i, eta, beta, update, squares);
        }

        if (i < width)
        {
            // The last elements go through a register's worth of zeros, whose update is zero.
            var lanes = stackalloc float[48];
            new Span<float>(lanes, 48).Clear();
            var bytes = (uint)(width - i) * sizeof(float);
            Unsafe.CopyBlock(lanes, current + i, bytes);
            Unsafe.CopyBlock(lanes + 16, kept + i, bytes);
            Unsafe.CopyBlock(lanes + 32, velocity + i, bytes);
            UpdateVector<TRounding>(lanes, lanes + 16, lanes + 32, eta, beta, update, squares);
            Unsafe.CopyBlock(kept + i, lanes + 16, bytes);
            Unsafe.CopyBlock(velocity + i, lanes + 32, bytes);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void UpdateVector<TRounding>(
        float* current, float* kept, float* velocity, TV eta, TV beta, bool update, double* squares) where TRounding : IUpdateRounding
    {
        // What a pass in the model's dtype would have left: its keys and values rounded, then each step of the update.
        var k = TW.Load(kept);
        var g = TRounding.Round<TW, TV>(TW.Subtract(TRounding.Round<TW, TV>(TW.Load(current)), k));
        if (squares != null)
        {
            TW.AddSquares(g, squares);
        }

        if (update)
        {
            var m = TRounding.Round<TW, TV>(TW.Add(g, TRounding.Round<TW, TV>(TW.Multiply(beta, TW.Load(velocity)))));
            TW.Store(m, velocity);
            TW.Store(TRounding.Round<TW, TV>(TW.Add(k, TRounding.Round<TW, TV>(TW.Multiply(eta, m)))), kept);
        }
    }
}
