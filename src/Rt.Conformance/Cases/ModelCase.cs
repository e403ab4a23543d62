// A family case: logits, every residual point, keys and values, and greedy continuation of a few prompts.
using Rt.Core;
using Rt.Model;

namespace Rt.Conformance.Cases;

/// <summary>A model folder with expected.json and expected.safetensors.</summary>
internal sealed class ModelCase : ReferenceCase
{
    public override bool Matches(string folder) =>
        File.Exists(Path.Combine(folder, "expected.safetensors")) && File.Exists(Path.Combine(folder, "config.json"));

    public override IReadOnlyList<Quantity> Run(string folder, IDevice device)
    {
        var json = CaseJson.Read(folder);
        using var expected = new Expected(Path.Combine(folder, "expected.safetensors"));
        using var model = LanguageModel.Load(folder, device);
        var comparison = new Comparison(CaseJson.Tolerance(device, json));
        for (var prompt = 0; expected.Has($"p{prompt}.input_ids"); prompt++)
        {
            Compare(model, expected, $"p{prompt}", comparison);
        }

        return comparison.Quantities;
    }

    private static void Compare(LanguageModel model, Expected expected, string prompt, Comparison comparison)
    {
        var ids = expected.Ids($"{prompt}.input_ids");
        var layers = model.Config.NumHiddenLayers;
        var greedy = expected.Ids($"{prompt}.greedy");
        using var sequence = new Sequence(model, ids.Length + greedy.Length);
        var points = Enumerable.Range(0, layers + 1).Select(layer => new ResidualPoint(layer, Point.Pre)).ToArray();
        var tap = new ResidualTap(points);
        double[][] logits;
        using (model.Attach(tap))
        {
            logits = sequence.Append(ids);
        }

        Rows("logits", $"{prompt}.logits", logits);
        for (var layer = 0; layer < layers; layer++)
        {
            Rows("hidden", $"{prompt}.hidden.{layer}", tap[points[layer]].Rows);
        }

        Rows("hidden", $"{prompt}.hidden.{layers}", model.FinalStates(tap[points[layers]].Rows));
        Rows("last_block_out", $"{prompt}.last_block_out", tap[points[layers]].Rows);
        for (var layer = 0; layer < layers; layer++)
        {
            comparison.Numbers("k", $"{prompt}.k.{layer}", sequence.Keys(layer), expected.Numbers($"{prompt}.k.{layer}"));
            comparison.Numbers("v", $"{prompt}.v.{layer}", sequence.Values(layer), expected.Numbers($"{prompt}.v.{layer}"));
        }

        var found = new int[greedy.Length];
        var rows = new double[greedy.Length][];
        rows[0] = logits[^1];
        for (var step = 0; step < greedy.Length; step++)
        {
            found[step] = Array.IndexOf(rows[step], rows[step].Max());
            if (step + 1 < greedy.Length)
            {
                rows[step + 1] = sequence.Append([greedy[step]], Stage.Generated)[0];
            }
        }

        comparison.Items("greedy", $"{prompt}.greedy", found, greedy);
        Rows("greedy_logits", $"{prompt}.greedy_logits", rows);

        void Rows(string quantity, string name, IReadOnlyList<double[]> rows) =>
            comparison.Numbers(quantity, name, rows.SelectMany(row => row).ToArray(), expected.Numbers(name));
    }
}
