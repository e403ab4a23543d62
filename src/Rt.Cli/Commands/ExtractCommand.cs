// rt extract: task vectors, from drawn few-shot prompts or from prompts given.
using System.CommandLine;
using System.Globalization;
using System.Text.Json.Nodes;
using Rt.Cli.Output;
using Rt.Core;
using Rt.Eval;
using Rt.Model;

namespace Rt.Cli.Commands;

/// <summary>Extraction of task vectors.</summary>
internal sealed class ExtractCommand : CliCommand
{
    private readonly Option<string?> _demos = new("--demos") { Description = "Pairs to draw few-shot prompts from: .jsonl/.json of {\"input\", \"output\"}", HelpName = "FILE" };
    private readonly Option<string[]> _prompt = OptionKinds.Several("--prompt", "A prompt at whose last token the task is read", "TEXT");
    private readonly Option<string[]> _tokenIds = OptionKinds.Several("--token-ids", "Such a prompt as token ids: 1,2,3", "IDS");
    private readonly Option<string> _layer = new("--layer") { Description = "Layer to write, or all", DefaultValueFactory = _ => "all", HelpName = "L|all" };
    private readonly Option<string> _output = new("--output", "-o") { Description = "File to write", Required = true, HelpName = "OUT" };
    private readonly Option<int> _datasets = OptionKinds.Whole("--datasets", "Few-shot data sets to draw", 5, min: 1);
    private readonly Option<int> _shots = OptionKinds.Whole("--shots", "Demonstrations of each", 5);
    private readonly Option<int> _dummies = OptionKinds.Whole("--dummies", "Dummy queries of each", 2, min: 1);
    private readonly Option<ulong> _seed = new("--seed") { Description = "Seed of the draws", DefaultValueFactory = _ => 0UL, HelpName = "N" };
    private readonly TemplateOptions _template = new(PromptTemplate.TaskVector);
    private readonly Option<string> _point = new("--point") { Description = "Where in the block to read", DefaultValueFactory = _ => "post", HelpName = "pre|mid|post" };
    private readonly Option<int> _top = OptionKinds.Whole("--top", "Tokens to show per layer, read out through the final norm and the head", 5);

    public ExtractCommand(SharedOptions shared)
        : base("extract", "Extract a task vector: the residual stream at the last token of few-shot prompts, averaged (arXiv:2310.15916)", shared)
    {
        Arguments.Add(shared.Model);
        Add([_demos, _prompt, _tokenIds, _layer, _output, _datasets, _shots, _dummies, _seed, _template.Template, _template.Separator, _point, _top,
            .. shared.ForDevice]);
        _point.AcceptOnlyFromAmong("pre", "mid", "post");
    }

    public override IReadOnlyList<string> Notes =>
    [
        "Each drawn data set gives one prompt per dummy query; the vector is the mean over all prompts. --json lists the prompts drawn.",
    ];

    public override IReadOnlyList<string> Examples =>
    [
        "rt extract ./demo --demos demo/capitals.jsonl --layer all -o vector.safetensors",
        "rt extract EleutherAI/pythia-2.8b --demos capitals.json --datasets 50 --shots 5 --seed 41 --layer 13 -o capitals.safetensors",
    ];

