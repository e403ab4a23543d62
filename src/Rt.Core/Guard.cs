// Checks of op arguments that every device makes alike: shapes and indices, before anything reads through an address.
using System.Diagnostics;
using System.Diagnostics.CodeAnalysis;

namespace Rt.Core;

/// <summary>Checks of op arguments; each throws a <see cref="ShapeException"/> that names the op and what does not fit.</summary>
[StackTraceHidden]
public static class Guard
{
    /// <summary>Both have the same three sizes.</summary>
    public static void SameShape(string op, in Tensor a, in Tensor b)
    {
        if (a.Dim0 != b.Dim0 || a.Dim1 != b.Dim1 || a.Dim2 != b.Dim2)
        {
            Throw(op, a, b);
        }
    }

    /// <summary>A condition on two tensors holds.</summary>
    public static void Fits(string op, bool fits, in Tensor a, in Tensor b)
    {
        if (!fits)
        {
            Throw(op, a, b);
        }
    }

    /// <summary>Every index lies in [0, count).</summary>
    public static void Indices(string op, ReadOnlySpan<int> indices, int count, in Tensor tensor)
    {
        foreach (var index in indices)
        {
            if ((uint)index >= (uint)count)
            {
                throw new ShapeException($"{op}: index {index} is outside {tensor}");
            }
        }
    }

    /// <summary>Targets lie inside <paramref name="x"/> and the head, their rows ascend, and there is a result for each.</summary>
    public static void Targets(string op, ReadOnlySpan<TokenTarget> targets, in Tensor x, Linear head, int results)
    {
        if (results != targets.Length)
        {
            throw new ShapeException($"{op}: {targets.Length} targets do not fit {results} results");
        }

        for (var i = 0; i < targets.Length; i++)
        {
            var (row, token) = targets[i];
            if ((uint)row >= (uint)x.Rows || (uint)token >= (uint)head.Out || (i > 0 && row < targets[i - 1].Row))
            {
                throw new ShapeException(
                    $"{op}: target {i} (row {row}, token {token}) is outside {x} and a head of {head.Out} tokens, or rows do not ascend");
            }
        }
    }

    /// <summary>As many host values as the tensor has elements.</summary>
    public static void Length(int length, in Tensor tensor)
    {
        if (length != tensor.Count)
        {
            throw new ShapeException($"{length} host values do not fit {tensor}");
        }
    }

    /// <summary>Whether a tensor is [1, rows, columns].</summary>
    public static bool IsMatrix(in Tensor tensor, int rows, int columns) =>
        tensor.Dim0 == 1 && tensor.Dim1 == rows && tensor.Columns == columns;

    [DoesNotReturn]
    private static void Throw(string op, in Tensor a, in Tensor b) => throw new ShapeException($"{op}: {a} does not fit {b}");
}
