// What the plots show: accuracy by step and by layer, norms of G, similarity of task vectors, their top tokens.
using Rt.Model;

namespace Rt.Eval;

/// <summary>Accuracy along an axis.</summary>
/// <param name="Task">The task.</param>
/// <param name="Method">The method.</param>
/// <param name="Control">The control; null for none.</param>
/// <param name="Axis">step, layer, order or repeats.</param>
/// <param name="At">Points.</param>
/// <param name="Accuracies">Of the test queries, all seeds, at each point.</param>
/// <param name="Dev">Of the development queries; empty without.</param>
public sealed record Curve(
    string Task, string Method, string? Control, string Axis, IReadOnlyList<int> At, IReadOnlyList<Accuracy> Accuracies, IReadOnlyList<Accuracy> Dev);

/// <summary>Norms of G of a task, mean over sets and seeds.</summary>
/// <param name="Task">The task.</param>
/// <param name="Key">[steps][layers] for keys.</param>
/// <param name="Value">[steps][layers] for values.</param>
public sealed record GradientNorms(string Task, IReadOnlyList<double[]> Key, IReadOnlyList<double[]> Value);

/// <summary>Cosines between the task vectors of different sets.</summary>
/// <param name="Tasks">Names.</param>
/// <param name="Layer">The layer of <paramref name="Matrix"/>: best mean development accuracy over tasks (test accuracy without).</param>
/// <param name="Matrix">[tasks][tasks] mean cosine; on the diagonal, of different sets of one task.</param>
/// <param name="Within">[layers] mean cosine of different sets of one task.</param>
/// <param name="Between">[layers] mean cosine of sets of different tasks.</param>
/// <param name="Lowest">Lowest cosine at <paramref name="Layer"/>: where the histograms begin; they end at 1.</param>
/// <param name="WithinCosines">Histogram counts at <paramref name="Layer"/>, bins of equal width.</param>
/// <param name="BetweenCosines">As before, of different tasks.</param>
public sealed record VectorSimilarity(
    IReadOnlyList<string> Tasks, int Layer, double[][] Matrix, double[] Within, double[] Between, double Lowest, int[] WithinCosines, int[] BetweenCosines);

/// <summary>What a task's vectors read out to, layer by layer (first unit of the task).</summary>
/// <param name="Task">The task.</param>
/// <param name="Layer">Its best layer by development accuracy.</param>
/// <param name="ByLayer">[layers] top tokens.</param>
public sealed record VectorTokens(string Task, int Layer, IReadOnlyList<TopToken[]> ByLayer);

/// <summary>Computes what the plots show.</summary>
public static class Curves
{
    /// <summary>Bins of the histograms of cosines.</summary>
    public const int Bins = 40;

    /// <summary>Accuracy along every axis.</summary>
    public static IReadOnlyList<Curve> Accuracies(IReadOnlyList<UnitRecord> records)
    {
        var curves = new List<Curve>();
        foreach (var task in records.GroupBy(record => record.Written is null ? record.Task : $"{record.Task} ← {record.Written}"))
        {
            foreach (var measurement in task.First().Measurements.Where(measurement => measurement.Axis.Length > 0))
            {
                var units = task.Select(unit => (Unit: unit, unit.Find(measurement.Method, measurement.Control)!.Correct)).ToArray();
                var points = Enumerable.Range(0, measurement.At.Count).ToArray();
                var dev = units.All(one => one.Correct[0].Length > one.Unit.TestCount);
                curves.Add(new Curve(
                    task.Key, measurement.Method, measurement.Control, measurement.Axis, measurement.At,
                    [.. points.Select(point => Accuracy.Of(units.SelectMany(one => one.Correct[point][..one.Unit.TestCount].Select(bit => bit == '1'))))],
                    dev ? [.. points.Select(point => Accuracy.Of(units.SelectMany(one => one.Correct[point][one.Unit.TestCount..].Select(bit => bit == '1'))))] : []));
            }
        }

        return curves;
    }

    /// <summary>Norms of G of every task that thought.</summary>
    public static IReadOnlyList<GradientNorms> Norms(IReadOnlyList<UnitRecord> records) =>
    [
        .. records.Where(record => record.KeyGradientNorms.Count > 0).GroupBy(record => record.Task).Select(task => new GradientNorms(
            task.Key, Mean([.. task.Select(unit => unit.KeyGradientNorms)]), Mean([.. task.Select(unit => unit.ValueGradientNorms)]))),
    ];

    /// <summary>The first layer of best mean accuracy of task vectors over tasks, on development queries where all tasks have them (else on the
    /// test queries); 0 without task vectors.</summary>
    public static int BestVectorLayer(IReadOnlyList<UnitRecord> records) =>
        BestLayer([.. Accuracies(records).Where(curve => curve is { Method: Methods.TaskVector, Control: null })]);

