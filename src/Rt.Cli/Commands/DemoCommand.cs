// rt demo: the first minute. Makes a small model, thinks, infers, extracts and patches, and shows what to type next.
using System.CommandLine;
using System.Diagnostics;
using System.Text.Json.Nodes;
using Rt.Cli.Demo;
using Rt.Cli.Output;
using Rt.Core;
using Rt.Model;

namespace Rt.Cli.Commands;

/// <summary>The demo.</summary>
internal sealed class DemoCommand : CliCommand
{
    private const string KvFile = "task.kv.safetensors";
    private const string VectorFile = "vector.safetensors";

    private readonly Argument<string> _folder = new("FOLDER") { Description = "Folder to make the model in", DefaultValueFactory = _ => "demo" };
    private readonly Option<int> _steps = OptionKinds.Whole("--steps", "T: forward passes over the demonstrations", 10, min: 1);

    public DemoCommand(SharedOptions shared)
        : base("demo", "The first minute: make a small random model, think, infer, extract and patch, and see what to type next", shared)
    {
        Arguments.Add(_folder);
        Options.Add(_steps);
        Add(shared.ForDevice);
    }

    public override IReadOnlyList<string> Examples => ["rt demo", "rt demo /tmp/demo --device reference --steps 3"];

    protected override Task<int> RunAsync(CommandContext context)
    {
        var clock = Stopwatch.StartNew();
        var folder = context.Get(_folder)!;
        var files = DemoModel.Write(folder, context.Cancellation);
        var device = context.FindDevice().For(LanguageModel.WeightTypeOf(folder));
        using var model = LanguageModel.Load(folder, device);
        var options = new ThinkOptions { Steps = context.Get(_steps) };
        var result = DemoRun.Run(model, folder, options, context.Cancellation);
        using var kept = result.Thought.Kept;
        var kernel = DemoKernel.Run();
        var kvPath = Path.Combine(folder, KvFile);
        var vectorPath = Path.Combine(folder, VectorFile);
        kept.Save(kvPath, cancellation: context.Cancellation);
        result.Vector.Save(vectorPath, model, context.Cancellation);
        var set = new ThoughtSet(DemoModel.Demonstrations, kvPath, result.Thought, result.FirstMs, []);
        string[] written = [.. files.Select(file => Path.Combine(folder, file)), kvPath, vectorPath];
        context.Result(
            () => Json(model, result, kernel, set, written, clock.Elapsed),
            () => WriteText(context, model, result, kernel, set, written, clock.Elapsed));
        if (!result.BitEqualAfterPatch || !result.PatchChangedLogits)
        {
            throw new NumericsException("the patch did not behave as it must: see the lines above");
        }

        return Task.FromResult(kernel.DifferentElements == 0
            ? 0
            : throw new NumericsException("the kernel on the simulator and the cpu device do not agree: see the lines above"));
    }

    private static void WriteText(
        CommandContext context, LanguageModel model, DemoResult result, DemoKernelResult kernel, ThoughtSet set, string[] written, TimeSpan elapsed)
    {
        var output = context.Out;
        var config = model.Config;
        output.WriteLine($"Model: {config.ModelType}, {config.NumHiddenLayers} layers, hidden size {config.HiddenSize}, "
            + $"{config.NumAttentionHeads} heads over {config.NumKeyValueHeads} key-value heads, {model.WeightType}, {Text.Bytes(model.WeightBytes)}, on {model.Device.Description}.");
        output.WriteLine("Its weights are random (fixed seed): the words it makes are noise, and accuracies are chance. The operations are real.");
        output.WriteLine();
        output.WriteLine($"1. Think: {result.Thought.Kept.Length} demonstration tokens, {set.Result.Steps.Count} passes (rt think)");
        ThinkReport.WriteTable(context.Streams, [set]);
        output.WriteLine();
        output.WriteLine("2. Infer behind the kept keys and values, with no demonstrations in the prompt (rt infer --kv)");
        output.WriteLine($"   one pass (T = 1) is plain few-shot prompting: largest difference of a logit {Text.Number(result.FewShotDifference)} "
            + $"(logits up to {Text.Number(result.LargestLogit)}, n = {result.ZeroShot.Count} queries)");
        output.WriteLine($"   accuracy without demonstrations {Text.Accuracy(result.ZeroShot)}, few-shot {Text.Accuracy(result.FewShot)}, "
            + $"after thinking {Text.Accuracy(result.AfterThinking)} (n = {result.ZeroShot.Count}, 2 options: chance is 0.5)");
        output.WriteLine($"   it goes on: {Line(result.Continuation)}");
        output.WriteLine();
        output.WriteLine($"3. Extract a task vector from {result.Prompts} few-shot prompts and write it into zero-shot prompts (rt extract, rt infer --task-vector)");
        output.WriteLine($"   predictions changed by the patch at layer {string.Join(", ", result.ChangedByLayer.Select((count, layer) => $"{layer}: {count}"))} (of {result.SweepQueries})");
        output.WriteLine($"   while patched the logits {(result.PatchChangedLogits ? "differ" : "DO NOT DIFFER")}; when the patch ends they are "
            + $"{(result.BitEqualAfterPatch ? "bit-equal to before" : "NOT AS BEFORE")}");
        output.WriteLine();
        output.WriteLine("4. The same update as a GPU kernel: C# compiled to PTX at build time, run by the simulator that checks every access (rt kernels)");
        output.WriteLine($"   {kernel.Kernel.Name}, {kernel.Kernel.Source}: {kernel.Elements} elements, "
            + (kernel.DifferentElements == 0 ? "bit-equal to the cpu device" : $"{kernel.DifferentElements} NUMBERS DIFFER from the cpu device"));
        output.WriteLine($"   {kernel.Counters.WarpInstructions} warp instructions; read {kernel.Counters.GlobalBytesRead} B (the formula needs {kernel.Cost.BytesRead}), "
            + $"wrote {kernel.Counters.GlobalBytesWritten} B ({kernel.Cost.BytesWritten}), {kernel.Counters.Flops} FLOPs ({kernel.Cost.Flops})");
        output.WriteLine();
        output.WriteLine($"Timing: {Text.Fixed(StepMs(result), 2)} ms per think step (mean of {set.Result.Steps.Count - 1}), "
            + $"{Text.Number(result.TokensPerSecond)} tok/s one token at a time; all of this took {Text.Duration(elapsed.TotalSeconds)}.");
        output.WriteLine("Files:");
        foreach (var file in written)
        {
            output.WriteLine($"  {file}  {Text.Bytes(new FileInfo(file).Length)}");
        }

        output.WriteLine("Next:");
        foreach (var command in NextCommands(model.Folder))
        {
            output.WriteLine($"  {command}");
        }
    }

