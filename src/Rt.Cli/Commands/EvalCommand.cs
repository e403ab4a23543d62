// rt eval: both papers' tables, with standard errors, controls and intervals; in shards, resumed, merged.
using System.CommandLine;
using System.Diagnostics;
using System.Globalization;
using System.Text.Json.Nodes;
using Rt.Cli.Output;
using Rt.Core;
using Rt.Eval;
using Rt.Model;

namespace Rt.Cli.Commands;

/// <summary>The evaluation.</summary>
internal sealed class EvalCommand : CliCommand
{
    private readonly Argument<string?> _model = new("MODEL")
    {
        Description = "A model folder, or org/name[@revision]; the embedded model by default",
        Arity = ArgumentArity.ZeroOrOne,
    };

    private readonly EvalOptions _options = new();
    private readonly Option<bool> _list = new("--list") { Description = "List tasks and methods" };
    private readonly Option<string?> _output = new("--output", "-o") { Description = "Folder for records, results.json, samples, draws and report.html; a run resumes in it", HelpName = "DIR" };
    private readonly Option<string?> _shard = new("--shard") { Description = "Measure the i-th of n parts (i from 1), into -o; merge when all are there", HelpName = "i/n" };

    public EvalCommand(SharedOptions shared)
        : base("eval", "Evaluate a model: zero-shot, in-context learning, Deep-Thinking, task vectors and their controls, with standard errors", shared)
    {
        Arguments.Add(_model);
        Add([.. _options.All, _output, _shard, _list, .. shared.ForDevice]);
    }

    public override IReadOnlyList<string> Notes =>
    [
        $"Methods: {string.Join(", ", Methods.All)}. shuffled-labels and random-weights repeat the other methods under that control;",
        "repeated shows the demonstrations several times; selection-only chooses among orders of the demonstrations without thinking.",
        $"Datasets read from --data: {string.Join(", ", TaskCatalog.Datasets)} (field names as on the Hugging Face hub). Nothing is downloaded but the model.",
        "Files: {\"input\": \"output\"}, [{\"input\", \"output\", \"options\"?}] or such lines (.jsonl); NAME.task.json describes a task:",
        "{\"name\"?, \"group\"?, \"template\"?, \"separator\"?, \"options\"?, \"train\", \"test\"?}, with examples or a file's path at train and test.",
        "embedded: the tasks that the embedded model was trained for; their test queries are inputs held out of its training. embedded/NAME: one of them.",
        "All methods answer the same queries behind the same demonstrations. Steps and layers by dev are chosen on queries that are never reported.",
    ];

    public override IReadOnlyList<string> Examples =>
    [
        "rt eval                                              # the embedded model on its own tasks",
        "rt eval --task embedded/country_capital,embedded/en_fr --queries 0 --seeds 0-4",
        "rt eval ./model --task algorithmic,country_capital --choose fixed,dev,oracle -o results",
        "rt eval EleutherAI/pythia-2.8b --method zero-shot,icl,task-vector,conflicting --sets 50 --queries 50 --dev 50 --answer first-token --single-token -o pythia",
        "rt eval gpt2-large --task sst2,trec --data datasets --sets 1 --queries 0 --dev 200 --seeds 0-9 --method icl,deep-thinking,repeated,selection-only,shuffled-labels -o dt",
        "rt eval ./model --shard $SLURM_ARRAY_TASK_ID/16 -o results    # then: rt eval merge results",
    ];

    protected override async Task<int> RunAsync(CommandContext context)
    {
        if (context.Get(_list))
        {
            WriteList(context);
            return 0;
        }

        var clock = Stopwatch.StartNew();
        var settings = _options.Settings(context);
        settings.Check();
        var (output, shard) = (context.Get(_output), ShardOf(context.Get(_shard)));
        CheckPaths(context, output, shard);
        var embedded = context.Get(_model) is null;
        var tasks = _options.Tasks(context, embedded);
        var pairs = settings.Has(Methods.Conflicting) ? _options.Pairs(context, embedded) : [];
        var draws = _options.Draws(context);
        var model = await LoadAsync(context);
        var reading = _options.Reading(context, model.Config.NumHiddenLayers);
        pairs = [.. pairs.Select(pair => (_options.Fit(context, [pair.Shown], model)[0], _options.Fit(context, [pair.Written], model)[0]))];
        var plan = EvalPlan.Make(model, _options.Fit(context, tasks, model), pairs, settings, draws);
        var manifest = RunManifest.Of(plan, Describe(context, model), settings, reading, Versions.Text);
        var folder = output is null ? null : RunFolder.Create(output, manifest);
        var shuffled = settings.Has(Methods.RandomWeights) ? Shuffled(context, model) : null;
        IReadOnlyList<UnitRecord> records;
        using (var progress = context.Progress("evaluating", "units"))
        {
            records = EvalRun.Run(
                model, shuffled, plan, settings, shard, folder, (done, total, detail) => progress.Report(done, total, detail), context.Cancellation);
        }

        if (_options.SaveDraws(context) is { } saved)
        {
            DrawFile.Of(records).Write(saved);
            context.Note($"wrote {saved}");
        }

        if (shard.Count > 1)
        {
            WriteShard(context, manifest, shard, records, output!);
            return 0;
        }

        EvalResults.Write(context, manifest, records, output);
        context.Note($"{plan.Units.Count} units in {Text.Duration(clock.Elapsed.TotalSeconds)}");
        return 0;
    }

