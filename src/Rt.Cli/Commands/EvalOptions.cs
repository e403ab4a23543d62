// The options of rt eval and what they mean.
using System.CommandLine;
using System.Globalization;
using Rt.Core;
using Rt.Eval;
using Rt.Model;

namespace Rt.Cli.Commands;

/// <summary>Options that say what is measured and how it is read.</summary>
internal sealed class EvalOptions
{
    private const int MostSeeds = 1000;

    private readonly Option<string[]> _tasks = OptionKinds.List("--task", "Tasks, separated by commas: names, groups, all, embedded, datasets (with --data), or files; embedded where no model is given", "all");
    private readonly Option<string?> _data = new("--data") { Description = "Folder of the datasets: NAME/train.jsonl and NAME/validation.jsonl", HelpName = "DIR" };
    private readonly Option<string[]> _methods = OptionKinds.List("--method", "Methods and controls, separated by commas", string.Join(',', Methods.Default));
    private readonly Option<string?> _pairs = new("--conflict") { Description = "Pairs SHOWN:WRITTEN of conflicting tasks; the published five by default", HelpName = "LIST" };
    private readonly Option<string> _seeds = Text("--seeds", "Seeds of the draws, such as 0-4 or 0,7", "0,1");
    private readonly Option<int> _shots = OptionKinds.Whole("--shots", "Demonstrations per prompt", 5);
    private readonly Option<int> _sets = OptionKinds.Whole("--sets", "Demonstration sets per task and seed; as many as queries gives every query its own", 5, min: 1);
    private readonly Option<int> _queries = OptionKinds.Whole("--queries", "Test queries per task and seed; 0 for all of a test split", 30);
    private readonly Option<int> _dev = OptionKinds.Whole("--dev", "Development queries per task and seed, by which steps and layers are chosen", 15);
    private readonly Option<int> _dummies = OptionKinds.Whole("--dummies", "Dummy queries averaged into a task vector", 2, min: 1);
    private readonly Option<string> _draw = Choice("--draw", "Demonstrations at random, or evenly over the options", "auto", "random", "stratified");
    private readonly Option<string?> _draws = new("--draws") { Description = "Replay the draws of a draws.json", HelpName = "FILE" };
    private readonly Option<string?> _saveDraws = new("--save-draws") { Description = "Write the draws to a file (with -o they are always kept)", HelpName = "FILE" };
    private readonly TemplateOptions _template = new(PromptTemplate.TaskVector);
    private readonly Option<int> _steps = OptionKinds.Whole("--steps", "T: passes of Deep-Thinking, and orders of selection-only", 15, min: 1);
    private readonly Option<double> _stepSize = OptionKinds.Number("--step-size", "Step size of the update", 0.01);
    private readonly Option<double> _momentum = OptionKinds.Number("--momentum", "Momentum of the update", 0.9);
    private readonly Option<string> _positions = Choice("--positions", "Passes after the first sit at L..2L-1 (paper) or 0..L-1 (aligned)", "paper", "aligned");
    private readonly Option<string> _precision = Choice("--precision", "Update in f32, or rounded to the model's dtype as published", "f32", "model");
    private readonly Option<string> _repeats = Text("--repeats", "How often the repeated control shows the demonstrations", "2");
    private readonly Option<string> _answer = Choice("--answer", "Judge free answers as text to the end of the line, or by their first token as published", "text", "first-token");
    private readonly Option<bool> _singleToken = new("--single-token") { Description = "Keep word pairs whose output is one token, spaced as fits the tokenizer, as published" };
    private readonly Option<string> _choose = Text("--choose", "Rows for steps and layers: fixed, dev, oracle", "fixed,dev");
    private readonly Option<int> _fixedStep = OptionKinds.Whole("--fixed-step", "The fixed step", 5, min: 1);
    private readonly Option<int?> _fixedLayer = new("--fixed-layer") { Description = "The fixed layer of task vectors; none by default", HelpName = "L" };
    private readonly Option<int> _resamples = OptionKinds.Whole("--resamples", "Resamples of the bootstrap", 10_000, min: 100);
    private readonly Option<bool> _noTiming = new("--no-timing") { Description = "Leave wall times and dates out: the same run then gives the same bytes" };

