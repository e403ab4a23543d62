// Elements moved 16 bytes at a time and computed with in F32.
using Rt.Gpu;

namespace Rt.Kernels;

/// <summary>Chunks of adjacent elements of any dtype as floats in registers.</summary>
internal static class Vectors
{
    /// <summary>Elements of the widest load of a type: 16 bytes.</summary>
    public static int Chunk<T>() where T : unmanaged => 16 / Element.Size<T>();

    /// <summary>Reads 4 or 8 adjacent elements.</summary>
    /// <param name="view">Begins at the first, aligned to the lesser of 16 bytes and the chunk's.</param>
    /// <param name="values">Registers that receive them.</param>
    /// <param name="at">Index of the first of those registers, a constant.</param>
    /// <param name="count">4 or 8, a constant.</param>
    public static void Load<T>(ArrayView<T> view, ArrayView<float> values, int at, int count) where T : unmanaged
    {
        if (count == 8 && Element.Size<T>() == 2)
        {
            var vector = view.Cast<Vec8<T>>()[0];
            for (var i = 0; i < 8; i++)
            {
                values[at + i] = Element.ToFloat(vector[i]);
            }
        }
        else
        {
            for (var part = 0; part < count / 4; part++)
            {
                var vector = view.Cast<Vec4<T>>()[part];
                for (var i = 0; i < 4; i++)
                {
                    values[at + 4 * part + i] = Element.ToFloat(vector[i]);
                }
            }
        }
    }

    /// <summary>Writes 4 or 8 adjacent elements, rounded; as <see cref="Load"/>.</summary>
    public static void Store<T>(ArrayView<T> view, ArrayView<float> values, int at, int count) where T : unmanaged
    {
        if (count == 8 && Element.Size<T>() == 2)
        {
            var vector = default(Vec8<T>);
            for (var i = 0; i < 8; i++)
            {
                vector[i] = Element.FromFloat<T>(values[at + i]);
            }

            view.Cast<Vec8<T>>()[0] = vector;
        }
        else
        {
            for (var part = 0; part < count / 4; part++)
            {
                var vector = default(Vec4<T>);
                for (var i = 0; i < 4; i++)
                {
                    vector[i] = Element.FromFloat<T>(values[at + 4 * part + i]);
                }

                view.Cast<Vec4<T>>()[part] = vector;
            }
        }
    }

    /// <summary>Reads 4 or 8 adjacent elements into the first registers.</summary>
    public static void Load<T>(ArrayView<T> view, ArrayView<float> values, int count) where T : unmanaged => Load(view, values, 0, count);

    /// <summary>Writes 4 or 8 adjacent elements from the first registers.</summary>
    public static void Store<T>(ArrayView<T> view, ArrayView<float> values, int count) where T : unmanaged => Store(view, values, 0, count);

    /// <summary>Reads the elements of a chunk that lie below <paramref name="end"/>, the others as zeros.</summary>
    /// <param name="view">The row.</param>
    /// <param name="first">Index of the chunk's first element.</param>
    /// <param name="end">Elements of the row.</param>
    /// <param name="aligned">Whether whole chunks may be read at once; the same for all threads.</param>
    /// <param name="values">Registers that receive them.</param>
    /// <param name="at">Index of the first of those registers, a constant.</param>
    /// <param name="count">4 or 8, a constant.</param>
    public static void Load<T>(ArrayView<T> view, int first, int end, bool aligned, ArrayView<float> values, int at, int count)
        where T : unmanaged
    {
        if (aligned && first + count <= end)
        {
            Load(view.SubView(first), values, at, count);
        }
        else
        {
            for (var i = 0; i < count; i++)
            {
                values[at + i] = first + i < end ? Element.ToFloat(view[first + i]) : 0f;
            }
        }
    }

    /// <summary>Writes the elements of a chunk that lie below <paramref name="end"/>.</summary>
    public static void Store<T>(ArrayView<T> view, int first, int end, bool aligned, ArrayView<float> values, int at, int count)
        where T : unmanaged
    {
        if (aligned && first + count <= end)
        {
            Store(view.SubView(first), values, at, count);
        }
        else
        {
            for (var i = 0; i < count; i++)
            {
                if (first + i < end)
                {
                    view[first + i] = Element.FromFloat<T>(values[at + i]);
                }
            }
        }
    }

    /// <summary>Index of the first element of row <paramref name="row"/> of a tensor [a, b, width], its first two axes taken together.</summary>
    /// <param name="row">Row.</param>
    /// <param name="inner">Size of the middle axis, b.</param>
    /// <param name="stride0">Elements from one index of axis 0 to the next.</param>
    /// <param name="stride1">Elements from one index of axis 1 to the next.</param>
    public static long RowStart(int row, int inner, long stride0, long stride1) => row / inner * stride0 + row % inner * stride1;
}
