// What a reference case found: per quantity, the worst difference and where it is.
using Rt.Core;

namespace Rt.Conformance.Cases;

/// <summary>One compared quantity.</summary>
/// <param name="Name">The quantity, for instance <c>logits</c> or <c>s5.k</c>.</param>
/// <param name="Worst">Largest absolute difference; for tokens and texts, the number that differ.</param>
/// <param name="At">Where the worst is.</param>
/// <param name="Tolerance">Largest difference allowed.</param>
/// <param name="Count">Numbers compared.</param>
public sealed record Quantity(string Name, double Worst, string At, double Tolerance, long Count)
{
    /// <summary>Whether the worst difference is within the tolerance; NaN never is.</summary>
    public bool Passed => Worst <= Tolerance;
}

/// <summary>The result of one reference case on one device.</summary>
/// <param name="Name">The case's folder, relative to the folder asked for.</param>
/// <param name="Device">The device's name.</param>
/// <param name="Quantities">What was compared, in order.</param>
public sealed record CaseReport(string Name, string Device, IReadOnlyList<Quantity> Quantities)
{
    /// <summary>Whether every quantity passed.</summary>
    public bool Passed => Quantities.All(quantity => quantity.Passed);
}

/// <summary>Gathers differences per quantity.</summary>
internal sealed class Comparison(double tolerance)
{
    private readonly Dictionary<string, Quantity> _quantities = [];
    private readonly List<string> _order = [];

    public IReadOnlyList<Quantity> Quantities => [.. _order.Select(name => _quantities[name])];

    /// <summary>Compares numbers within the case's tolerance.</summary>
    public void Numbers(string quantity, string where, ReadOnlySpan<double> found, ReadOnlySpan<double> expected)
    {
        if (found.Length != expected.Length)
        {
            throw new ShapeException($"{quantity} {where}: {found.Length} values compared with {expected.Length}");
        }

        var worst = 0.0;
        var at = 0;
        for (var i = 0; i < found.Length; i++)
        {
            var difference = Math.Abs(found[i] - expected[i]);
            if (difference > worst || double.IsNaN(difference))
            {
                (worst, at) = (difference, i);
                if (double.IsNaN(difference))
                {
                    break;
                }
            }
        }

        Note(quantity, worst, $"{where}[{at}]", tolerance, found.Length, add: false);
    }

    /// <summary>Counts differing items, of which none is allowed.</summary>
    public void Items<T>(string quantity, string where, IReadOnlyList<T> found, IReadOnlyList<T> expected)
    {
        var different = Math.Abs(found.Count - expected.Count);
        var at = Math.Min(found.Count, expected.Count);
        for (var i = Math.Min(found.Count, expected.Count) - 1; i >= 0; i--)
        {
            if (!EqualityComparer<T>.Default.Equals(found[i], expected[i]))
            {
                different++;
                at = i;
            }
        }

        Note(quantity, different, $"{where}[{at}]", 0, expected.Count, add: true);
    }

    private void Note(string name, double worst, string at, double allowed, long count, bool add)
    {
        if (!_quantities.TryGetValue(name, out var known))
        {
            _order.Add(name);
            _quantities[name] = new Quantity(name, worst, worst == 0 ? "" : at, allowed, count);
            return;
        }

        var more = worst > known.Worst || double.IsNaN(worst);
        _quantities[name] = known with
        {
            Worst = add ? known.Worst + worst : more ? worst : known.Worst,
            At = (add ? known.Worst == 0 && worst > 0 : more) ? at : known.At,
            Count = known.Count + count,
        };
    }
}
