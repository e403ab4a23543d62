// Ops that move whole rows: Embed, AddPositions, Copy, PatchRows, GatherRows.
// Each row is widened, scaled and added on the way; no row depends on another.
using Rt.Core;

namespace Rt.Cpu;

internal sealed unsafe partial class CpuOps<TW, TV>
{
    public override void Embed(RowBatch rows, Tensor table, double scale, Tensor destination)
    {
        var target = new RowView(destination);
        var tokens = rows.TokenIds;
        for (var row = 0; row < tokens.Length; row++)
        {
            var to = target.Row(0, row);
            Widening.Copy<TW, TV>(table.DType, table.HostPointer(), tokens[row] * table.Stride1, table.Columns, to);
            if (scale != 1)
            {
                ScaleRow(to, (float)scale, table.Columns, to);
            }
        }
    }

    public override void AddPositions(RowBatch rows, Tensor table, int offset, Tensor destination)
    {
        var target = new RowView(destination);
        var scratch = workspace.Small.Floats(table.Columns);
        var positions = rows.Positions;
        for (var row = 0; row < positions.Length; row++)
        {
            Widening.Copy<TW, TV>(
                table.DType, table.HostPointer(), (positions[row] + (long)offset) * table.Stride1, table.Columns, scratch);
            AddScaled(target.Row(0, row), scratch, 1f, table.Columns);
        }
    }

    public override void Copy(Tensor source, Tensor destination)
    {
        var sourceBytes = source.DType.Bytes();
        var bytes = destination.DType.Bytes();
        var scratch = workspace.Small.Floats(source.Columns);
        for (var i = 0; i < source.Dim0; i++)
        {
            for (var j = 0; j < source.Dim1; j++)
            {
                var from = source.HostPointer() + (i * source.Stride0 + j * source.Stride1) * sourceBytes;
                var to = destination.HostPointer() + (i * destination.Stride0 + j * destination.Stride1) * bytes;
                if (source.DType == destination.DType)
                {
                    Buffer.MemoryCopy(from, to, (long)source.Columns * bytes, (long)source.Columns * bytes);
                }
                else if (destination.DType == DType.F32 && source.DType is DType.F16 or DType.BF16)
                {
                    Widening.Copy<TW, TV>(source.DType, from, 0, source.Columns, (float*)to);
                }
                else
                {
                    for (var n = 0; n < source.Columns; n++)
                    {
                        HostTensors.Store(to, n, destination.DType, HostTensors.Load(from, n, source.DType));
                    }
                }
            }
        }
    }

    public override void PatchRows(Tensor x, ReadOnlySpan<int> rowIndices, Tensor vectors, PatchMode mode, double scale)
    {
        var target = new RowView(x);
        var source = new RowView(vectors);
        for (var i = 0; i < rowIndices.Length; i++)
        {
            var row = target.Row(rowIndices[i]);
            if (mode == PatchMode.Replace)
            {
                new ReadOnlySpan<float>(source.Row(i), x.Columns).CopyTo(new Span<float>(row, x.Columns));
                if (scale != 1)
                {
                    ScaleRow(row, (float)scale, x.Columns, row);
                }
            }
            else
            {
                AddScaled(row, source.Row(i), (float)scale, x.Columns);
            }
        }
    }

    public override void GatherRows(Tensor x, ReadOnlySpan<int> rowIndices, Tensor destination)
    {
        var source = new RowView(x);
        var target = new RowView(destination);
        for (var i = 0; i < rowIndices.Length; i++)
        {
            new ReadOnlySpan<float>(source.Row(rowIndices[i]), x.Columns).CopyTo(new Span<float>(target.Row(i), x.Columns));
        }
    }

    /// <summary>destination = source * scale.</summary>
    private static void ScaleRow(float* source, float scale, int width, float* destination)
    {
        var factor = TW.Create(scale);
        var i = 0;
        for (; i <= width - TW.Count; i += TW.Count)
        {
            TW.Store(TW.Multiply(TW.Load(source + i), factor), destination + i);
        }

        for (; i < width; i++)
        {
            destination[i] = source[i] * scale;
        }
    }

    /// <summary>row += source * scale, rounded after each, so that a patch of scale 1 adds exactly.</summary>
    private static void AddScaled(float* row, float* source, float scale, int width)
    {
        var factor = TW.Create(scale);
        var i = 0;
        for (; i <= width - TW.Count; i += TW.Count)
        {
            TW.Store(TW.Add(TW.Load(row + i), TW.Multiply(TW.Load(source + i), factor)), row + i);
        }

        for (; i < width; i++)
        {
            row[i] += source[i] * scale;
        }
    }
}
