// A task-vector case: traces, averaged vectors, patched logits by every path, continuations, overriding, read-out.
using Rt.Core;
using Rt.Model;

namespace Rt.Conformance.Cases;

/// <summary>A folder with expected.safetensors of a task-vector run; the weights lie where expected.json says.</summary>
internal sealed class TaskVectorCase : ReferenceCase
{
    public override bool Matches(string folder) =>
        File.Exists(Path.Combine(folder, "expected.safetensors")) && !File.Exists(Path.Combine(folder, "config.json"));

    public override IReadOnlyList<Quantity> Run(string folder, IDevice device)
    {
        var json = CaseJson.Read(folder);
        using var expected = new Expected(Path.Combine(folder, "expected.safetensors"));
        using var model = LanguageModel.Load(WeightsFolder(json, folder), device);
        var comparison = new Comparison(CaseJson.Tolerance(device, json));
        var vectors = Extraction(model, expected, "", comparison);
        if (expected.Has("leftpad.extract.input_ids"))
        {
            Extraction(model, expected, "leftpad.", comparison);
        }

        var zeroShot = Prompts(expected, "zeroshot");
        var layers = Enumerable.Range(0, model.Config.NumHiddenLayers).ToArray();
        Plain(model, zeroShot, expected, "zeroshot.logits", comparison);
        foreach (var layer in layers)
        {
            Patched(model, zeroShot, vectors, layer, expected, comparison);
            Overridden(model, Prompts(expected, "icl"), vectors, layer, expected, comparison);
        }

        var viaCache = layers.ToDictionary(layer => layer, _ => new double[zeroShot.Length][]);
        LayerSweep.Run(model, [.. zeroShot.Select((ids, i) => new PatchedQuery(ids, vectors[i]))], layers, (query, layer, logits) =>
        {
            viaCache[layers[layer]][query] = new double[logits.Columns];
            device.Download(logits, viaCache[layers[layer]][query]);
        });
        foreach (var layer in layers)
        {
            Rows("sweep logits", $"patched.layer{layer}.logits_last_via_cache", viaCache[layer], expected, comparison);
        }

        var mean = TaskVector.Mean([.. vectors.Select(vector => layers.Select(layer => vector[layer]).ToArray())]);
        // The published code leaves GPT-J's final norm out of the read-out; its stored logits are of that form.
        var finalNorm = model.Config.ModelType != "gptj";
        Rows("lens_logits", "lens_logits", [.. layers.Select(layer => model.ReadOut(mean[layer], finalNorm))], expected, comparison);
        return comparison.Quantities;
    }

    private static TaskVector[] Extraction(LanguageModel model, Expected expected, string prefix, Comparison comparison)
    {
        var prompts = Prompts(expected, $"{prefix}extract");
        var states = TaskVector.ExtractEach(model, prompts);
        var embedded = TaskVector.ExtractEach(model, prompts, Point.Pre);
        Rows("traces", $"{prefix}extract.trace_last", [.. states.Select((state, i) => state.Prepend(embedded[i][0]).SelectMany(v => v).ToArray())],
            expected, comparison);
        var vectors = states.Chunk(2).Select(pair => TaskVector.Mean(pair)).ToArray();
        Rows("task vectors", $"{prefix}task_hiddens", [.. vectors.Select(Flat)], expected, comparison);
        var icl = Prompts(expected, $"{prefix}icl");
        var last = icl.Select(ids => Last(model, ids)).ToArray();
        Rows("icl logits", $"{prefix}icl.logits_last", last, expected, comparison);
        if (prefix.Length == 0)
        {
            var each = TaskVector.ExtractEach(model, Prompts(expected, "multi"));
            Rows("multi-context vectors", "multi_context_hiddens",
                [.. Enumerable.Range(0, each.Length).Select(i => Flat(TaskVector.Mean([.. each.Where((_, j) => j != i)])))], expected, comparison);
        }

        return vectors;

        static double[] Flat(TaskVector vector) => [.. vector.Layers.SelectMany(layer => vector[layer])];
    }

    private static void Plain(LanguageModel model, int[][] prompts, Expected expected, string name, Comparison comparison)
    {
        var rows = prompts.SelectMany(ids =>
        {
            using var sequence = new Sequence(model, ids.Length);
            return sequence.Append(ids);
        });
        Rows("zero-shot logits", name, [.. rows], expected, comparison);
    }

    private static void Patched(
        LanguageModel model, int[][] prompts, TaskVector[] vectors, int layer, Expected expected, Comparison comparison)
    {
        var continueIds = expected.IdRows($"patched.layer{layer}.continue_ids");
        var logits = new List<double[]>();
        var continued = new List<double[]>();
        for (var i = 0; i < prompts.Length; i++)
        {
            using var sequence = new Sequence(model, prompts[i].Length + continueIds[i].Length);
            double[][] rows;
            using (model.Patch(new ResidualPoint(layer, Point.Post), vectors[i][layer]))
            {
                rows = sequence.Append(prompts[i]);
            }

            logits.AddRange(rows);
            var row = rows[^1];
            var found = new int[continueIds[i].Length];
            for (var step = 0; step < found.Length; step++)
            {
                continued.Add(row);
                found[step] = Array.IndexOf(row, row.Max());
                row = sequence.Append([continueIds[i][step]], Stage.Generated)[0];
            }

            comparison.Items("continuations", $"patched.layer{layer}.continue_ids.{i}", found, continueIds[i]);
        }

        Rows("patched logits", $"patched.layer{layer}.logits", logits, expected, comparison);
        Rows("continuation logits", $"patched.layer{layer}.continue_logits", continued, expected, comparison);
    }

    /// <summary>Prompts with demonstrations, patched with the vector of the other data set.</summary>
    private static void Overridden(
        LanguageModel model, int[][] prompts, TaskVector[] vectors, int layer, Expected expected, Comparison comparison)
    {
        var patches = prompts.Select((_, i) => new PromptPatch(new ResidualPoint(layer, Point.Post), vectors[(i + 1) % vectors.Length][layer]));
        using var scope = model.Attach(new ResidualPatch(model, [.. patches]));
        Rows("override logits", $"override.layer{layer}.logits_last", [.. prompts.Select(ids => Last(model, ids))], expected, comparison);
    }

    private static double[] Last(LanguageModel model, int[] ids)
    {
        using var sequence = new Sequence(model, ids.Length);
        return sequence.Append(ids)[^1];
    }

    /// <summary>Prompts without their padding.</summary>
    private static int[][] Prompts(Expected expected, string name)
    {
        var ids = expected.IdRows($"{name}.input_ids");
        var masks = expected.IdRows($"{name}.attention_mask");
        return [.. ids.Select((row, i) => row.Where((_, j) => masks[i][j] != 0).ToArray())];
    }

    private static void Rows(string quantity, string name, IReadOnlyList<double[]> rows, Expected expected, Comparison comparison) =>
        comparison.Numbers(quantity, name, rows.SelectMany(row => row).ToArray(), expected.Numbers(name));
}
