// A Deep-Thinking case: kept keys and values, query logits and option scores at every stored step and setting.
using System.Text.Json;
using Rt.Core;
using Rt.Model;

namespace Rt.Conformance.Cases;

/// <summary>A folder with inputs.safetensors and one tensor file per setting; the weights lie where expected.json says.</summary>
internal sealed class DeepThinkingCase : ReferenceCase
{
    public override bool Matches(string folder) => File.Exists(Path.Combine(folder, "inputs.safetensors"));

    public override IReadOnlyList<Quantity> Run(string folder, IDevice device)
    {
        var json = CaseJson.Read(folder);
        using var inputs = new Expected(Path.Combine(folder, "inputs.safetensors"));
        using var model = LanguageModel.Load(WeightsFolder(json, folder), device);
        var comparison = new Comparison(CaseJson.Tolerance(device, json));
        var demonstrations = inputs.Ids("demo_ids");
        var queries = Enumerable.Range(0, 1000).TakeWhile(i => inputs.Has($"q{i}.ids")).Select(i => inputs.Ids($"q{i}.ids")).ToArray();
        for (var i = 0; i < queries.Length; i++)
        {
            Logits(model, null, queries[i], inputs, $"q{i}.zeroshot_logits", "zeroshot_logits", comparison);
            using var sequence = new Sequence(model, demonstrations.Length + queries[i].Length);
            var rows = sequence.Append([.. demonstrations, .. queries[i]])[demonstrations.Length..];
            comparison.Numbers("icl_logits", $"q{i}.icl_logits", rows.SelectMany(row => row).ToArray(), inputs.Numbers($"q{i}.icl_logits"));
        }

        foreach (var setting in json.GetProperty("settings").EnumerateObject())
        {
            RunSetting(model, folder, setting, demonstrations, queries, inputs, comparison);
        }

        return comparison.Quantities;
    }

    private static void RunSetting(
        LanguageModel model,
        string folder,
        JsonProperty setting,
        int[] demonstrations,
        int[][] queries,
        Expected inputs,
        Comparison comparison)
    {
        using var expected = new Expected(Path.Combine(folder, setting.Name + ".safetensors"));
        var options = new ThinkOptions
        {
            StepSize = setting.Value.GetProperty("step_size").GetDouble(),
            Momentum = setting.Value.GetProperty("momentum").GetDouble(),
            Positions = setting.Value.TryGetProperty("positions", out var positions) && positions.GetString() == "aligned"
                ? PositionsMode.Aligned
                : PositionsMode.Paper,
        };
        var steps = expected.Names.Where(name => name.EndsWith(".k.0", StringComparison.Ordinal))
            .Select(name => int.Parse(name[1..name.IndexOf('.')], System.Globalization.CultureInfo.InvariantCulture)).Order().ToArray();
        using var kept = DeepThinking.Begin(model, demonstrations, options);
        foreach (var step in steps)
        {
            while (kept.Origin.Steps < step)
            {
                DeepThinking.Step([kept], options);
            }

            for (var layer = 0; layer < model.Config.NumHiddenLayers; layer++)
            {
                comparison.Numbers("kept k", $"{setting.Name}/s{step}.k.{layer}", kept.Keys(layer), expected.Numbers($"s{step}.k.{layer}"));
                comparison.Numbers("kept v", $"{setting.Name}/s{step}.v.{layer}", kept.Values(layer), expected.Numbers($"s{step}.v.{layer}"));
            }

            for (var i = 0; i < queries.Length; i++)
            {
                Logits(model, kept, queries[i], expected, $"s{step}.q{i}.logits", "query logits", comparison, $"{setting.Name}/");
            }

            Scores(model, kept, inputs, expected, $"s{step}.mc_logp", comparison, $"{setting.Name}/");
        }
    }

    private static void Logits(
        LanguageModel model, KeptKv? kept, int[] query, Expected expected, string name, string quantity, Comparison comparison, string where = "")
    {
        using var sequence = new Sequence(model, query.Length, kept);
        comparison.Numbers(quantity, where + name, sequence.Append(query).SelectMany(row => row).ToArray(), expected.Numbers(name));
    }

    private static void Scores(
        LanguageModel model, KeptKv kept, Expected inputs, Expected expected, string name, Comparison comparison, string where)
    {
        if (!expected.Has(name))
        {
            return;
        }

        var items = new List<OptionQuery>();
        for (var item = 0; inputs.Has($"mc{item}.stem_ids"); item++)
        {
            var options = new List<int[]>();
            for (var choice = 0; inputs.Has($"mc{item}.choice{choice}_ids"); choice++)
            {
                options.Add(inputs.Ids($"mc{item}.choice{choice}_ids"));
            }

            items.Add(new OptionQuery(inputs.Ids($"mc{item}.stem_ids"), [.. options]));
        }

        var scores = OptionScorer.Score(model, items, kept);
        var found = scores.SelectMany(options => options.SelectMany(score => new[] { score.LogProbability, score.PerToken })).ToArray();
        comparison.Numbers("option log-probabilities", where + name, found, expected.Numbers(name));
    }
}
