// rt think: the Deep-Thinking stage, from demonstrations to kept keys and values.
using System.CommandLine;
using System.Diagnostics;
using System.Text.Json.Nodes;
using Rt.Cli.Output;
using Rt.Core;
using Rt.Eval;
using Rt.Model;

namespace Rt.Cli.Commands;

/// <summary>The think stage.</summary>
internal sealed class ThinkCommand : CliCommand
{
    private const string Extension = ".kv.safetensors";

    private readonly Option<string[]> _demos =
        OptionKinds.Several("--demos", "Demonstrations: .txt verbatim, or .jsonl/.json of {\"input\", \"output\"}", "FILE");

    private readonly Option<string[]> _tokenIds = OptionKinds.Several("--token-ids", "Demonstrations as token ids: 1,2,3", "IDS");
    private readonly Option<string> _output = new("--output", "-o") { Description = "File to write; a folder for several sets", Required = true, HelpName = "OUT" };
    private readonly TemplateOptions _template = new(PromptTemplate.DeepThinking);
    private readonly Option<int> _steps = OptionKinds.Whole("--steps", "T: forward passes over the demonstrations; 1 is plain in-context learning", 15, min: 1);
    private readonly Option<double> _stepSize = OptionKinds.Number("--step-size", "Step size of the update", 0.01);
    private readonly Option<double> _momentum = OptionKinds.Number("--momentum", "Momentum of the update", 0.9);
    private readonly Option<string> _positions = Choice("--positions", "Passes after the first sit at L..2L-1 (paper) or 0..L-1 (aligned)", "paper", "aligned");
    private readonly Option<string> _precision = Choice("--precision", "Update in f32, or rounded to the model's dtype as published", "f32", "model");
    private readonly Option<string?> _layers = new("--layers") { Description = "Layers to update, such as 0-5,8; all by default", HelpName = "SET" };
    private readonly Option<string?> _only = new("--only") { Description = "Update only keys or only values", HelpName = "keys|values" };
    private readonly Option<string?> _resume = new("--resume") { Description = "Think on from a file with velocity; its settings are the defaults", HelpName = "FILE" };
    private readonly Option<string?> _dev = new("--dev") { Description = "Queries with options and answers, scored after every step", HelpName = "FILE" };
    private readonly Option<string> _choose = Choice("--choose", "Step to keep: the last (fixed), or the best on --dev (dev; oracle if those are the queries you report)", "fixed", "dev", "oracle");
    private readonly Option<bool> _noVelocity = new("--no-velocity") { Description = "Leave the velocity out of the file; it then cannot be resumed exactly" };

    public ThinkCommand(SharedOptions shared)
        : base("think", "Think about demonstrations: run them T times and accumulate meta-gradients into kept keys and values (arXiv:2305.13016)", shared)
    {
        Arguments.Add(shared.Model);
        Add([_demos, _tokenIds, _output, _template.Template, _template.Separator, _steps, _stepSize, _momentum, _positions, _precision,
            _layers, _only, _resume, _dev, _choose, _noVelocity, .. shared.ForDevice]);
        _only.AcceptOnlyFromAmong("keys", "values");
    }

    public override IReadOnlyList<string> Notes =>
    [
        "Several --demos or --token-ids are several sets, thought about together; OUT is then a folder with one file per set.",
        "A file does not record --layers and --only: repeat them with --resume.",
    ];

    public override IReadOnlyList<string> Examples =>
    [
        "rt think ./demo --demos demo/capitals.jsonl --template 'example:{input}->{output}' --separator '\\n' --steps 15 --step-size 0.01 --momentum 0.9 -o task.kv.safetensors",
        "rt think facebook/opt-125m --demos sst2.txt --steps 15 --precision model --dev dev.jsonl --choose dev -o sst2.kv.safetensors",
        "rt think ./demo --resume task.kv.safetensors --steps 30 -o longer.kv.safetensors",
    ];

    protected override async Task<int> RunAsync(CommandContext context)
    {
        var files = context.Get(_demos)!.Select(path => DemonstrationFile.Read(path)).ToArray();
        var given = context.Get(_tokenIds)!.Select(OptionKinds.TokenIds).ToArray();
        var resume = context.Get(_resume);
        var count = files.Length + given.Length;
        if ((resume is null) == (count == 0))
        {
            throw new UsageException(resume is null ? "give demonstrations by --demos or --token-ids" : "--resume brings its own demonstrations: leave --demos and --token-ids out");
        }

        var output = context.Get(_output)!;
        if (count > 1)
        {
            OutputPath.CheckFolder(output);
        }
        else
        {
            OutputPath.CheckFile(output);
        }

        var template = _template.Read(context);
        var choice = Enum.Parse<StepChoice>(context.Get(_choose)!, ignoreCase: true);
        var queries = DevelopmentQueries(context, choice);
        var model = await context.LoadModelAsync();
        var dev = queries is null ? null : new OptionScoring(model, queries, template, addSpecialTokens: false);
        var resumed = resume is null ? null : context.Own(KeptKv.Load(resume, model));
        var options = ThinkOptionsOf(context, model, resumed?.Origin);
        var clock = Stopwatch.StartNew();
        var kept = resumed is not null ? [resumed] : files.Select(file => model.Encode(file.TextBy(template))).Concat(given)
            .Select(ids => context.Own(DeepThinking.Begin(model, ids, options, context.Cancellation))).ToArray();
        var firstMs = resumed is null ? clock.Elapsed.TotalMilliseconds : 0;
        if (resumed is not null)
        {
            CheckResumed(context, resumed, options);
        }

        string[] names = resume is not null ? [resume] : [.. files.Select(file => file.Path), .. given.Select((_, i) => $"set-{i + 1}")];
        var paths = count > 1 ? PathsIn(output, names) : [output];
        var sets = Think(context, kept, options, choice, dev, [.. names.Zip(paths)], firstMs);
        if (count > 1)
        {
            Directory.CreateDirectory(output);
        }

        foreach (var set in sets)
        {
            set.Result.Kept.Save(set.Output, withVelocity: !context.Get(_noVelocity), context.Cancellation);
        }

        context.Result(
            () =>
            {
                var json = JsonReport.Header("think", model);
                json["settings"] = SettingsJson(options, model);
                json["sets"] = JsonReport.List(sets.Select(ThinkReport.Json));
                return json;
            },
            () => ThinkReport.WriteTable(context.Streams, sets));
        foreach (var set in sets)
        {
            context.Note($"wrote {set.Output}: step {set.Result.Kept.Origin.Steps}, {set.Result.Kept.Length} tokens");
        }

        return 0;
    }

