// rt dual: attention with demonstrations beside its explicit gradient-descent form, head by head.
using System.CommandLine;
using System.Text.Json.Nodes;
using Rt.Cli.Output;
using Rt.Core;
using Rt.Eval;
using Rt.Model;

namespace Rt.Cli.Commands;

/// <summary>The dual of attention and gradient descent.</summary>
internal sealed class DualCommand : CliCommand
{
    /// <summary>Rounding of sums of products in F32, with room for long demonstrations; F64 has the same room.</summary>
    private const double ToleranceF32 = 1e-3;

    private const double ToleranceF64 = 1e-10;

    private readonly Option<string?> _demos = new("--demos") { Description = "Demonstrations: .txt verbatim, or .jsonl/.json of {\"input\", \"output\"}", HelpName = "FILE" };
    private readonly Option<string?> _tokenIds = new("--token-ids") { Description = "Demonstrations as token ids: 1,2,3", HelpName = "IDS" };
    private readonly Option<string> _queries = new("--queries") { Description = "JSON lines {\"input\" | \"token_ids\"}", Required = true, HelpName = "FILE" };
    private readonly TemplateOptions _template = new(PromptTemplate.DeepThinking);

    public DualCommand(SharedOptions shared)
        : base("dual", "Per head: softmax attention with demonstrations beside the weight update ΔW that linear attention over them is", shared)
    {
        Arguments.Add(shared.Model);
        Add([_demos, _tokenIds, _queries, _template.Template, _template.Separator, .. shared.ForDevice]);
    }

    public override IReadOnlyList<string> Notes =>
    [
        "ΔW = scale * sum of v_i k_i^T over the demonstrations, a step of gradient descent (arXiv:2202.05798, arXiv:2212.10559); q is the query's last token.",
        "forms: largest relative difference of linear attention and its weight-matrix form, which must be rounding (else exit code 6).",
        "with/without: cosine of softmax attention with and without demonstrations. with/updated: with, and without + ΔW q. effect/update: (with - without) and ΔW q.",
    ];

    public override IReadOnlyList<string> Examples => ["rt dual ./demo --demos demo/capitals.jsonl --queries demo/queries.jsonl --template 'example:{input}->{output}' --separator '\\n'"];

    protected override async Task<int> RunAsync(CommandContext context)
    {
        var demos = context.Get(_demos);
        var tokenIds = context.Get(_tokenIds);
        if ((demos is null) == (tokenIds is null))
        {
            throw new UsageException("give demonstrations by --demos or --token-ids");
        }

        var queries = QueryFile.Read(context.Get(_queries)!);
        var template = _template.Read(context);
        var file = demos is null ? null : DemonstrationFile.Read(demos);
        var model = await context.LoadModelAsync();
        var ids = file is null ? OptionKinds.TokenIds(tokenIds!) : model.Encode(file.TextBy(template));
        var tokens = queries.Select(query => query.TokenIds ?? model.Encode(template.Query(query.Input!), addSpecialTokens: false)).ToArray();
        using var kept = DeepThinking.Begin(model, ids, new ThinkOptions(), context.Cancellation);
        IReadOnlyList<HeadDual> heads;
        using (var progress = context.Progress("measuring", "queries"))
        {
            heads = DualForm.Measure(model, kept, tokens, done => progress.Report(done, tokens.Length), context.Cancellation);
        }

        context.Result(() => Json(model, kept, tokens.Length, heads), () => WriteTable(context, kept, tokens.Length, heads));
        var worst = heads.MaxBy(head => head.FormDifference);
        var tolerance = model.Device.ActivationType == DType.F64 ? ToleranceF64 : ToleranceF32;
        return worst.FormDifference <= tolerance
            ? 0
            : throw new NumericsException($"layer {worst.Layer}, head {worst.Head}: the two forms of linear attention differ by "
                + $"{Text.Number(worst.FormDifference)}, more than {Text.Number(tolerance)}");
    }

    private static void WriteTable(CommandContext context, KeptKv kept, int count, IReadOnlyList<HeadDual> heads)
    {
        var table = new TextTable(">layer", ">head", ">forms", ">with/without", ">with/updated", ">effect/update", ">|ΔW q| / |with|");
        foreach (var head in heads)
        {
            table.Add(
                $"{head.Layer}", $"{head.Head}", Text.Number(head.FormDifference), Text.Fixed(head.WithWithout, 4), Text.Fixed(head.WithUpdated, 4),
                Text.Fixed(head.EffectUpdate, 4), Text.Number(head.UpdateSize));
        }

        table.Write(context.Streams);
        context.Out.WriteLine($"means over n = {count} queries at their last token, {kept.Length} demonstration tokens; forms: the largest");
    }

    private static JsonObject Json(LanguageModel model, KeptKv kept, int count, IReadOnlyList<HeadDual> heads)
    {
        var json = JsonReport.Header("dual", model);
        json["n"] = count;
        json["demonstration_tokens"] = kept.Length;
        json["heads"] = JsonReport.List(heads.Select(head => (JsonNode)new JsonObject
        {
            ["layer"] = head.Layer,
            ["head"] = head.Head,
            ["form_difference"] = JsonReport.Number(head.FormDifference),
            ["cosine_with_without"] = JsonReport.Number(head.WithWithout),
            ["cosine_with_updated"] = JsonReport.Number(head.WithUpdated),
            ["cosine_effect_update"] = JsonReport.Number(head.EffectUpdate),
            ["update_size"] = JsonReport.Number(head.UpdateSize),
        }));
        return json;
    }
}
