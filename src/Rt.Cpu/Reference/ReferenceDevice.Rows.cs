// Reference ops on rows: embedding, norms, linear maps, element-wise functions, patches.
using Rt.Core;

namespace Rt.Cpu.Reference;

public sealed unsafe partial class ReferenceDevice
{
    /// <inheritdoc/>
    public void Embed(RowBatch rows, Tensor table, double scale, Tensor destination)
    {
        var from = new View(table);
        var to = new View(destination);
        for (var row = 0; row < rows.RowCount; row++)
        {
            for (var i = 0; i < destination.Columns; i++)
            {
                to[row, i] = from[rows.TokenIds[row], i] * scale;
            }
        }
    }

    /// <inheritdoc/>
    public void AddPositions(RowBatch rows, Tensor table, int offset, Tensor destination)
    {
        var from = new View(table);
        var to = new View(destination);
        for (var row = 0; row < rows.RowCount; row++)
        {
            for (var i = 0; i < destination.Columns; i++)
            {
                to[row, i] += from[rows.Positions[row] + offset, i];
            }
        }
    }

    /// <inheritdoc/>
    public void Normalize(Tensor x, Norm norm, Tensor destination)
    {
        RequireSame(x, destination);
        var from = new View(x);
        var to = new View(destination);
        for (var row = 0; row < x.Rows; row++)
        {
            double mean = 0, square = 0;
            if (norm.Kind == NormKind.Layer)
            {
                for (var i = 0; i < x.Columns; i++)
                {
                    mean += from[row, i];
                }

                mean /= x.Columns;
            }

            for (var i = 0; i < x.Columns; i++)
            {
                var centred = from[row, i] - mean;
                square += centred * centred;
            }

            var scale = 1 / Math.Sqrt(square / x.Columns + norm.Epsilon);
            for (var i = 0; i < x.Columns; i++)
            {
                var weight = norm.Weight is { } w ? new View(w).GetLinear(i) + norm.WeightOffset : 1;
                var bias = norm.Bias is { } b ? new View(b).GetLinear(i) : 0;
                to[row, i] = (from[row, i] - mean) * scale * weight + bias;
            }
        }
    }

    /// <inheritdoc/>
    public void MatMul(Tensor x, Linear linear, bool accumulate, Tensor destination)
    {
        if (x.Columns != linear.In || destination.Columns != linear.Out || x.Rows != destination.Rows)
        {
            throw new ShapeException($"x {x} and destination {destination} do not fit a linear map {linear.In} -> {linear.Out}");
        }

        var from = new View(x);
        var to = new View(destination);
        var first = 0;
        foreach (var part in linear.Parts)
        {
            var weight = new View(part.Weight);
            for (var o = 0; o < part.Out; o++)
            {
                var bias = part.Bias is { } b ? new View(b).GetLinear(o) : 0;
                for (var row = 0; row < x.Rows; row++)
                {
                    var sum = 0.0;
                    for (var i = 0; i < part.In; i++)
                    {
                        sum += from[row, i] * (part.InputMajor ? weight[i, o] : weight[o, i]);
                    }

                    to[row, first + o] = (accumulate ? to[row, first + o] : 0) + sum + bias;
                }
            }

            first += part.Out;
        }
    }

    /// <inheritdoc/>
    public void Activate(Tensor x, Activation activation, Tensor destination)
    {
        RequireSame(x, destination);
        var from = new View(x);
        var to = new View(destination);
        for (var row = 0; row < x.Rows; row++)
        {
            for (var i = 0; i < x.Columns; i++)
            {
                to[row, i] = Apply(activation, from[row, i]);
            }
        }
    }

    /// <inheritdoc/>
    public void Gate(Tensor gate, Tensor up, Activation activation, Tensor destination)
    {
        RequireSame(gate, destination);
        RequireSame(up, destination);
        var g = new View(gate);
        var u = new View(up);
        var to = new View(destination);
        for (var row = 0; row < gate.Rows; row++)
        {
            for (var i = 0; i < gate.Columns; i++)
            {
                to[row, i] = Apply(activation, g[row, i]) * u[row, i];
            }
        }
    }

    /// <inheritdoc/>
    public void Add(Tensor x, Tensor y, Tensor destination)
    {
        RequireSame(x, destination);
        RequireSame(y, destination);
        var a = new View(x);
        var b = new View(y);
        var to = new View(destination);
        for (var row = 0; row < x.Rows; row++)
        {
            for (var i = 0; i < x.Columns; i++)
            {
                to[row, i] = a[row, i] + b[row, i];
            }
        }
    }

    /// <inheritdoc/>
    public void Copy(Tensor source, Tensor destination)
    {
        RequireSame(source, destination);
        var from = new View(source);
        var to = new View(destination);
        for (var row = 0; row < source.Rows; row++)
        {
            for (var i = 0; i < source.Columns; i++)
            {
                to[row, i] = from[row, i];
            }
        }
    }

