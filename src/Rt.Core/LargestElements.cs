// The k largest elements of rows on the host: for devices without a kernel of their own.
// Source: selection with a bounded heap, as in Knuth, The Art of Computer Programming, volume 3, section 5.2.3.
using System.Buffers;

namespace Rt.Core;

/// <summary>Selection of the largest elements of rows.</summary>
public static class LargestElements
{
    /// <summary>The body of <see cref="IDevice.TopK"/> on the host.</summary>
    /// <exception cref="ShapeException">The results do not fit the rows, or a row has fewer elements.</exception>
    public static void TopK(IDevice device, Tensor x, int count, Span<float> values, Span<int> indices)
    {
        Check(x, count, values, indices);
        var row = ArrayPool<float>.Shared.Rent(x.Columns);
        try
        {
            for (var i = 0; i < x.Rows; i++)
            {
                var elements = row.AsSpan(0, x.Columns);
                device.Download(x.Slice(i / x.Dim1, 1).SliceRows(i % x.Dim1, 1), elements);
                Select(elements, values.Slice(i * count, count), indices.Slice(i * count, count));
            }
        }
        finally
        {
            ArrayPool<float>.Shared.Return(row);
        }
    }

    /// <summary>Throws unless values and indices hold <paramref name="count"/> elements per row, and rows have as many.</summary>
    /// <exception cref="ShapeException">They do not.</exception>
    public static void Check(Tensor x, int count, Span<float> values, Span<int> indices)
    {
        if (count < 1 || count > x.Columns || values.Length != x.Rows * count || indices.Length != x.Rows * count)
        {
            throw new ShapeException($"TopK: the {count} largest as {values.Length} values and {indices.Length} indices do not fit {x}");
        }
    }

    /// <summary>The largest elements, in order.</summary>
    /// <param name="elements">Looked at once.</param>
    /// <param name="values">Receives as many as it holds.</param>
    /// <param name="indices">Receives their indices.</param>
    public static void Select(ReadOnlySpan<float> elements, Span<float> values, Span<int> indices)
    {
        // A heap whose root is the least of those kept.
        var count = values.Length;
        for (var i = 0; i < count; i++)
        {
            values[i] = elements[i];
            indices[i] = i;
        }

        for (var i = count / 2 - 1; i >= 0; i--)
        {
            Sink(values, indices, i, count);
        }

        for (var i = count; i < elements.Length; i++)
        {
            if (IsBefore(elements[i], i, values[0], indices[0]))
            {
                values[0] = elements[i];
                indices[0] = i;
                Sink(values, indices, 0, count);
            }
        }

        for (var end = count - 1; end > 0; end--)
        {
            (values[0], values[end]) = (values[end], values[0]);
            (indices[0], indices[end]) = (indices[end], indices[0]);
            Sink(values, indices, 0, end);
        }
    }

    private static void Sink(Span<float> values, Span<int> indices, int i, int count)
    {
        while (2 * i + 1 < count)
        {
            var child = 2 * i + 1;
            if (child + 1 < count && IsBefore(values[child], indices[child], values[child + 1], indices[child + 1]))
            {
                child++;
            }

            if (!IsBefore(values[i], indices[i], values[child], indices[child]))
            {
                return;
            }

            (values[i], values[child]) = (values[child], values[i]);
            (indices[i], indices[child]) = (indices[child], indices[i]);
            i = child;
        }
    }

    private static bool IsBefore(float a, int indexA, float b, int indexB) =>
        float.IsNaN(b) ? !float.IsNaN(a) || indexA < indexB : a > b || (a == b && indexA < indexB);
}
