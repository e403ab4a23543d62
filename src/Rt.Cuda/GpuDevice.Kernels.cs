// What ops on strided rows share: kernels found once, rows taken together, alignment.
using Rt.Core;
using Rt.Gpu;
using Rt.Kernels;

namespace Rt.Cuda;

public sealed partial class GpuDevice
{
    /// <summary>Most groups along y.</summary>
    private const int MostRowGroups = 65535;

    // Longest run of elements that is treated as one row.
    private const long LongestRow = 1 << 30;

    private readonly Dictionary<KernelName, KernelEntry> _kernels = [];

    /// <summary>The kernel of a method and its type arguments.</summary>
    /// <exception cref="ArgumentException">There is no such kernel: says what there is.</exception>
    internal KernelEntry Kernel(string method, Type? argument0 = null, Type? argument1 = null, Type? argument2 = null, Type? argument3 = null)
    {
        var name = new KernelName(method, argument0, argument1, argument2, argument3);
        if (!_kernels.TryGetValue(name, out var entry))
        {
            var arguments = new List<Type>();
            foreach (var argument in (Type?[])[argument0, argument1, argument2, argument3])
            {
                if (argument is not null)
                {
                    arguments.Add(argument);
                }
            }

            entry = KernelCatalog.Find(method, [.. arguments]);
            _kernels.Add(name, entry);
        }

        return entry;
    }

    /// <summary>Elements that a thread moves by 16 bytes of the wider of two types.</summary>
    private static int Chunk(DType a, DType b) => 16 / Math.Max(a.Bytes(), b.Bytes());

    /// <summary>Whether runs of <paramref name="count"/> elements from the start of every row may be moved at once.</summary>
    private bool IsAligned(in Tensor tensor, int count)
    {
        var elementBytes = tensor.DType.Bytes();
        var bytes = Math.Min(16, count * elementBytes);
        return (Memory(tensor).Address + tensor.Offset * elementBytes) % bytes == 0
            && (tensor.Dim0 <= 1 || tensor.Stride0 * elementBytes % bytes == 0)
            && (tensor.Dim1 <= 1 || tensor.Stride1 * elementBytes % bytes == 0);
    }

    /// <summary>Rows that follow one another without gaps in all of the tensors become longer rows; all have the same shape.</summary>
    private static void MergeRows(ref Tensor a, ref Tensor b, ref Tensor c)
    {
        if (a.Count >= LongestRow)
        {
            return;
        }

        if (a.IsContiguous && b.IsContiguous && c.IsContiguous)
        {
            a = new Tensor(a.Storage, a.DType, a.Offset, 1, 1, (int)a.Count);
            b = new Tensor(b.Storage, b.DType, b.Offset, 1, 1, (int)b.Count);
            c = new Tensor(c.Storage, c.DType, c.Offset, 1, 1, (int)c.Count);
        }
        else if (HasAdjacentRows(a) && HasAdjacentRows(b) && HasAdjacentRows(c))
        {
            a = AsRows(a);
            b = AsRows(b);
            c = AsRows(c);
        }
    }

    private static bool HasAdjacentRows(in Tensor tensor) => tensor.Dim1 <= 1 || tensor.Stride1 == tensor.Dim2;

    /// <summary>[a, b, width] with adjacent rows as [1, a, b x width].</summary>
    private static Tensor AsRows(in Tensor tensor) => new(
        tensor.Storage, tensor.DType, tensor.Offset, 1, tensor.Dim0, tensor.Dim1 * tensor.Dim2, 0, tensor.Stride0);

    private readonly record struct KernelName(string Method, Type? Argument0, Type? Argument1, Type? Argument2, Type? Argument3);
}