    /// <inheritdoc/>
    public void SoftCap(Tensor x, double cap)
    {
        var view = new View(x);
        for (var row = 0; row < x.Rows; row++)
        {
            for (var i = 0; i < x.Columns; i++)
            {
                view[row, i] = cap * Math.Tanh(view[row, i] / cap);
            }
        }
    }

    /// <inheritdoc/>
    public void PatchRows(Tensor x, ReadOnlySpan<int> rowIndices, Tensor vectors, PatchMode mode, double scale)
    {
        if (vectors.Rows != rowIndices.Length || vectors.Columns != x.Columns)
        {
            throw new ShapeException($"vectors {vectors} do not fit {rowIndices.Length} rows of {x}");
        }

        var to = new View(x);
        var from = new View(vectors);
        for (var n = 0; n < rowIndices.Length; n++)
        {
            for (var i = 0; i < x.Columns; i++)
            {
                to[rowIndices[n], i] = (mode == PatchMode.Add ? to[rowIndices[n], i] : 0) + scale * from[n, i];
            }
        }
    }

    /// <inheritdoc/>
    public void GatherRows(Tensor x, ReadOnlySpan<int> rowIndices, Tensor destination)
    {
        if (destination.Rows != rowIndices.Length || destination.Columns != x.Columns)
        {
            throw new ShapeException($"destination {destination} does not fit {rowIndices.Length} rows of {x}");
        }

        var from = new View(x);
        var to = new View(destination);
        for (var n = 0; n < rowIndices.Length; n++)
        {
            for (var i = 0; i < x.Columns; i++)
            {
                to[n, i] = from[rowIndices[n], i];
            }
        }
    }

    /// <inheritdoc/>
    public void ArgMax(Tensor x, Span<int> indices)
    {
        var view = new View(x);
        for (var row = 0; row < x.Rows; row++)
        {
            indices[row] = 0;
            for (var i = 1; i < x.Columns; i++)
            {
                if (view[row, i] > view[row, indices[row]])
                {
                    indices[row] = i;
                }
            }
        }
    }

    /// <inheritdoc/>
    public void LogProbabilities(
        Tensor x, Linear head, double softCap, ReadOnlySpan<TokenTarget> targets, Span<double> destination)
    {
        using var storage = new HostMemory((long)head.Out * sizeof(double));
        var logits = new Tensor(storage, DType.F64, 0, 1, 1, head.Out);
        var values = logits.HostSpan<double>();
        var current = -1;
        var logSum = 0.0;
        for (var n = 0; n < targets.Length; n++)
        {
            if (targets[n].Row != current)
            {
                current = targets[n].Row;
                var row = new Tensor(
                    x.Storage, x.DType, x.Offset + current / x.Dim1 * x.Stride0 + current % x.Dim1 * x.Stride1, 1, 1, x.Columns);
                MatMul(row, head, false, logits);
                if (softCap > 0)
                {
                    SoftCap(logits, softCap);
                }

                var max = double.NegativeInfinity;
                foreach (var value in values)
                {
                    max = Math.Max(max, value);
                }

                var sum = 0.0;
                foreach (var value in values)
                {
                    sum += Math.Exp(value - max);
                }

                logSum = max + Math.Log(sum);
            }

            destination[n] = values[targets[n].TokenId] - logSum;
        }
    }

    private static double Apply(Activation activation, double x) => activation switch
    {
        Activation.Relu => Math.Max(x, 0),
        Activation.Silu => x / (1 + Math.Exp(-x)),
        Activation.Gelu => 0.5 * x * (1 + Erf(x / Math.Sqrt(2))),
        Activation.GeluTanh => 0.5 * x * (1 + Math.Tanh(Math.Sqrt(2 / Math.PI) * (x + 0.044715 * x * x * x))),
        _ => throw new ArgumentOutOfRangeException(nameof(activation), activation, "unknown activation"),
    };

    /// <summary>The error function by erf(x) = 2/√π exp(-x²) Σ 2ⁿ x²ⁿ⁺¹ / (2n+1)!!, whose terms never cancel.</summary>
    /// <remarks>Source: Abramowitz and Stegun, equation 7.1.6.</remarks>
    internal static double Erf(double x)
    {
        if (double.IsNaN(x) || Math.Abs(x) > 6)
        {
            return double.IsNaN(x) ? x : Math.Sign(x);
        }

        double term = x, sum = x;
        for (var n = 1; Math.Abs(term) > 1e-18 * Math.Abs(sum); n++)
        {
            term *= 2 * x * x / (2 * n + 1);
            sum += term;
        }

        return 2 / Math.Sqrt(Math.PI) * Math.Exp(-x * x) * sum;
    }
}