    private static void CheckPaths(CommandContext context, string? output, Shard shard)
    {
        if (shard.Count > 1 && output is null)
        {
            throw new UsageException("--shard needs -o DIR: the parts are merged from there");
        }

        if (output is not null)
        {
            OutputPath.CheckFolder(output);
        }
    }

    private async Task<LanguageModel> LoadAsync(CommandContext context)
    {
        if (context.Get(_model) is { } given)
        {
            return await context.LoadModelAsync(given);
        }

        var model = await context.LoadModelAsync(DefaultModel.Write(context.Cancellation));
        context.Note(DefaultModel.Note);
        return model;
    }

    private RunModel Describe(CommandContext context, LanguageModel model) => new(
        context.Get(_model) ?? DefaultModel.Name, model.Config.ModelType, model.Config.NumHiddenLayers, model.Config.HiddenSize,
        model.WeightType.ToString(), model.Identity.Model, model.Device.Name, model.Device.ActivationType.ToString());

    /// <summary>The random-weights control: a copy with shuffled weights in a temporary folder, which goes with the context.</summary>
    private static LanguageModel Shuffled(CommandContext context, LanguageModel model)
    {
        var folder = context.Own(new TemporaryModelFolder());
        ShuffledCheckpoint.Write(model.Folder, folder.Path, cancellation: context.Cancellation);
        return context.Own(LanguageModel.Load(folder.Path, model.Device));
    }

    private static Shard ShardOf(string? text)
    {
        if (text is null)
        {
            return Shard.Whole;
        }

        return text.Split('/') is [var first, var second]
            && int.TryParse(first, NumberStyles.None, CultureInfo.InvariantCulture, out var index)
            && int.TryParse(second, NumberStyles.None, CultureInfo.InvariantCulture, out var count) && index >= 1 && index <= count
            ? new Shard(index, count)
            : throw new UsageException($"--shard '{text}': expected i/n with i from 1 to n, such as 1/4");
    }

    private static void WriteShard(CommandContext context, RunManifest manifest, Shard shard, IReadOnlyList<UnitRecord> records, string output) =>
        context.Result(
            () => new JsonObject
            {
                ["command"] = "eval",
                ["shard"] = $"{shard.Index}/{shard.Count}",
                ["units"] = records.Count,
                ["units_of_run"] = manifest.Units.Count,
                ["output"] = output,
            },
            () => context.Out.WriteLine(
                $"part {shard.Index} of {shard.Count}: {records.Count} of {manifest.Units.Count} units are in {output}; when all are there: rt eval merge {output}"));

    private static IEnumerable<(string Group, IReadOnlyList<string> Names)> Groups =>
        TaskCatalog.BuiltIn.Append((TaskCatalog.EmbeddedGroup, TaskCatalog.Embedded));

    private static void WriteList(CommandContext context) => context.Result(
        () => new JsonObject
        {
            ["groups"] = new JsonObject(Groups.Select(group => KeyValuePair.Create(
                group.Group, (JsonNode?)JsonReport.List(group.Names.Select(name => (JsonNode)name))))),
            ["datasets"] = JsonReport.List(TaskCatalog.Datasets.Select(name => (JsonNode)name)),
            ["methods"] = JsonReport.List(Methods.All.Select(name => (JsonNode)name)),
        },
        () =>
        {
            var table = new TextTable("group", "task", ">examples", ">held out", "such as");
            foreach (var (group, names) in Groups)
            {
                foreach (var (name, task) in names.Zip(TaskCatalog.Resolve(names, null)))
                {
                    table.Add(
                        group, name, $"{task.Train.Count}", $"{task.Test?.Count}", task.Template.Answered(task.Train[0].Input, task.Train[0].Output));
                }
            }

            table.Write(context.Streams);
            context.Out.WriteLine($"datasets, from --data: {string.Join(", ", TaskCatalog.Datasets)}");
            context.Out.WriteLine($"methods and controls: {string.Join(", ", Methods.All)}");
        });

    /// <summary>A folder that is removed when the command ends.</summary>
    private sealed class TemporaryModelFolder : IDisposable
    {
        public string Path { get; } = Directory.CreateTempSubdirectory("rt-shuffled-").FullName;

        public void Dispose() => Directory.Delete(Path, recursive: true);
    }
}
