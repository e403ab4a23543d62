// The demo's checks: one pass is few-shot prompting, a patch acts and leaves no trace, a GPU kernel computes what the cpu device does.
using Rt.Core;
using Rt.Eval;
using Rt.Model;

namespace Rt.Cli.Demo;

/// <summary>What the checks found.</summary>
/// <param name="FewShotDifference">Largest difference between logits behind kept KV of one step and logits of the few-shot prompt, over all queries.</param>
/// <param name="LargestLogit">Largest logit of the few-shot prompts, to compare the difference with.</param>
/// <param name="Queries">Compared queries.</param>
/// <param name="IsFewShot">Whether the difference is one of rounding.</param>
/// <param name="PatchChangedLogits">Whether the patch changed the logits while in scope.</param>
/// <param name="BitEqualAfterPatch">Whether logits after the scope are those before it, bit for bit.</param>
/// <param name="Kernel">The update on the simulator.</param>
internal sealed record DemoChecks(
    double FewShotDifference, double LargestLogit, int Queries, bool IsFewShot, bool PatchChangedLogits, bool BitEqualAfterPatch, DemoKernelResult Kernel)
{
    /// <summary>Fails where a check did.</summary>
    /// <exception cref="NumericsException">As said.</exception>
    public void Require()
    {
        var failed = new List<string>();
        Note(IsFewShot, "one pass is not few-shot prompting");
        Note(PatchChangedLogits, "the patch did not change the logits");
        Note(BitEqualAfterPatch, "the patch left a trace");
        Note(Kernel.DifferentElements == 0, "the kernel on the simulator and the cpu device do not agree");
        if (failed.Count > 0)
        {
            throw new NumericsException($"{string.Join("; ", failed)}: see the lines above");
        }

        void Note(bool holds, string otherwise)
        {
            if (!holds)
            {
                failed.Add(otherwise);
            }
        }
    }

    /// <summary>Runs them.</summary>
    /// <param name="model">The model.</param>
    /// <param name="folder">The demo's folder.</param>
    /// <param name="vector">Patched in.</param>
    /// <param name="layer">Where.</param>
    /// <param name="cancellation">Noticed between passes.</param>
    public static DemoChecks Run(LanguageModel model, string folder, TaskVector vector, int layer, CancellationToken cancellation)
    {
        var template = PromptTemplate.TaskVector;
        var demonstrations = model.Encode(template.Demonstrations(DemonstrationFile.Read(Path.Combine(folder, DemoFolder.Capitals)).Pairs));
        var stems = QueryFile.Read(Path.Combine(folder, DemoFolder.Queries))
            .Select(query => model.Encode(template.Query(query.Input!), addSpecialTokens: false)).ToArray();
        using var kept = DeepThinking.Begin(model, demonstrations, new ThinkOptions { Steps = 1 }, cancellation);
        var (difference, largest) = CompareWithFewShot(model, kept, demonstrations, stems);
        var (changed, bitEqual) = PatchOnce(model, model.Encode(DemoPrompt.Text), vector, layer);
        var rounding = model.Device.ActivationType switch { DType.F64 => 1e-9, DType.F32 => 1e-4, _ => 0.05 };
        return new DemoChecks(difference, largest, stems.Length, difference <= rounding * largest, changed, bitEqual, DemoKernel.Run());
    }

    private static (double Difference, double Largest) CompareWithFewShot(LanguageModel model, KeptKv kept, int[] demonstrations, int[][] stems)
    {
        var (difference, largest) = (0.0, 0.0);
        foreach (var stem in stems)
        {
            using var prompted = new Sequence(model, demonstrations.Length + stem.Length);
            using var behind = new Sequence(model, stem.Length, kept);
            var expected = prompted.Append([.. demonstrations, .. stem])[demonstrations.Length..];
            foreach (var (a, b) in expected.Zip(behind.Append(stem)))
            {
                for (var i = 0; i < a.Length; i++)
                {
                    difference = Math.Max(difference, Math.Abs(a[i] - b[i]));
                    largest = Math.Max(largest, Math.Abs(a[i]));
                }
            }
        }

        return (difference, largest);
    }

    private static (bool Changed, bool BitEqualAfter) PatchOnce(LanguageModel model, int[] prompt, TaskVector vector, int layer)
    {
        var before = Logits();
        double[] patched;
        using (model.Patch(new ResidualPoint(layer, Point.Post), vector[layer]))
        {
            patched = Logits();
        }

        return (!before.AsSpan().SequenceEqual(patched), before.AsSpan().SequenceEqual(Logits()));

        double[] Logits()
        {
            using var sequence = new Sequence(model, prompt.Length);
            return sequence.Append(prompt)[^1];
        }
    }
}
