// One check of a device against the reference: the same body runs on both with the same numbers, and the results are compared.
using System.Globalization;
using Rt.Core;

namespace Rt.Conformance.Ops;

/// <summary>The outcome of one case.</summary>
/// <param name="WorstDifference">Largest absolute difference from the reference; NaN where only one of them is finite.</param>
/// <param name="Where">The element furthest beyond (or nearest to) its allowance: quantity, index, reference and found.</param>
/// <param name="Tolerance">The allowance of that quantity.</param>
/// <param name="Passed">Whether every element is within its allowance.</param>
public sealed record ConformanceResult(double WorstDifference, string Where, Tolerance Tolerance, bool Passed);

/// <summary>A quantity that a case produces: its values in row-major order and the row of the tolerance table it is judged by.</summary>
/// <param name="Name">For messages.</param>
/// <param name="Op">Row of <see cref="Tolerance.Table"/>.</param>
/// <param name="Width">Size of the last axis.</param>
/// <param name="Values">All elements.</param>
public sealed record Quantity(string Name, string Op, int Width, double[] Values);

/// <summary>A named check of one op over some shapes.</summary>
/// <param name="Name">Op and shapes, separated by slashes; unique.</param>
/// <param name="Body">Runs the op in a bench and reports quantities to it.</param>
public sealed record ConformanceCase(string Name, Action<ConformanceBench> Body)
{
    /// <summary>The op: the name up to its first slash.</summary>
    public string Op => Name[..Name.IndexOf('/')];

    /// <summary>Runs the case on both devices and compares.</summary>
    public ConformanceResult Run(IDevice device, IDevice reference) => Run(device, Expect(reference, device.ActivationType));

    /// <summary>What the reference computes from numbers rounded to <paramref name="activations"/>: for several devices of that dtype.</summary>
    public IReadOnlyList<Quantity> Expect(IDevice reference, DType activations) => Collect(reference, activations);

    /// <summary>Runs the case on a device and compares with <see cref="Expect"/>.</summary>
    public ConformanceResult Run(IDevice device, IReadOnlyList<Quantity> expected)
    {
        var found = Collect(device, device.ActivationType);
        ConformanceResult? worst = null;
        var worstDifference = 0.0;
        var worstExcess = double.NegativeInfinity;
        var passed = true;
        for (var q = 0; q < expected.Count; q++)
        {
            var quantity = expected[q];
            var tolerance = Tolerance.For(quantity.Op, device.ActivationType);
            for (var i = 0; i < quantity.Values.Length; i++)
            {
                var (a, b) = (quantity.Values[i], found[q].Values[i]);
                var allowed = tolerance.Allows(a, b);
                var difference = a.Equals(b) ? 0 : Math.Abs(a - b);
                worstDifference = double.IsNaN(difference) ? double.NaN : Math.Max(worstDifference, difference);
                var excess = double.IsFinite(difference)
                    ? difference - tolerance.Absolute - tolerance.Relative * Math.Abs(a)
                    : double.PositiveInfinity;
                passed &= allowed;
                if (excess > worstExcess || worst is null)
                {
                    worstExcess = excess;
                    worst = new ConformanceResult(0, Describe(quantity, i, a, b), tolerance, false);
                }
            }
        }

        return worst is null
            ? throw new InvalidOperationException($"{Name} compared nothing")
            : worst with { WorstDifference = worstDifference, Passed = passed };
    }

    /// <inheritdoc/>
    public override string ToString() => Name;

    private List<Quantity> Collect(IDevice device, DType activations)
    {
        using var bench = new ConformanceBench(device, activations, Name);
        Body(bench);
        return bench.Quantities;
    }

    private static string Describe(Quantity quantity, int index, double expected, double found) => string.Create(
        CultureInfo.InvariantCulture,
        $"{quantity.Name}[{index / quantity.Width}, {index % quantity.Width}]: reference {expected:G9}, found {found:G9}");
}
