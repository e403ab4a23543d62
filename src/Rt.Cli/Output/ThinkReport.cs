// The report of a think stage: a table row per step, or JSON with every layer.
using System.Text.Json.Nodes;
using Rt.Eval;
using Rt.Model;

namespace Rt.Cli.Output;

/// <summary>One demonstration set of a think stage.</summary>
/// <param name="Name">Where the demonstrations come from.</param>
/// <param name="Output">The file written.</param>
/// <param name="Result">Steps and the chosen one.</param>
/// <param name="FirstMs">Wall time of step 1, all sets together; 0 where it was read from a file.</param>
/// <param name="Accuracies">Development accuracy per step; empty without a development set.</param>
internal sealed record ThoughtSet(
    string Name, string Output, ThinkResult Result, double FirstMs, IReadOnlyList<Accuracy> Accuracies);

/// <summary>Writes think reports.</summary>
internal static class ThinkReport
{
    /// <summary>Writes the table.</summary>
    public static void WriteTable(Streams streams, IReadOnlyList<ThoughtSet> sets)
    {
        var several = sets.Count > 1;
        var scored = sets[0].Accuracies.Count > 0;
        string[] headers = [">step", ">||G_K||", ">||G_V||", ">moved K", ">moved V", ">ms"];
        var table = new TextTable([.. several ? ["set"] : Array.Empty<string>(), .. headers, .. scored ? [">dev accuracy"] : Array.Empty<string>()]);
        foreach (var set in sets)
        {
            foreach (var (i, step) in set.Result.Steps.Index())
            {
                var total = Total(step);
                var chosen = step.Step == set.Result.Kept.Origin.Steps ? "" : " ";
                string[] cells =
                [
                    $"{(chosen.Length == 0 ? "*" : "")}{step.Step}", Text.Number(total.KeyGradient), Text.Number(total.ValueGradient),
                    Text.Number(total.KeyDisplacement), Text.Number(total.ValueDisplacement), Text.Fixed(ElapsedMs(set, i), 1),
                ];
                table.Add([.. several ? [set.Name] : Array.Empty<string>(), .. cells, .. scored ? [Text.Accuracy(set.Accuracies[i])] : Array.Empty<string>()]);
            }
        }

        table.Write(streams);
        streams.Out.WriteLine($"* kept; norms over all layers; n of G = {sets[0].Result.Steps.Count - 1} updates of {sets[0].Result.Kept.Length} tokens"
            + (scored ? $"; dev accuracy of n = {sets[0].Accuracies[0].Count} queries, step chosen by {Name(sets[0].Result.Choice)}" : ""));
    }

    /// <summary>The JSON form.</summary>
    public static JsonObject Json(ThoughtSet set) => new()
    {
        ["demonstrations"] = set.Name,
        ["output"] = set.Output,
        ["tokens"] = set.Result.Kept.Length,
        ["choice"] = Name(set.Result.Choice),
        ["chosen_step"] = set.Result.Kept.Origin.Steps,
        ["steps"] = JsonReport.List(set.Result.Steps.Select((step, i) => (JsonNode)Json(set, step, i))),
    };

    /// <summary>Norms over all layers.</summary>
    public static LayerChange Total(ThinkStep step) => new(
        Norm(step, layer => layer.KeyGradient), Norm(step, layer => layer.ValueGradient),
        Norm(step, layer => layer.KeyDisplacement), Norm(step, layer => layer.ValueDisplacement));

    /// <summary>How a choice is called on the command line.</summary>
    public static string Name(StepChoice choice) => choice.ToString().ToLowerInvariant();

    private static JsonObject Json(ThoughtSet set, ThinkStep step, int index)
    {
        var json = Json(Total(step));
        json.Insert(0, "step", step.Step);
        json["elapsed_ms"] = JsonReport.Number(ElapsedMs(set, index));
        json["dev_accuracy"] = index < set.Accuracies.Count ? JsonReport.Accuracy(set.Accuracies[index]) : null;
        json["layers"] = JsonReport.List(step.Layers.Select(layer => (JsonNode)Json(layer)));
        return json;
    }

    private static JsonObject Json(LayerChange change) => new()
    {
        ["key_gradient_norm"] = JsonReport.Number(change.KeyGradient),
        ["value_gradient_norm"] = JsonReport.Number(change.ValueGradient),
        ["key_displacement"] = JsonReport.Number(change.KeyDisplacement),
        ["value_displacement"] = JsonReport.Number(change.ValueDisplacement),
    };

    private static double ElapsedMs(ThoughtSet set, int index) => index == 0 ? set.FirstMs : set.Result.Steps[index].ElapsedMs;

    private static double Norm(ThinkStep step, Func<LayerChange, double> part) =>
        Math.Sqrt(step.Layers.Sum(layer => part(layer) * part(layer)));
}