    private static IEnumerable<string> NextCommands(string folder)
    {
        var name = folder.Contains(' ') ? $"'{folder}'" : folder;
        string File(string file) => folder.Contains(' ') ? $"'{Path.Combine(folder, file)}'" : Path.Combine(folder, file);
        yield return $"rt think {name} --demos {File(DemoModel.Demonstrations)} --steps 15 -o {File(KvFile)}";
        yield return $"rt infer {name} --kv {File(KvFile)} --queries {File(DemoModel.Queries)}";
        yield return $"rt extract {name} --demos {File(DemoModel.Demonstrations)} -o {File(VectorFile)}";
        yield return $"rt infer {name} --task-vector {File(VectorFile)}@2 --prompt 'example:up->' --max-new-tokens 1";
        yield return $"rt inspect {File(KvFile)}";
        yield return "rt kernels AccumulateMetaGradient --size length=64";
        yield return "rt doctor";
    }

    private static JsonObject Json(LanguageModel model, DemoResult result, DemoKernelResult kernel, ThoughtSet set, string[] written, TimeSpan elapsed)
    {
        var json = JsonReport.Header("demo", model);
        json["weights"] = "random, fixed seed";
        json["think"] = ThinkReport.Json(set);
        json["few_shot_max_logit_difference"] = JsonReport.Number(result.FewShotDifference);
        json["few_shot_largest_logit"] = JsonReport.Number(result.LargestLogit);
        json["accuracy"] = new JsonObject
        {
            ["zero_shot"] = JsonReport.Accuracy(result.ZeroShot),
            ["few_shot"] = JsonReport.Accuracy(result.FewShot),
            ["after_thinking"] = JsonReport.Accuracy(result.AfterThinking),
        };
        json["continuation"] = result.Continuation;
        json["task_vector_prompts"] = result.Prompts;
        json["sweep_n"] = result.SweepQueries;
        json["sweep_changed_by_layer"] = JsonReport.Ids(result.ChangedByLayer);
        json["patch_changed_logits"] = result.PatchChangedLogits;
        json["bit_equal_after_patch"] = result.BitEqualAfterPatch;
        json["kernel"] = new JsonObject
        {
            ["name"] = kernel.Kernel.Name,
            ["device"] = "simulator",
            ["elements"] = kernel.Elements,
            ["different_from_cpu"] = kernel.DifferentElements,
            ["warp_instructions"] = kernel.Counters.WarpInstructions,
            ["bytes_read"] = kernel.Counters.GlobalBytesRead,
            ["bytes_read_by_formula"] = kernel.Cost.BytesRead,
            ["bytes_written"] = kernel.Counters.GlobalBytesWritten,
            ["bytes_written_by_formula"] = kernel.Cost.BytesWritten,
        };
        json["think_step_ms"] = JsonReport.Number(StepMs(result));
        json["tokens_per_second"] = JsonReport.Number(result.TokensPerSecond);
        json["elapsed_ms"] = JsonReport.Number(elapsed.TotalMilliseconds);
        json["files"] = JsonReport.List(written.Select(file => (JsonNode)JsonValue.Create(file)));
        json["next"] = JsonReport.List(NextCommands(model.Folder).Select(command => (JsonNode)JsonValue.Create(command)));
        return json;
    }

    private static double StepMs(DemoResult result) => result.Thought.Steps.Skip(1).Select(step => step.ElapsedMs).DefaultIfEmpty(double.NaN).Average();

    private static string Line(string text) => string.Concat(text.Select(c => char.IsControl(c) ? ' ' : c));
}