    private static ThoughtSet[] Think(
        CommandContext context,
        KeptKv[] kept,
        ThinkOptions options,
        StepChoice choice,
        OptionScoring? dev,
        (string Name, string Path)[] outputs,
        double firstMs)
    {
        var accuracies = kept.Select(_ => new List<Accuracy>()).ToArray();
        using var progress = context.Progress("thinking", "steps");
        var results = DeepThinking.Think(
            kept, options, choice,
            dev is null ? null : (set, keptKv) =>
            {
                var accuracy = OptionScoring.AccuracyOf(dev.Score(keptKv, 32, null, context.Cancellation))!.Value;
                accuracies[set].Add(accuracy);
                return accuracy.Value;
            },
            (_, step) => progress.Report(step.Step, options.Steps),
            context.Cancellation);
        return [.. results.Select((result, i) =>
        {
            context.Own(result.Kept);
            return new ThoughtSet(outputs[i].Name, outputs[i].Path, result, firstMs, accuracies[i]);
        })];
    }

    private ThinkOptions ThinkOptionsOf(CommandContext context, LanguageModel model, KeptKvOrigin? resumed)
    {
        var precision = context.Get(_precision) == "model" ? model.WeightType : (DType?)null;
        var options = new ThinkOptions
        {
            Steps = context.Get(_steps),
            StepSize = resumed is not null && !context.IsGiven(_stepSize) ? resumed.StepSize : context.Get(_stepSize),
            Momentum = resumed is not null && !context.IsGiven(_momentum) ? resumed.Momentum : context.Get(_momentum),
            Positions = resumed is not null && !context.IsGiven(_positions)
                ? resumed.Positions
                : context.Get(_positions) == "aligned" ? PositionsMode.Aligned : PositionsMode.Paper,
            Precision = resumed is not null && !context.IsGiven(_precision) && resumed.Precision.Bytes() < 4 ? resumed.Precision : precision,
            Layers = context.Get(_layers) is { } layers ? OptionKinds.Layers(layers, model.Config.NumHiddenLayers) : null,
            UpdateKey = context.Get(_only) != "values",
            UpdateValue = context.Get(_only) != "keys",
        };
        return options;
    }

    private static void CheckResumed(CommandContext context, KeptKv resumed, ThinkOptions options)
    {
        if (resumed.Origin.Steps >= options.Steps)
        {
            throw new UsageException($"--steps {options.Steps}: the file is at step {resumed.Origin.Steps} already; ask for more steps");
        }

        if (!resumed.HasVelocity && resumed.Origin.Steps > 1)
        {
            context.Warn("the file holds no velocity: thinking goes on with velocity zero, which differs from an uninterrupted run");
        }
    }

    private IReadOnlyList<Query>? DevelopmentQueries(CommandContext context, StepChoice choice)
    {
        if (context.Get(_dev) is not { } path)
        {
            return choice == StepChoice.Fixed ? null : throw new UsageException($"--choose {ThinkReport.Name(choice)} needs --dev FILE");
        }

        var queries = QueryFile.Read(path);
        return queries.FirstOrDefault(query => query.AnswerIndex is null) is { } odd
            ? throw new BadFileException(path, $"{odd.Place}: expected options and an answer in every line of a development set")
            : queries;
    }

    private static string[] PathsIn(string folder, string[] names)
    {
        var taken = new HashSet<string>(StringComparer.OrdinalIgnoreCase);
        return [.. names.Select(name =>
        {
            var stem = Path.GetFileNameWithoutExtension(name);
            var unique = stem;
            for (var i = 2; !taken.Add(unique); i++)
            {
                unique = $"{stem}-{i}";
            }

            return Path.Combine(folder, unique + Extension);
        })];
    }

    private static JsonObject SettingsJson(ThinkOptions options, LanguageModel model) => new()
    {
        ["steps"] = options.Steps,
        ["step_size"] = JsonReport.Number(options.StepSize),
        ["momentum"] = JsonReport.Number(options.Momentum),
        ["positions"] = options.Positions == PositionsMode.Paper ? "paper" : "aligned",
        ["precision"] = (options.Precision ?? model.Device.MasterType).ToString(),
        ["layers"] = options.Layers is { } layers ? JsonReport.Ids(layers) : "all",
        ["update_key"] = options.UpdateKey,
        ["update_value"] = options.UpdateValue,
    };

    private static Option<string> Choice(string name, string description, params string[] values)
    {
        var option = new Option<string>(name) { Description = description, DefaultValueFactory = _ => values[0], HelpName = string.Join('|', values) };
        option.AcceptOnlyFromAmong(values);
        return option;
    }
}
