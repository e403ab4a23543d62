// rt demo: the first minute. The embedded model's accuracies by both papers' methods, one prompt answered three ways, and what to type next.
using System.CommandLine;
using System.Diagnostics;
using Rt.Cli.Demo;
using Rt.Model;

namespace Rt.Cli.Commands;

/// <summary>The demo.</summary>
internal sealed class DemoCommand : CliCommand
{
    private readonly Argument<string> _folder = new("FOLDER") { Description = "Folder for the model and example files", DefaultValueFactory = _ => "demo" };
    private readonly Option<int> _steps = OptionKinds.Whole("--steps", "T: forward passes over the demonstrations", new ThinkOptions().Steps, min: 1);
    private readonly Option<int> _queries = OptionKinds.Whole("--queries", "Test queries per task; 0 for every held-out input once", 50);

    public DemoCommand(SharedOptions shared)
        : base("demo", "The first minute: a small trained model by few-shot prompting, Deep-Thinking and task vectors, and what to type next", shared)
    {
        Arguments.Add(_folder);
        Add([_steps, _queries, .. shared.ForDevice]);
    }

    public override IReadOnlyList<string> Examples => ["rt demo", "rt demo /tmp/demo --device reference --steps 3 --queries 5"];

    protected override Task<int> RunAsync(CommandContext context)
    {
        var clock = Stopwatch.StartNew();
        var folder = context.Get(_folder)!;
        var files = DemoFolder.Write(folder, context.Cancellation);
        var model = context.Own(LanguageModel.Load(folder, context.FindDevice().For(LanguageModel.WeightTypeOf(folder))));
        DemoTable table;
        using (var progress = context.Progress("evaluating", "tasks"))
        {
            table = DemoTable.Measure(model, context.Get(_steps), context.Get(_queries), progress, context.Cancellation);
        }

        using var prompt = DemoPrompt.Answer(model, folder, table.Settings.Think(model), table.Layer, context.Cancellation);
        var checks = DemoChecks.Run(model, folder, prompt.Vector, table.Layer, context.Cancellation);
        var (kv, vector) = (Path.Combine(folder, DemoReport.KvFile), Path.Combine(folder, DemoReport.VectorFile));
        prompt.Thought.Kept.Save(kv, cancellation: context.Cancellation);
        prompt.Vector.Save(vector, model, context.Cancellation);
        var report = new DemoReport(model, table, prompt, checks, [.. files.Select(file => Path.Combine(folder, file)), kv, vector], clock.Elapsed);
        context.Result(report.Json, () => report.Write(context.Streams));
        checks.Require();
        return Task.FromResult(0);
    }
}
