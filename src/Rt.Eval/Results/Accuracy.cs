// Accuracy with its standard error.
namespace Rt.Eval;

/// <summary>How many of how many are right.</summary>
/// <param name="Correct">Right ones.</param>
/// <param name="Count">All.</param>
public readonly record struct Accuracy(int Correct, int Count)
{
    /// <summary>The fraction that is right; NaN of none.</summary>
    public double Value => (double)Correct / Count;

    /// <summary>Standard error of the mean: the sample standard deviation divided by sqrt(n); NaN below two.</summary>
    public double StandardError => Math.Sqrt(Value * (1 - Value) / (Count - 1));

    /// <summary>Counts.</summary>
    public static Accuracy Of(IEnumerable<bool> correct)
    {
        var (right, all) = (0, 0);
        foreach (var one in correct)
        {
            right += one ? 1 : 0;
            all++;
        }

        return new Accuracy(right, all);
    }
}
