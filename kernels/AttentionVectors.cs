// Vectors of 16 bytes of elements: how attention reads and writes heads.
using Rt.Gpu;

namespace Rt.Kernels;

/// <summary>Loads and stores of 16 bytes: four floats or eight elements of 16 bits.</summary>
internal static class AttentionVectors
{
    /// <summary>Elements of a vector: a constant.</summary>
    public static int Length<A>() where A : unmanaged => 16 / Element.Size<A>();

    /// <summary>Loads a vector; <paramref name="offset"/> is a multiple of its length.</summary>
    /// <param name="source">Aligned to 16 bytes.</param>
    /// <param name="offset">In elements.</param>
    /// <param name="target">Registers.</param>
    /// <param name="at">First of them, a constant after unrolling.</param>
    public static void Load<A>(ArrayView<A> source, long offset, ArrayView<float> target, int at) where A : unmanaged
    {
        if (Element.Is<A, float>())
        {
            var vector = source.Cast<Vec4<float>>()[offset / 4];
            for (var i = 0; i < 4; i++)
            {
                target[at + i] = vector[i];
            }
        }
        else
        {
            var vector = source.Cast<Vec8<A>>()[offset / 8];
            for (var i = 0; i < 8; i++)
            {
                target[at + i] = Element.ToFloat(vector[i]);
            }
        }
    }

    /// <summary>Stores a vector, rounding; the counterpart of <see cref="Load"/>.</summary>
    public static void Store<A>(ArrayView<float> source, int at, ArrayView<A> target, long offset) where A : unmanaged
    {
        if (Element.Is<A, float>())
        {
            var vector = default(Vec4<float>);
            for (var i = 0; i < 4; i++)
            {
                vector[i] = source[at + i];
            }

            target.Cast<Vec4<float>>()[offset / 4] = vector;
        }
        else
        {
            var vector = default(Vec8<A>);
            for (var i = 0; i < 8; i++)
            {
                vector[i] = Element.FromFloat<A>(source[at + i]);
            }

            target.Cast<Vec8<A>>()[offset / 8] = vector;
        }
    }
}