    protected override async Task<int> RunAsync(CommandContext context)
    {
        var given = context.Get(_prompt)!;
        var ids = context.Get(_tokenIds)!.Select(OptionKinds.TokenIds).ToArray();
        var demos = context.Get(_demos);
        if ((demos is null) == (given.Length + ids.Length == 0))
        {
            throw new UsageException("give either --demos, or prompts by --prompt or --token-ids");
        }

        OutputPath.CheckFile(context.Get(_output)!);
        var texts = demos is null ? given : Draw(context, demos);
        var model = await context.LoadModelAsync();
        var layer = LayerOf(context, model);
        var point = Enum.Parse<Point>(context.Get(_point)!, ignoreCase: true);
        var prompts = texts.Select(text => model.Encode(text)).Concat(ids).ToArray();
        foreach (var prompt in prompts)
        {
            model.Require(prompt, prompt.Length);
        }

        var clock = System.Diagnostics.Stopwatch.StartNew();
        var vector = TaskVector.Extract(model, prompts, point, context.Cancellation);
        var elapsed = clock.Elapsed;
        vector = layer is { } one ? vector.At(one) : vector;
        vector.Save(context.Get(_output)!, model, context.Cancellation);
        var top = vector.Layers.ToDictionary(at => at, at => vector.TopTokens(model, at, context.Get(_top)));
        context.Result(
            () => Json(context, model, vector, top, texts, prompts, elapsed),
            () => WriteTable(context.Streams, model, vector, top));
        context.Note($"wrote {context.Get(_output)}: mean of {prompts.Length} prompts, {prompts.Sum(prompt => prompt.Length)} tokens in {Text.Duration(elapsed.TotalSeconds)}");
        return 0;
    }

    private string[] Draw(CommandContext context, string path)
    {
        var file = DemonstrationFile.Read(path);
        if (file.Text is not null)
        {
            throw new UsageException($"{path}: drawing few-shot prompts needs pairs (.jsonl or .json); give a text by --prompt");
        }

        var template = _template.Read(context);
        var sets = FewShotDraw.Draw(file.Pairs, context.Get(_datasets), context.Get(_shots), context.Get(_dummies), context.Get(_seed));
        return [.. sets.SelectMany(set => set.Prompts(template))];
    }

    private int? LayerOf(CommandContext context, LanguageModel model)
    {
        var text = context.Get(_layer)!;
        if (text == "all")
        {
            return null;
        }

        return int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var layer) && layer < model.Config.NumHiddenLayers
            ? layer
            : throw new UsageException($"--layer {text}: expected all, or a layer from 0 to {model.Config.NumHiddenLayers - 1}");
    }

    private static void WriteTable(Streams streams, LanguageModel model, TaskVector vector, Dictionary<int, (int TokenId, double Logit)[]> top)
    {
        var table = new TextTable(">layer", ">norm", "top tokens (logit)");
        foreach (var layer in vector.Layers)
        {
            table.Add(
                $"{layer}", Text.Number(Norm(vector[layer])),
                string.Join("  ", top[layer].Select(token => $"'{model.TokenName(token.TokenId)}' {Text.Fixed(token.Logit, 2)}")));
        }

        table.Write(streams);
    }

    private JsonObject Json(
        CommandContext context,
        LanguageModel model,
        TaskVector vector,
        Dictionary<int, (int TokenId, double Logit)[]> top,
        string[] texts,
        int[][] prompts,
        TimeSpan elapsed)
    {
        var json = JsonReport.Header("extract", model);
        json["output"] = context.Get(_output);
        json["point"] = vector.Point.ToString().ToLowerInvariant();
        json["n"] = prompts.Length;
        json["seed"] = context.Get(_demos) is null ? null : context.Get(_seed);
        json["elapsed_ms"] = JsonReport.Number(elapsed.TotalMilliseconds);
        json["layers"] = JsonReport.List(vector.Layers.Select(layer => (JsonNode)new JsonObject
        {
            ["layer"] = layer,
            ["norm"] = JsonReport.Number(Norm(vector[layer])),
            ["top_tokens"] = JsonReport.List(top[layer].Select(token => (JsonNode)new JsonObject
            {
                ["token_id"] = token.TokenId,
                ["token"] = model.TokenName(token.TokenId),
                ["logit"] = JsonReport.Number(token.Logit),
            })),
        }));
        json["prompts"] = JsonReport.List(prompts.Select((prompt, i) => (JsonNode)new JsonObject
        {
            ["text"] = i < texts.Length ? texts[i] : null,
            ["token_ids"] = JsonReport.Ids(prompt),
        }));
        return json;
    }

    private static double Norm(double[] vector) => Math.Sqrt(vector.Sum(x => x * x));
}