    /// <summary>Similarity of the task vectors; null where there are fewer than two.</summary>
    public static VectorSimilarity? Similarity(IReadOnlyList<UnitRecord> records)
    {
        var tasks = records.Where(record => record.Vectors.Length > 0).GroupBy(record => record.Task)
            .Select(task => (Name: task.Key, Sets: task.SelectMany(unit => unit.Vectors).ToArray())).ToArray();
        if (tasks.Sum(task => task.Sets.Length) < 2)
        {
            return null;
        }

        var layers = tasks[0].Sets[0].Length;
        var best = BestVectorLayer(records);
        var (within, between) = (new double[layers], new double[layers]);
        var (atBestWithin, atBestBetween) = (new List<double>(), new List<double>());
        var matrix = tasks.Select(_ => new double[tasks.Length]).ToArray();
        for (var layer = 0; layer < layers; layer++)
        {
            var unit = tasks.Select(task => task.Sets.Select(set => Normalized(set[layer])).ToArray()).ToArray();
            var (sameSum, sameCount, otherSum, otherCount) = (0.0, 0, 0.0, 0);
            for (var a = 0; a < unit.Length; a++)
            {
                for (var b = 0; b <= a; b++)
                {
                    var cosines = Cosines(unit[a], unit[b], a == b);
                    if (a == b)
                    {
                        (sameSum, sameCount) = (sameSum + cosines.Sum(), sameCount + cosines.Count);
                    }
                    else
                    {
                        (otherSum, otherCount) = (otherSum + cosines.Sum(), otherCount + cosines.Count);
                    }

                    if (layer == best)
                    {
                        matrix[a][b] = matrix[b][a] = cosines.Count > 0 ? cosines.Average() : double.NaN;
                        (a == b ? atBestWithin : atBestBetween).AddRange(cosines);
                    }
                }
            }

            within[layer] = sameCount > 0 ? sameSum / sameCount : double.NaN;
            between[layer] = otherCount > 0 ? otherSum / otherCount : double.NaN;
        }

        var lowest = atBestWithin.Concat(atBestBetween).Min();
        return new VectorSimilarity(
            [.. tasks.Select(task => task.Name)], best, matrix, within, between, lowest, Histogram(atBestWithin, lowest), Histogram(atBestBetween, lowest));
    }

    /// <summary>Top tokens of every task.</summary>
    public static IReadOnlyList<VectorTokens> TopTokens(IReadOnlyList<UnitRecord> records)
    {
        var curves = Accuracies(records);
        return
        [
            .. records.Where(record => record.TopTokens.Count > 0).GroupBy(record => record.Task).Select(task => new VectorTokens(
                task.Key,
                BestLayer([.. curves.Where(curve => curve.Task == task.Key && curve is { Method: Methods.TaskVector, Control: null })]),
                task.First().TopTokens)),
        ];
    }

    /// <summary>The first layer of best mean accuracy, on development queries where all curves have them.</summary>
    private static int BestLayer(IReadOnlyList<Curve> curves)
    {
        if (curves.Count == 0)
        {
            return 0;
        }

        var dev = curves.All(curve => curve.Dev.Count > 0);
        var means = curves[0].At.Select((_, i) => curves.Average(curve => (dev ? curve.Dev : curve.Accuracies)[i].Value)).ToArray();
        return curves[0].At[Array.IndexOf(means, means.Max())];
    }

    private static int[] Histogram(List<double> cosines, double lowest)
    {
        var counts = new int[Bins];
        foreach (var cosine in cosines)
        {
            counts[Math.Clamp((int)((cosine - lowest) / Math.Max(1 - lowest, double.Epsilon) * Bins), 0, Bins - 1)]++;
        }

        return counts;
    }

    private static List<double> Cosines(double[][] a, double[][] b, bool same)
    {
        var cosines = new List<double>(a.Length * b.Length);
        for (var i = 0; i < a.Length; i++)
        {
            for (var j = same ? i + 1 : 0; j < b.Length; j++)
            {
                var sum = 0.0;
                for (var k = 0; k < a[i].Length; k++)
                {
                    sum += a[i][k] * b[j][k];
                }

                cosines.Add(sum);
            }
        }

        return cosines;
    }

    private static double[] Normalized(float[] vector)
    {
        var norm = Math.Sqrt(vector.Sum(value => (double)value * value));
        return [.. vector.Select(value => norm == 0 ? 0 : value / norm)];
    }

    private static IReadOnlyList<double[]> Mean(IReadOnlyList<IReadOnlyList<double[]>> units) =>
        [.. units[0].Select((row, step) => row.Select((_, layer) => units.Average(unit => unit[step][layer])).ToArray())];
}
