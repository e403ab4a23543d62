// rt infer: generation, or scoring of options, with kept keys and values and task vectors where given.
using System.CommandLine;
using System.Globalization;
using Rt.Core;
using Rt.Eval;
using Rt.Model;

namespace Rt.Cli.Commands;

/// <summary>Inference.</summary>
internal sealed class InferCommand : CliCommand
{
    private const long MaxPromptBytes = 256 << 20;

    private readonly Argument<string?> _stdin = new("-") { Description = "Read the prompt from standard input", Arity = ArgumentArity.ZeroOrOne };
    private readonly Option<string?> _kv = new("--kv") { Description = "Kept keys and values from rt think, in place of demonstrations", HelpName = "FILE" };
    private readonly Option<string?> _taskVector = new("--task-vector") { Description = "Write a task vector at a layer, at the prompt's last token", HelpName = "FILE@LAYER" };
    private readonly Option<string> _patchMode = new("--patch-mode") { Description = "The vector replaces the residual or is added to it", DefaultValueFactory = _ => "replace", HelpName = "replace|add" };
    private readonly Option<double> _patchScale = OptionKinds.Number("--patch-scale", "Factor on the vector", 1);
    private readonly Option<bool> _patchGenerated = new("--patch-generated") { Description = "Also patch every generated token" };
    private readonly Option<string[]> _prompt = OptionKinds.Several("--prompt", "Prompt text", "TEXT");
    private readonly Option<string[]> _promptFile = OptionKinds.Several("--prompt-file", "File with a prompt, taken verbatim", "FILE");
    private readonly Option<string[]> _tokenIds = OptionKinds.Several("--token-ids", "Prompt as token ids: 1,2,3", "IDS");
    private readonly Option<string?> _queries = new("--queries") { Description = "JSON lines {\"input\" | \"token_ids\", \"options\"? | \"option_token_ids\"?, \"answer\"?}", HelpName = "FILE" };
    private readonly TemplateOptions _template = new(PromptTemplate.DeepThinking);
    private readonly Option<int> _maxNewTokens = OptionKinds.Whole("--max-new-tokens", "Most tokens to generate per prompt", 64);
    private readonly Option<double> _temperature = OptionKinds.Number("--temperature", "0 is greedy; else logits are divided by it", 0);
    private readonly Option<int> _topK = OptionKinds.Whole("--top-k", "Keep the k most likely tokens; 0 keeps all", 0);
    private readonly Option<double> _topP = OptionKinds.Number("--top-p", "Keep the fewest tokens that reach this probability", 1);
    private readonly Option<double> _minP = OptionKinds.Number("--min-p", "Keep tokens at least this fraction as likely as the best", 0);
    private readonly Option<ulong> _seed = new("--seed") { Description = "Seed of the sampling", DefaultValueFactory = _ => 0UL, HelpName = "N" };
    private readonly Option<string[]> _stop = OptionKinds.Several("--stop", "Text that ends the generation; \\n is a line break", "TEXT");
    private readonly Option<bool> _ignoreEos = new("--ignore-eos") { Description = "Do not stop at end-of-text tokens" };
    private readonly Option<int> _batch = OptionKinds.Whole("--batch", "Prompts computed together", 32, min: 1);

    public InferCommand(SharedOptions shared)
        : base("infer", "Generate text or score options, optionally with kept keys and values or a task vector", shared)
    {
        Arguments.Add(shared.Model);
        Arguments.Add(_stdin);
        Add([_kv, _taskVector, _patchMode, _patchScale, _patchGenerated, _prompt, _promptFile, _tokenIds, _queries,
            _template.Template, _template.Separator, _maxNewTokens, _temperature, _topK, _topP, _minP, _seed, _stop, _ignoreEos, _batch,
            .. shared.ForDevice]);
        _patchMode.AcceptOnlyFromAmong("replace", "add");
    }

    public override IReadOnlyList<string> Notes =>
    [
        "With --kv prompts and queries are encoded without special tokens (the demonstrations have them), without --kv with them.",
        "Queries with options are scored: log-probabilities, prediction, and accuracy where answers are given. The text of --queries' inputs",
        "goes through --template; an option's tokens are those of query and option together from the length of the query alone on.",
    ];

    public override IReadOnlyList<string> Examples =>
    [
        "rt infer gpt2 --prompt \"Once upon a time\" --max-new-tokens 32",
        "rt infer ./demo --kv task.kv.safetensors --queries demo/queries.jsonl --template 'example:{input}->{output}' --max-new-tokens 1",
        "rt infer ./demo --task-vector vector.safetensors@3 --prompt \"example:France->\" --max-new-tokens 1",
        "echo \"Hello\" | rt infer meta-llama/Llama-3.2-1B - --temperature 0.8 --top-p 0.95 --seed 7",
    ];

