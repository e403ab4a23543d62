// What the ops of a stretch of work cost: calls, time, arithmetic, bytes; by op and size.
using Rt.Core;

namespace Rt.Cli.Bench;

/// <summary>One kind of call: an op at one size.</summary>
/// <param name="Op">Name in <see cref="IDevice"/>.</param>
/// <param name="Rows">Rows of the call.</param>
/// <param name="Sizes">Further sizes: in and out of a product, keys of attention; 0 for none.</param>
/// <param name="Weights">Dtype of the weights read; null for ops without.</param>
/// <param name="InputMajor">The weights are stored [in, out].</param>
public readonly record struct OpKey(
    string Op, int Rows, (int First, int Second) Sizes = default, DType? Weights = null, bool InputMajor = false)
{
    /// <summary>Rows and sizes in the words of a table.</summary>
    public string Shape => Sizes == default ? $"{Rows}" : $"{Rows} x {SizesText}";

    /// <summary>The sizes without the rows.</summary>
    public string SizesText => Weights is { } type
        ? $"{Sizes.First} -> {Sizes.Second} {type}{(InputMajor ? " [in,out]" : "")}"
        : $"{Sizes.First} x {Sizes.Second}";

    /// <summary>Calls that one line of a table stands for: ops without weights whatever their size, products by their sizes and by
    /// whether they have one row, few or many.</summary>
    internal (string Op, string Sizes, int RowClass) Line =>
        Weights is null ? (Op, "", 0) : (Op, SizesText, Rows switch { 1 => 1, < 32 => 2, _ => 3 });
}

/// <summary>Work of one op call.</summary>
/// <param name="Flops">Multiplications and additions, counted apart.</param>
/// <param name="WeightBytes">Stored weights read.</param>
/// <param name="OtherBytes">Keys, values, activations read and written.</param>
public readonly record struct OpWork(double Flops, double WeightBytes, double OtherBytes)
{
    /// <summary>Sums of both.</summary>
    public static OpWork operator +(OpWork a, OpWork b) =>
        new(a.Flops + b.Flops, a.WeightBytes + b.WeightBytes, a.OtherBytes + b.OtherBytes);
}

/// <summary>Sums over the calls of one kind.</summary>
public sealed class OpTally
{
    /// <summary>Number of calls.</summary>
    public long Calls { get; private set; }

    /// <summary>Wall time inside them, in seconds.</summary>
    public double Seconds { get; private set; }

    /// <summary>What they did.</summary>
    public OpWork Work { get; private set; }

    internal OpTally Copy() => new() { Calls = Calls, Seconds = Seconds, Work = Work };

    internal void Add(double seconds, OpWork work)
    {
        Calls++;
        Seconds += seconds;
        Work += work;
    }
}

/// <summary>Sums per kind of call, while it is recording.</summary>
public sealed class OpLedger
{
    private readonly Dictionary<OpKey, OpTally> _tallies = [];

    /// <summary>Whether calls are written down; off by default, and then they cost nothing.</summary>
    public bool Recording { get; set; }

    /// <summary>Everything recorded.</summary>
    public IReadOnlyDictionary<OpKey, OpTally> Tallies => _tallies;

    /// <summary>The work of all calls.</summary>
    public OpWork Work => _tallies.Values.Aggregate(default(OpWork), (sum, tally) => sum + tally.Work);

    /// <summary>Seconds inside all calls of an op.</summary>
    public double Seconds(string op) => _tallies.Where(pair => pair.Key.Op == op).Sum(pair => pair.Value.Seconds);

    /// <summary>Wall seconds of the stretch recorded, what lies between ops included; set by <see cref="Snapshot"/>.</summary>
    public double WallSeconds { get; private init; }

    /// <summary>A copy that later calls do not change.</summary>
    public OpLedger Snapshot(double wallSeconds)
    {
        var copy = new OpLedger { WallSeconds = wallSeconds };
        foreach (var (key, tally) in _tallies)
        {
            copy._tallies[key] = tally.Copy();
        }

        return copy;
    }

    /// <summary>Forgets everything.</summary>
    public void Clear() => _tallies.Clear();

    internal void Add(OpKey key, double seconds, OpWork work)
    {
        if (!_tallies.TryGetValue(key, out var tally))
        {
            _tallies[key] = tally = new OpTally();
        }

        tally.Add(seconds, work);
    }
}
