// One tensor of a safetensors file, as its header describes it.
using Rt.Core;

namespace Rt.Formats;

/// <summary>Where one tensor lies in a safetensors file.</summary>
/// <param name="Name">Name in the header.</param>
/// <param name="DType">Element type.</param>
/// <param name="Shape">Sizes, slowest axis first; empty for a scalar; zeros are allowed.</param>
/// <param name="Offset">First byte, counted from the start of the file; need not be aligned.</param>
/// <param name="ByteLength">Size in bytes.</param>
public readonly record struct SafetensorsEntry(string Name, DType DType, long[] Shape, long Offset, long ByteLength)
{
    /// <summary>Number of elements.</summary>
    public long Count
    {
        get
        {
            var count = 1L;
            foreach (var size in Shape)
            {
                count *= size;
            }

            return count;
        }
    }

    /// <inheritdoc/>
    public override string ToString() => $"{MessageText.Quote(Name)} {DType}{MessageText.Shape(Shape)}";
}
