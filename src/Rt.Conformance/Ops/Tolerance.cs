// How far an op's result may lie from the float64 reference: one table, by op and by the dtype of activations.
// Checked as |a - b| <= Absolute + Relative * |reference|.
using Rt.Core;

namespace Rt.Conformance.Ops;

/// <summary>The allowance of one op on devices with one dtype of activations.</summary>
/// <param name="Op">Name of the op.</param>
/// <param name="Type">Dtype of activations, keys and values.</param>
/// <param name="Absolute">Allowed at a reference of 0.</param>
/// <param name="Relative">Allowed in addition, per unit of the reference.</param>
/// <param name="Source">Where the numbers come from.</param>
public sealed record Tolerance(string Op, DType Type, double Absolute, double Relative, string Source)
{
    // Unit roundoffs: half the distance from 1 to the next number.
    private const double UnitF32 = 1.0 / (1 << 24);
    private const double UnitF16 = 1.0 / (1 << 11);
    private const double UnitBF16 = 1.0 / (1 << 8);

    /// <summary>Every row of the table.</summary>
    public static IReadOnlyList<Tolerance> Table { get; } =
    [
        .. Row("Exact", 0, 0, "moves or compares values; nothing is rounded"),
        .. Row("Embed", 0, 1, "one product"),
        .. Row("AddPositions", 1, 1, "one sum of numbers below 8"),
        .. Row("Add", 4, 1, "one sum of numbers below 8"),
        .. Row("Copy", 0, 1, "one rounding"),
        .. Row("PatchRows", 4, 2, "one product and one sum of numbers below 8"),
        .. Row("Normalize", 64, 16, "width 257 sums, a root, three products; elements below 8"),
        .. Row("MatMul", 96, 32, "K = 1100 terms of variance 1/K: error about sqrt(K) roundoffs, three times that allowed"),
        .. Row("MatMulActivate", 384, 64, "two results of MatMul, one times the activation of the other, numbers below 4"),
        .. Row("Activate", 4, 8, "elementary functions within 4 ulp, two products"),
        .. Row("Gate", 16, 12, "as Activate, one product with numbers below 8"),
        .. Row("SoftCap", 8, 8, "tanh within 4 ulp, a quotient, a product"),
        .. Row("AppendKv", 16, 4, "two products and a sum of numbers below 8"),
        .. Row("Attention", 128, 64, "scores of up to 64 with 256 terms, exponentials, sums of 400 values"),
        .. Row("AttentionLargeScores", 4096, 2048, "scores of up to 2000, whose error of 1e-4 is the probability's relative error"),
        .. Row("AttentionScores", 512, 64, "256 terms, scores and biases up to 64"),
        .. Row("AttentionProbabilities", 16, 256, "the exponential turns an absolute error of the score into a relative one"),
        .. Row("LinearAttention", 4096, 512, "sums of 400 values with weights of up to 100"),
        .. Row("MetaGradient", 0, 0, "every intermediate is rounded as the step says, so results are equal"),
        .. Row("SquaredNorm", 0, 64, "sums in F64 of squares of F32"),
        .. Row("LogProbabilities", 1024, 32, "logits up to 30 with 1100 terms, sums of 300 exponentials"),
    ];

    /// <summary>The allowance of an op.</summary>
    /// <exception cref="ArgumentException">The table has no such row.</exception>
    public static Tolerance For(string op, DType type)
    {
        foreach (var row in Table)
        {
            if (row.Op == op && row.Type == type)
            {
                return row;
            }
        }

        throw new ArgumentException($"no tolerance for {op} in {type}");
    }

    /// <summary>Whether a result is within the allowance; NaN and infinities must agree exactly.</summary>
    public bool Allows(double reference, double found) =>
        double.IsFinite(reference) && double.IsFinite(found)
            ? Math.Abs(reference - found) <= Absolute + Relative * Math.Abs(reference)
            : reference.Equals(found);

    /// <summary>One op in F32, F16 and BF16, in unit roundoffs of the type; F64 as F32 rounds, because inputs are F32 numbers.</summary>
    private static IEnumerable<Tolerance> Row(string op, double absolute, double relative, string source)
    {
        yield return new Tolerance(op, DType.F64, 0, 1e-13 * Math.Sign(absolute + relative), source);
        yield return new Tolerance(op, DType.F32, absolute * UnitF32, relative * UnitF32, source);
        yield return new Tolerance(op, DType.F16, absolute * UnitF16, relative * UnitF16, source);
        yield return new Tolerance(op, DType.BF16, absolute * UnitBF16, relative * UnitBF16, source);
    }
}
