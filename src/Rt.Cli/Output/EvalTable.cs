// The table of rt eval.
using Rt.Core;
using Rt.Eval;

namespace Rt.Cli.Output;

/// <summary>Writes result rows.</summary>
internal static class EvalTable
{
    /// <summary>Writes the table and what its numbers are of.</summary>
    public static void Write(Streams streams, RunManifest manifest, IReadOnlyList<ResultRow> rows)
    {
        var compared = rows.Any(row => row.Difference is not null);
        var timed = rows.Any(row => double.IsFinite(row.MillisecondsPerQuery));
        var table = new TextTable(
        [
            "task", "method", ">n", ">shots", ">accuracy", ">stderr", .. compared ? [">- icl", "95 % interval"] : Array.Empty<string>(),
            ">tokens", .. timed ? [">ms"] : Array.Empty<string>(),
        ]);
        string? last = null;
        foreach (var row in rows)
        {
            var difference = row.Difference is { } found
                ? new[] { Signed(found.Value), double.IsNaN(found.Low) ? "" : $"[{Signed(found.Low)}, {Signed(found.High)}]" }
                : ["", ""];
            table.Add(
            [
                row.Task == last ? "" : row.Task, Method(row), $"{row.Accuracy.Count}", $"{row.Shots}", Text.Fixed(row.Value, 4),
                double.IsNaN(row.StandardError) ? "" : Text.Fixed(row.StandardError, 4), .. compared ? difference : [],
                Text.Fixed(row.TokensPerQuery, 1), .. timed ? [double.IsFinite(row.MillisecondsPerQuery) ? Text.Fixed(row.MillisecondsPerQuery, 2) : ""] : Array.Empty<string>(),
            ]);
            last = row.Task;
        }

        table.Write(streams);
        foreach (var line in Legend(manifest, rows))
        {
            streams.Out.WriteLine(line);
        }
    }

    /// <summary>What the numbers are of.</summary>
    private static IEnumerable<string> Legend(RunManifest manifest, IReadOnlyList<ResultRow> rows)
    {
        var model = manifest.Model;
        var draw = manifest.Settings.Draw;
        yield return $"{model.Name} ({model.ModelType}, {model.Layers} layers, hidden size {model.HiddenSize}, {model.Dtype}) on {model.Device}; "
            + $"seeds {string.Join(", ", manifest.Settings.Seeds)}; up to {draw.Sets} demonstration sets per task and seed";
        yield return "n: test queries of all seeds; stderr: sample sd / sqrt(n); tokens: prompt tokens run per query, demonstrations and think passes included";
        if (rows.Select(row => row.Difference).OfType<DifferenceInterval>().Select(difference => difference.Unit).Distinct().ToArray() is { Length: > 0 } units)
        {
            yield return $"- icl: paired difference from plain in-context learning; interval: bootstrap over {string.Join(" or ", units)} ({manifest.Reading.Resamples} resamples)";
        }

        if (rows.Any(row => row.Choice == Model.StepChoice.Dev))
        {
            yield return "by dev: chosen per task and seed on development queries, which are no test queries";
        }

        if (rows.Any(row => row.Choice == Model.StepChoice.Oracle))
        {
            yield return "(oracle): chosen on the very test queries reported: an upper bound, not a result";
        }
    }

    private static string Method(ResultRow row) => row.At.Count > 0 && row.Choice != Model.StepChoice.Fixed
        ? $"{row.Method} ({string.Join(", ", row.At)})"
        : row.Method;

    private static string Signed(double value) => $"{(value >= 0 ? "+" : "")}{Text.Fixed(value, 3)}";
}
