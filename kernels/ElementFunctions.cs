// Functions of one or two elements, and the loop over strided rows that applies them.
// Sources: GELU, Hendrycks and Gimpel 2016, arXiv:1606.08415; gated units, Shazeer 2020, arXiv:2002.05202.
using Rt.Gpu;

namespace Rt.Kernels;

/// <summary>An activation function. Exact functions where A is float, the hardware's approximate ones where it is a half type.</summary>
internal interface IActivation
{
    static abstract float Apply<TA>(float x) where TA : unmanaged;
}

/// <summary>max(x, 0); NaN stays.</summary>
internal readonly struct Relu : IActivation
{
    public static float Apply<TA>(float x) where TA : unmanaged => x < 0f ? 0f : x;
}

/// <summary>x / (1 + e^(-x)).</summary>
internal readonly struct Silu : IActivation
{
    public static float Apply<TA>(float x) where TA : unmanaged => ElementMath.TimesSigmoid<TA>(x, x);
}

/// <summary>x Φ(x) with the standard normal distribution Φ(x) = erfc(-x / √2) / 2.</summary>
internal readonly struct Gelu : IActivation
{
    public static float Apply<TA>(float x) where TA : unmanaged
    {
        // erfc(z) = e^(-z^2) t p(t), t = 1 / (1 + 0.35 z), relative error 1.1e-8 on [0, 10.5]; it does not cancel for negative x.
        var z = XMath.Abs(x) * 0.70710678118654752f;
        var near = !(z > 10.5f);
        var t = ElementMath.Reciprocal<TA>(XMath.Fma(near ? z : 10.5f, 0.35f, 1f));
        var p = XMath.Fma(0.0382093053f, t, -0.158280047f);
        p = XMath.Fma(p, t, 0.180952324f);
        p = XMath.Fma(p, t, -0.0285135665f);
        p = XMath.Fma(p, t, 0.0890458675f);
        p = XMath.Fma(p, t, 0.144159039f);
        p = XMath.Fma(p, t, 0.152136382f);
        p = XMath.Fma(p, t, 0.187629369f);
        p = XMath.Fma(p, t, 0.197180201f);
        p = XMath.Fma(p, t, 0.197481132f);
        var tail = near ? 0.5f * (t * p * ElementMath.Exp<TA>(-(z * z))) : 0f;
        return x * (x > 0f ? 1f - tail : tail);
    }
}

/// <summary>0.5 x (1 + tanh u), u = √(2/π) (x + 0.044715 x³), as x / (1 + e^(-2u)), which does not cancel.</summary>
internal readonly struct GeluTanh : IActivation
{
    public static float Apply<TA>(float x) where TA : unmanaged =>
        ElementMath.TimesSigmoid<TA>(x, x * XMath.Fma(x * x, 0.0713548163f, 1.59576912161f));
}

/// <summary>Elementary functions at the accuracy that activations of type TA call for.</summary>
internal static class ElementMath
{
    /// <summary>e^x.</summary>
    public static float Exp<TA>(float x) where TA : unmanaged =>
        Element.Is<TA, float>() ? XMath.Exp(x) : Approximate.Exp2(x * 1.44269504088896341f);

    /// <summary>1 / x.</summary>
    public static float Reciprocal<TA>(float x) where TA : unmanaged => Element.Is<TA, float>() ? 1f / x : Approximate.Rcp(x);

    /// <summary>x / (1 + e^(-y)).</summary>
    public static float TimesSigmoid<TA>(float x, float y) where TA : unmanaged
    {
        var denominator = 1f + Exp<TA>(-y);
        return Element.Is<TA, float>() ? x / denominator : x * Approximate.Rcp(denominator);
    }

    /// <summary>tanh(x).</summary>
    public static float Tanh<TA>(float x) where TA : unmanaged =>
        Element.Is<TA, float>() ? XMath.Tanh(x) : 1f - 2f * Approximate.Rcp(1f + Approximate.Exp2(x * 2.88539008177792681f));
}

/// <summary>A function of two elements and a number; unary ones do not read the second.</summary>
internal interface IElementFunction
{
    static abstract bool ReadsSecond { get; }

    static abstract float Apply<TA>(float x, float y, float number) where TA : unmanaged;
}

internal readonly struct ActivationFunction<TActivation> : IElementFunction where TActivation : struct, IActivation
{
    public static bool ReadsSecond => false;

    public static float Apply<TA>(float x, float y, float number) where TA : unmanaged => TActivation.Apply<TA>(x);
}

internal readonly struct GateFunction<TActivation> : IElementFunction where TActivation : struct, IActivation
{
    public static bool ReadsSecond => true;

    public static float Apply<TA>(float x, float y, float number) where TA : unmanaged => TActivation.Apply<TA>(x) * y;
}

internal readonly struct AddFunction : IElementFunction
{
    public static bool ReadsSecond => true;

    public static float Apply<TA>(float x, float y, float number) where TA : unmanaged => x + y;
}

internal readonly struct SoftCapFunction : IElementFunction
{
    public static bool ReadsSecond => false;

    public static float Apply<TA>(float x, float y, float number) where TA : unmanaged => number * ElementMath.Tanh<TA>(x / number);
}

/// <summary>Element-by-element work on tensors [a, b, width] with strided rows.</summary>
internal static class Elementwise
{
    /// <summary>Groups of one row: chunks of 16 bytes, one per thread.</summary>
    public const int GroupSize = 256;

    /// <summary>destination = function(x, y, number). Grid: x covers the row's chunks, y the rows with a stride.</summary>
    public static void Apply<TA, TFunction>(
        ArrayView<TA> x, long xStride0, long xStride1, ArrayView<TA> y, long yStride0, long yStride1,
        ArrayView<TA> destination, long stride0, long stride1, float number, int inner, int rows, int width, bool aligned)
        where TA : unmanaged
        where TFunction : struct, IElementFunction
    {
        var count = Vectors.Chunk<TA>();
        var first = (Grid.IdxX * Group.DimX + Group.IdxX) * count;
        if (first < width)
        {
            for (var row = Grid.IdxY; row < rows; row += Grid.DimY)
            {
                var a = LocalMemory.Allocate<float>(Vectors.Chunk<TA>());
                var b = LocalMemory.Allocate<float>(Vectors.Chunk<TA>());
                Vectors.Load(x.SubView(Vectors.RowStart(row, inner, xStride0, xStride1)), first, width, aligned, a, 0, count);
                if (TFunction.ReadsSecond)
                {
                    Vectors.Load(y.SubView(Vectors.RowStart(row, inner, yStride0, yStride1)), first, width, aligned, b, 0, count);
                }

                for (var i = 0; i < count; i++)
                {
                    a[i] = TFunction.Apply<TA>(a[i], TFunction.ReadsSecond ? b[i] : 0f, number);
                }

                Vectors.Store(
                    destination.SubView(Vectors.RowStart(row, inner, stride0, stride1)), first, width, aligned, a, 0, count);
            }
        }
    }
}