    protected override async Task<int> RunAsync(CommandContext context)
    {
        var queries = context.Get(_queries) is { } path ? QueryFile.Read(path) : null;
        var texts = await PromptTextsAsync(context);
        var ids = context.Get(_tokenIds)!.Select(OptionKinds.TokenIds).ToArray();
        if ((queries is null) == (texts.Count + ids.Length == 0))
        {
            throw new UsageException(queries is null
                ? "give a prompt: --prompt, --prompt-file, --token-ids, --queries, or - for standard input"
                : "--queries brings its own prompts: leave --prompt, --prompt-file, --token-ids and - out");
        }

        var options = GenerationOptionsOf(context);
        var template = _template.Read(context);
        var model = await context.LoadModelAsync();
        var kept = context.Get(_kv) is { } kv ? context.Own(KeptKv.Load(kv, model)) : null;
        if (context.Get(_taskVector) is { } vector)
        {
            context.Own(Patch(context, model, vector));
        }

        var batch = context.Get(_batch);
        if (queries is not null && queries[0].HasOptions)
        {
            Scoring.Run(context, model, new OptionScoring(model, queries, template, kept is null), kept, batch);
            return 0;
        }

        var special = kept is null;
        var prompts = queries is null
            ? texts.Select(text => new GenerationPrompt(text, model.Encode(text, special), null))
                .Concat(ids.Select(one => new GenerationPrompt(null, one, null)))
            : queries.Select(query => query.TokenIds is { } given
                ? new GenerationPrompt(null, given, query.AnswerText)
                : new GenerationPrompt(query.Input, model.Encode(template.Query(query.Input!), special), query.AnswerText));
        Generation.Run(context, model, [.. prompts], options, kept, batch);
        return 0;
    }

    private async Task<List<string>> PromptTextsAsync(CommandContext context)
    {
        var texts = context.Get(_prompt)!.ToList();
        foreach (var file in context.Get(_promptFile)!)
        {
            texts.Add(file == "-" ? await context.Streams.In.ReadToEndAsync(context.Cancellation) : TextFile.Read(file, MaxPromptBytes));
        }

        switch (context.Get(_stdin))
        {
            case null:
                break;
            case "-":
                texts.Add(await context.Streams.In.ReadToEndAsync(context.Cancellation));
                break;
            case var other:
                throw new UsageException($"unexpected argument '{other}': a prompt is given by --prompt TEXT, or by - for standard input");
        }

        return texts;
    }

    private GenerationOptions GenerationOptionsOf(CommandContext context)
    {
        var options = new GenerationOptions
        {
            MaxNewTokens = context.Get(_maxNewTokens),
            Temperature = context.Get(_temperature),
            TopK = context.Get(_topK),
            TopP = context.Get(_topP),
            MinP = context.Get(_minP),
            Seed = context.Get(_seed),
            Stop = [.. context.Get(_stop)!.Select(PromptTemplate.Unescape)],
            IgnoreEos = context.Get(_ignoreEos),
        };
        Check("--temperature", options.Temperature, options.Temperature >= 0, "0 or more");
        Check("--top-p", options.TopP, options.TopP is > 0 and <= 1, "a number above 0 and up to 1");
        Check("--min-p", options.MinP, options.MinP is >= 0 and <= 1, "a number from 0 to 1");
        return options.Stop.Any(stop => stop.Length == 0) ? throw new UsageException("--stop: expected a text, found none") : options;

        static void Check(string name, double value, bool sound, string expected)
        {
            if (!sound)
            {
                throw new UsageException($"{name} {value.ToString(CultureInfo.InvariantCulture)}: expected {expected}");
            }
        }
    }

    private IDisposable Patch(CommandContext context, LanguageModel model, string argument)
    {
        var at = argument.LastIndexOf('@');
        var path = at < 0 ? argument : argument[..at];
        var vector = TaskVector.Load(path, model);
        var layer = 0;
        if (at < 0 ? vector.Layer is null : !int.TryParse(argument[(at + 1)..], NumberStyles.None, CultureInfo.InvariantCulture, out layer))
        {
            throw new UsageException($"--task-vector {argument}: expected FILE@LAYER with a layer from 0 to {model.Config.NumHiddenLayers - 1}");
        }

        layer = at < 0 ? vector.Layer!.Value : layer;
        var mode = context.Get(_patchMode) == "add" ? PatchMode.Add : PatchMode.Replace;
        return model.Patch(new ResidualPoint(layer, vector.Point), vector[layer], mode, context.Get(_patchScale), context.Get(_patchGenerated));
    }
}
