// What the demo says: lines and tables for people, or one JSON document.
using System.Text.Json.Nodes;
using Rt.Cli.Output;
using Rt.Eval;
using Rt.Model;

namespace Rt.Cli.Demo;

/// <summary>Everything the demo found.</summary>
/// <param name="Model">The model.</param>
/// <param name="Table">Accuracies and times.</param>
/// <param name="Prompt">One prompt, answered.</param>
/// <param name="Checks">Exactness.</param>
/// <param name="Files">Paths written.</param>
/// <param name="Elapsed">All of it.</param>
internal sealed record DemoReport(
    LanguageModel Model, DemoTable Table, DemoPrompt Prompt, DemoChecks Checks, IReadOnlyList<string> Files, TimeSpan Elapsed)
{
    /// <summary>File of the first task's kept keys and values.</summary>
    public const string KvFile = "capitals.kv.safetensors";

    /// <summary>File of the first task's vectors.</summary>
    public const string VectorFile = "capitals.vector.safetensors";

    /// <summary>Writes the text.</summary>
    public void Write(Streams streams)
    {
        var output = streams.Out;
        var config = Model.Config;
        output.WriteLine($"Model: {config.ModelType}, {config.NumHiddenLayers} layers, hidden size {config.HiddenSize}, {config.NumAttentionHeads} heads, "
            + $"{Model.WeightType}, {Text.Bytes(Model.WeightBytes)}, on {Model.Device.Description}.");
        output.WriteLine("It was trained for this repository. Asked below are inputs held out of its training in this form, and (classify_) words under labels that");
        output.WriteLine("mean nothing: weights/README.md says how.");
        output.WriteLine();
        output.WriteLine("1. Accuracy ± standard error on held-out inputs (rt eval)");
        WriteTable(streams);
        output.WriteLine();
        output.WriteLine($"2. One prompt without demonstrations, {DemoPrompt.Text} (rt think and rt infer --kv; rt extract and rt infer --task-vector)");
        WriteAnswers(streams);
        output.WriteLine("3. Nothing but the demonstrations' form has changed, and a patch leaves no trace");
        output.WriteLine($"   one pass (T = 1) {(Checks.IsFewShot ? "is" : "IS NOT")} few-shot prompting: largest difference of a logit "
            + $"{Text.Number(Checks.FewShotDifference)} (logits up to {Text.Number(Checks.LargestLogit)}, n = {Checks.Queries} queries)");
        output.WriteLine($"   while patched the logits {(Checks.PatchChangedLogits ? "differ" : "DO NOT DIFFER")}; when the patch ends they are "
            + $"{(Checks.BitEqualAfterPatch ? "bit-equal to before" : "NOT AS BEFORE")}");
        output.WriteLine();
        var kernel = Checks.Kernel;
        output.WriteLine("4. The same update as a GPU kernel: C# compiled to PTX at build time, run by the simulator that checks every access (rt kernels)");
        output.WriteLine($"   {kernel.Kernel.Name}, {kernel.Kernel.Source}: {kernel.Elements} elements, "
            + (kernel.DifferentElements == 0 ? "bit-equal to the cpu device" : $"{kernel.DifferentElements} NUMBERS DIFFER from the cpu device"));
        output.WriteLine($"   {kernel.Counters.WarpInstructions} warp instructions; read {kernel.Counters.GlobalBytesRead} B (the formula needs {kernel.Cost.BytesRead}), "
            + $"wrote {kernel.Counters.GlobalBytesWritten} B ({kernel.Cost.BytesWritten}), {kernel.Counters.Flops} FLOPs ({kernel.Cost.Flops})");
        output.WriteLine();
        output.WriteLine($"Timing: {Text.Fixed(StepMs, 2)} ms per think step of {Prompt.Thought.Kept.Length} tokens "
            + $"(mean of {Prompt.Thought.Steps.Count - 1}); all of this took {Text.Duration(Elapsed.TotalSeconds)}.");
        output.WriteLine("Files:");
        foreach (var file in Files)
        {
            output.WriteLine($"  {file}  {Text.Bytes(new FileInfo(file).Length)}");
        }

        output.WriteLine("Next:");
        foreach (var command in NextCommands())
        {
            output.WriteLine($"  {command}");
        }
    }

    /// <summary>The JSON document.</summary>
    public JsonObject Json()
    {
        var json = JsonReport.Header("demo", Model);
        json["settings"] = new JsonObject
        {
            ["shots"] = Table.Settings.Draw.Shots,
            ["steps"] = Table.Settings.Steps,
            ["step_size"] = JsonReport.Number(Table.Settings.StepSize),
            ["momentum"] = JsonReport.Number(Table.Settings.Momentum),
            ["task_vector_layer"] = Table.Layer,
        };
        json["table"] = JsonReport.List(Table.Lines.Select(line => (JsonNode)new JsonObject
        {
            ["task"] = line.Task,
            ["n"] = line.FewShot.Accuracy.Count,
            ["zero_shot"] = Json(line.ZeroShot),
            ["few_shot"] = Json(line.FewShot),
            ["deep_thinking"] = Json(line.DeepThinking),
            ["task_vector"] = Json(line.TaskVector),
        }));
        json["query_time"] = new JsonObject
        {
            ["few_shot_ms"] = JsonReport.Number(Table.Time.FewShotMs),
            ["behind_kept_ms"] = JsonReport.Number(Table.Time.KeptMs),
            ["fraction"] = JsonReport.Number(Table.Time.Fraction),
            ["n"] = Table.Time.Count,
        };
        json["prompt"] = DemoPrompt.Text;
        json["answers"] = JsonReport.List(Prompt.Answers.Select(answer => (JsonNode)new JsonObject
        {
            ["task"] = answer.Task,
            ["zero_shot"] = answer.ZeroShot,
            ["behind_kept"] = answer.BehindKept,
            ["under_task_vector"] = answer.UnderVector,
            ["right"] = answer.Right,
        }));
        json["think"] = ThinkReport.Json(new ThoughtSet(DemoFolder.Capitals, Path.Combine(Model.Folder, KvFile), Prompt.Thought, 0, []));
        json["few_shot_max_logit_difference"] = JsonReport.Number(Checks.FewShotDifference);
        json["few_shot_largest_logit"] = JsonReport.Number(Checks.LargestLogit);
        json["one_pass_is_few_shot"] = Checks.IsFewShot;
        json["patch_changed_logits"] = Checks.PatchChangedLogits;
        json["bit_equal_after_patch"] = Checks.BitEqualAfterPatch;
        json["kernel"] = Json(Checks.Kernel);
        json["think_step_ms"] = JsonReport.Number(StepMs);
        json["elapsed_ms"] = JsonReport.Number(Elapsed.TotalMilliseconds);
        json["files"] = JsonReport.List(Files.Select(file => (JsonNode)JsonValue.Create(file)));
        json["next"] = JsonReport.List(NextCommands().Select(command => (JsonNode)JsonValue.Create(command)));
        return json;
    }

    private double StepMs => Prompt.Thought.Steps.Skip(1).Select(step => step.ElapsedMs).DefaultIfEmpty(double.NaN).Average();

    private void WriteTable(Streams streams)
    {
        var table = new TextTable("task", ">n", ">zero-shot", ">few-shot", ">Deep-Thinking", ">task vector");
        foreach (var line in Table.Lines)
        {
            table.Add(
                line.Task, $"{line.FewShot.Accuracy.Count}", Cell(line.ZeroShot), Cell(line.FewShot), Cell(line.DeepThinking), Cell(line.TaskVector));
        }

        table.Write(streams);
        var (settings, time) = (Table.Settings, Table.Time);
        streams.Out.WriteLine($"few-shot: {settings.Draw.Shots} demonstrations; Deep-Thinking: T = {settings.Steps}, step size {Text.Number(settings.StepSize)}, "
            + $"momentum {Text.Number(settings.Momentum)}; task vector: layer {Table.Layer}, the best on development queries");
        streams.Out.WriteLine($"behind kept keys and values a query takes {Text.Fixed(100 * time.Fraction, 0)} % of the time of its few-shot prompt "
            + $"({Text.Number(time.KeptMs)} of {Text.Number(time.FewShotMs)} ms; medians of {time.Count}, one at a time)");

        static string Cell(ResultRow row) => $"{Text.Fixed(row.Value, 3)} ± {Text.Fixed(row.StandardError, 3)}";
    }

    private void WriteAnswers(Streams streams)
    {
        var table = new TextTable("task", "zero-shot", $"behind kept KV, T = {Table.Settings.Steps}", $"under task vector, layer {Table.Layer}", "right");
        foreach (var answer in Prompt.Answers)
        {
            table.Add(answer.Task, answer.ZeroShot, answer.BehindKept, answer.UnderVector, answer.Right);
        }

        table.Write(streams);
    }

    private IEnumerable<string> NextCommands()
    {
        const string Template = "--template 'example:{input}->{output}'";
        var model = Quoted(Model.Folder);
        yield return $"rt think {model} --demos {File(DemoFolder.Capitals)} {Template} --separator '\\n' -o {File(KvFile)}";
        yield return $"rt infer {model} --kv {File(KvFile)} --queries {File(DemoFolder.Queries)} {Template} --max-new-tokens 1";
        yield return $"rt extract {model} --demos {File(DemoFolder.Languages)} -o {File("languages.vector.safetensors")}";
        yield return $"rt infer {model} --task-vector {File(VectorFile)}@{Table.Layer} --prompt '{DemoPrompt.Text}' --max-new-tokens 1";
        yield return "rt eval --task embedded/country_capital,embedded/en_fr --seeds 0";
        yield return $"rt inspect {File(KvFile)}";
        yield return "rt kernels AccumulateMetaGradient --size length=64";
        yield return "rt doctor";

        string File(string file) => Quoted(Path.Combine(Model.Folder, file));

        static string Quoted(string path) => path.Contains(' ') ? $"'{path}'" : path;
    }

    private static JsonObject Json(ResultRow row) => new()
    {
        ["value"] = JsonReport.Number(row.Value),
        ["stderr"] = double.IsNaN(row.StandardError) ? null : JsonReport.Number(row.StandardError),
        ["n"] = row.Accuracy.Count,
    };

    private static JsonObject Json(DemoKernelResult kernel) => new()
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
}