    /// <summary>All of them, in the order of the help.</summary>
    public IReadOnlyList<Option> All =>
    [
        _tasks, _data, _methods, _pairs, _seeds, _shots, _sets, _queries, _dev, _dummies, _draw, _draws, _saveDraws, _template.Template,
        _template.Separator, _steps, _stepSize, _momentum, _positions, _precision, _repeats, _answer, _singleToken, _choose, _fixedStep, _fixedLayer, _resamples, _noTiming,
    ];

    /// <summary>File to write the draws to; null for none.</summary>
    public string? SaveDraws(CommandContext context) => context.Get(_saveDraws);

    /// <summary>Draws to replay; null to draw.</summary>
    public DrawFile? Draws(CommandContext context) => context.Get(_draws) is { } path ? DrawFile.Read(path) : null;

    /// <summary>The tasks asked for.</summary>
    /// <param name="context">The options.</param>
    /// <param name="embedded">Without --task, those of the embedded model.</param>
    public IReadOnlyList<EvalTask> Tasks(CommandContext context, bool embedded)
    {
        string[] names = embedded && !context.IsGiven(_tasks) ? [TaskCatalog.EmbeddedGroup] : context.Get(_tasks)!;
        var tasks = TaskCatalog.Resolve(names.SelectMany(List), context.Get(_data));
        if (!context.IsGiven(_template.Template) && !context.IsGiven(_template.Separator))
        {
            return tasks;
        }

        return [.. tasks.Select(task => task with
        {
            Template = new PromptTemplate(
                context.Get(_template.Template) is { } pattern ? PromptTemplate.Unescape(pattern) : task.Template.Pattern,
                context.Get(_template.Separator) is { } separator ? PromptTemplate.Unescape(separator) : task.Template.Separator),
        })];
    }

    /// <summary>The tasks as the model's tokenizer allows, where that is asked for.</summary>
    public IReadOnlyList<EvalTask> Fit(CommandContext context, IReadOnlyList<EvalTask> tasks, LanguageModel model)
    {
        if (!context.Get(_singleToken))
        {
            return tasks;
        }

        var filtered = tasks.Select(task => SingleTokenOutputs.Filter(task, model)).ToArray();
        foreach (var (task, fitted) in tasks.Zip(filtered))
        {
            if (fitted.Train.Count == 0)
            {
                throw new UsageException($"--single-token: no output of task '{task.Name}' is one token of this model");
            }

            if (fitted.Train.Count < Math.Min(task.Train.Count, SingleTokenOutputs.FewestExamples))
            {
                context.Warn($"task '{task.Name}': {fitted.Train.Count} of {task.Train.Count} outputs are one token, fewer than the {SingleTokenOutputs.FewestExamples} of the published code");
            }
        }

        return filtered;
    }

    /// <summary>The conflicting pairs asked for.</summary>
    /// <param name="context">The options.</param>
    /// <param name="embedded">Without --conflict, the published pairs over the embedded model's tasks.</param>
    public IReadOnlyList<(EvalTask Shown, EvalTask Written)> Pairs(CommandContext context, bool embedded)
    {
        var from = embedded ? $"{TaskCatalog.EmbeddedGroup}/" : "";
        var names = context.Get(_pairs) is { } text ? List(text).Select(Pair) : TaskCatalog.ConflictingPairs.Select(pair => (from + pair.Shown, from + pair.Written));
        return [.. names.Select(pair =>
        {
            var tasks = TaskCatalog.Resolve([pair.Item1, pair.Item2], context.Get(_data));
            return tasks.Count == 2 ? (tasks[0], tasks[1]) : throw new UsageException($"--conflict {pair.Item1}:{pair.Item2}: expected two different tasks");
        })];

        static (string, string) Pair(string text) => text.Split(':') is [{ Length: > 0 } shown, { Length: > 0 } written]
            ? (shown, written)
            : throw new UsageException($"--conflict '{text}': expected SHOWN:WRITTEN, such as next_letter:to_upper");
    }

