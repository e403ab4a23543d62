// Activate, Gate, Add and SoftCap: one loop over rows, the function as a type parameter.
// Sources: GELU, Hendrycks and Gimpel 2016, arXiv:1606.08415; gated units, Shazeer 2020, arXiv:2002.05202.
using System.Runtime.CompilerServices;
using Rt.Core;

namespace Rt.Cpu;

/// <summary>A function of one or two elements and a number.</summary>
internal interface IElementFunction
{
    static abstract TV Apply<TW, TV>(TV x, TV y, TV number) where TW : ISimd<TV> where TV : unmanaged;
}

internal readonly struct ReluFunction : IElementFunction
{
    // NaN is not below zero and so stays.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TV Apply<TW, TV>(TV x, TV y, TV number) where TW : ISimd<TV> where TV : unmanaged =>
        TW.Select(TW.GreaterThan(TW.Zero, x), TW.Zero, x);
}

internal readonly struct SiluFunction : IElementFunction
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TV Apply<TW, TV>(TV x, TV y, TV number) where TW : ISimd<TV> where TV : unmanaged =>
        VectorMath.TimesSigmoid<TW, TV>(x, x);
}

internal readonly struct GeluFunction : IElementFunction
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TV Apply<TW, TV>(TV x, TV y, TV number) where TW : ISimd<TV> where TV : unmanaged =>
        VectorMath.TimesNormalDistribution<TW, TV>(x);
}

internal readonly struct GeluTanhFunction : IElementFunction
{
    // (1 + tanh u) / 2 = 1 / (1 + e^(-2u)), which does not cancel; 2u = sqrt(8/π) (x + 0.044715 x^3).
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TV Apply<TW, TV>(TV x, TV y, TV number) where TW : ISimd<TV> where TV : unmanaged
    {
        var square = TW.Multiply(x, x);
        var inner = TW.Multiply(x, TW.MultiplyAdd(square, TW.Create(0.0713548163f), TW.Create(1.59576912161f)));
        return VectorMath.TimesSigmoid<TW, TV>(x, inner);
    }
}

/// <summary>The activation of x, times y.</summary>
internal readonly struct GateFunction<TActivation> : IElementFunction where TActivation : IElementFunction
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TV Apply<TW, TV>(TV x, TV y, TV number) where TW : ISimd<TV> where TV : unmanaged =>
        TW.Multiply(TActivation.Apply<TW, TV>(x, y, number), y);
}

internal readonly struct AddFunction : IElementFunction
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TV Apply<TW, TV>(TV x, TV y, TV number) where TW : ISimd<TV> where TV : unmanaged => TW.Add(x, y);
}

/// <summary>number * tanh(x / number).</summary>
internal readonly struct SoftCapFunction : IElementFunction
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TV Apply<TW, TV>(TV x, TV y, TV number) where TW : ISimd<TV> where TV : unmanaged =>
        TW.Multiply(number, VectorMath.Tanh<TW, TV>(TW.Divide(x, number)));
}

internal sealed unsafe partial class CpuOps<TW, TV>
{
    public override void Activate(Tensor x, Activation activation, Tensor destination)
    {
        switch (activation)
        {
            case Activation.Relu: Apply<ReluFunction>(x, x, 0, destination); break;
            case Activation.Silu: Apply<SiluFunction>(x, x, 0, destination); break;
            case Activation.Gelu: Apply<GeluFunction>(x, x, 0, destination); break;
            case Activation.GeluTanh: Apply<GeluTanhFunction>(x, x, 0, destination); break;
            default: throw new ArgumentOutOfRangeException(nameof(activation), activation, null);
        }
    }

    public override void Gate(Tensor gate, Tensor up, Activation activation, Tensor destination)
    {
        switch (activation)
        {
            case Activation.Relu: Apply<GateFunction<ReluFunction>>(gate, up, 0, destination); break;
            case Activation.Silu: Apply<GateFunction<SiluFunction>>(gate, up, 0, destination); break;
            case Activation.Gelu: Apply<GateFunction<GeluFunction>>(gate, up, 0, destination); break;
            case Activation.GeluTanh: Apply<GateFunction<GeluTanhFunction>>(gate, up, 0, destination); break;
            default: throw new ArgumentOutOfRangeException(nameof(activation), activation, null);
        }
    }

    public override void Add(Tensor x, Tensor y, Tensor destination) => Apply<AddFunction>(x, y, 0, destination);

    public override void SoftCap(Tensor x, double cap) => Apply<SoftCapFunction>(x, x, (float)cap, x);

    private void Apply<TFunction>(Tensor x, Tensor y, float number, Tensor destination) where TFunction : IElementFunction
    {
        var job = new ElementwiseJob<TFunction>
        {
            X = new RowView(x),
            Y = new RowView(y),
            Destination = new RowView(destination),
            Number = number,
            Rows = x.Rows,
            Width = x.Columns,
        };
        // Elementary functions cost some twenty additions each.
        var chunks = Split(x.Rows, (typeof(TFunction) == typeof(AddFunction) ? 1L : 8L) * x.Columns, out job.RowsPerChunk);
        pool.Run(ref job, chunks);
    }

    private struct ElementwiseJob<TFunction> : IJob where TFunction : IElementFunction
    {
        public RowView X, Y, Destination;
        public float Number;
        public int Rows, Width, RowsPerChunk;

        public void Run(int chunk, int worker)
        {
            var last = Math.Min(Rows, (chunk + 1) * RowsPerChunk);
            for (var row = chunk * RowsPerChunk; row < last; row++)
            {
                ApplyRow<TFunction>(X.Row(row), Y.Row(row), Number, Destination.Row(row), Width);
            }
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void ApplyRow<TFunction>(float* x, float* y, float number, float* destination, int width)
        where TFunction : IElementFunction
    {
        var n = TW.Create(number);
        var i = 0;
        for (; i <= width - TW.Count; i += TW.Count)
        {
            TW.Store(TFunction.Apply<TW, TV>(TW.Load(x + i), TW.Load(y + i), n), destination + i);
        }

        if (i < width)
        {
            var rest = width - i;
            StorePartial(
                TFunction.Apply<TW, TV>(LoadPartial(x + i, rest), LoadPartial(y + i, rest), n), destination + i, rest);
        }
    }
}
