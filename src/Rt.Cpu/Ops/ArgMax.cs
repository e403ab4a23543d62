// Index of the largest element of each row, the first on ties. NaN never wins; a row of nothing else gives 0.
using Rt.Core;

namespace Rt.Cpu;

internal sealed unsafe partial class CpuOps<TW, TV>
{
    public override void ArgMax(Tensor x, Span<int> indices)
    {
        var view = new RowView(x);
        for (var row = 0; row < x.Rows; row++)
        {
            indices[row] = ArgMaxRow(view.Row(row), x.Columns);
        }
    }

    private static int ArgMaxRow(float* x, int width)
    {
        var largest = LargestOf(x, width);
        for (var i = 0; i < width; i++)
        {
            if (x[i] == largest)
            {
                return i;
            }
        }

        return 0;
    }

    /// <summary>The largest element, NaN left out; -infinity where there is none.</summary>
    private static float LargestOf(float* x, int width)
    {
        var lanes = TW.Create(float.NegativeInfinity);
        var i = 0;
        for (; i <= width - TW.Count; i += TW.Count)
        {
            lanes = TW.Max(TW.Load(x + i), lanes);
        }

        var largest = TW.MaxAcross(lanes);
        for (; i < width; i++)
        {
            largest = x[i] > largest ? x[i] : largest;
        }

        return largest;
    }
}