    /// <summary>What is measured.</summary>
    public EvalSettings Settings(CommandContext context) => new()
    {
        Methods = [.. context.Get(_methods)!.SelectMany(List).Distinct()],
        Draw = new DrawSettings(
            context.Get(_shots), context.Get(_sets), context.Get(_queries), context.Get(_dev), context.Get(_dummies),
            Enum.Parse<DrawKind>(context.Get(_draw)!, ignoreCase: true)),
        Seeds = [.. Numbers("--seeds", context.Get(_seeds)!).Select(seed => (ulong)seed)],
        Steps = context.Get(_steps),
        StepSize = context.Get(_stepSize),
        Momentum = context.Get(_momentum),
        Positions = context.Get(_positions) == "aligned" ? PositionsMode.Aligned : PositionsMode.Paper,
        ModelPrecision = context.Get(_precision) == "model",
        Repeats = [.. Numbers("--repeats", context.Get(_repeats)!).Select(repeats => repeats > 0
            ? (int)repeats
            : throw new UsageException("--repeats 0: expected numbers of at least 1"))],
        FirstToken = context.Get(_answer) == "first-token",
        Timing = !context.Get(_noTiming),
    };

    /// <summary>How results are read.</summary>
    public ReadingSettings Reading(CommandContext context, int layers)
    {
        var choices = List(context.Get(_choose)!).Select(name => name switch
        {
            "fixed" => StepChoice.Fixed,
            "dev" => StepChoice.Dev,
            "oracle" => StepChoice.Oracle,
            _ => throw new UsageException($"--choose '{name}': expected fixed, dev or oracle"),
        }).Distinct().ToArray();
        if (context.Get(_fixedLayer) is { } layer && (layer < 0 || layer >= layers))
        {
            throw new UsageException($"--fixed-layer {layer}: expected 0 to {layers - 1}");
        }

        if (context.IsGiven(_fixedStep) && context.Get(_fixedStep) > context.Get(_steps))
        {
            throw new UsageException($"--fixed-step {context.Get(_fixedStep)}: there are {context.Get(_steps)} steps");
        }

        return new ReadingSettings
        {
            Choices = choices,
            FixedStep = Math.Min(context.Get(_fixedStep), context.Get(_steps)),
            FixedLayer = context.Get(_fixedLayer),
            Resamples = context.Get(_resamples),
        };
    }

    private static string[] List(string text) => text.Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries) is { Length: > 0 } parts
        ? parts
        : throw new UsageException("expected a list such as a,b, found nothing");

    /// <summary>Numbers and ranges, such as 0-4,9.</summary>
    private static List<long> Numbers(string option, string text)
    {
        var numbers = new List<long>();
        foreach (var part in List(text))
        {
            var ends = part.Split('-');
            if (ends.Length > 2 || !long.TryParse(ends[0], NumberStyles.None, CultureInfo.InvariantCulture, out var first)
                || !long.TryParse(ends[^1], NumberStyles.None, CultureInfo.InvariantCulture, out var last) || last < first || last - first >= MostSeeds)
            {
                throw new UsageException($"{option} '{text}': expected numbers and ranges such as 0-4,9, found '{part}'");
            }

            for (var number = first; number <= last; number++)
            {
                numbers.Add(number);
            }
        }

        return numbers;
    }

    private static Option<string> Text(string name, string description, string value) =>
        new(name) { Description = description, DefaultValueFactory = _ => value, HelpName = "LIST" };

    private static Option<string> Choice(string name, string description, params string[] values)
    {
        var option = new Option<string>(name) { Description = description, DefaultValueFactory = _ => values[0], HelpName = string.Join('|', values) };
        option.AcceptOnlyFromAmong(values);
        return option;
    }
}
