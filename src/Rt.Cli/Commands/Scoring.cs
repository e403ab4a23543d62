// The scoring half of rt infer.
using System.Diagnostics;
using System.Text.Json.Nodes;
using Rt.Cli.Output;
using Rt.Eval;
using Rt.Model;

namespace Rt.Cli.Commands;

/// <summary>Scores options and reports.</summary>
internal static class Scoring
{
    /// <summary>Scores all queries.</summary>
    public static void Run(CommandContext context, LanguageModel model, OptionScoring scoring, KeptKv? kept, int batch)
    {
        var clock = Stopwatch.StartNew();
        IReadOnlyList<ScoredQuery> scored;
        using (var progress = context.Progress("scoring", "queries"))
        {
            scored = scoring.Score(kept, batch, done => progress.Report(done, scoring.Count), context.Cancellation);
        }

        var elapsed = clock.Elapsed;
        var accuracy = OptionScoring.AccuracyOf(scored);
        var perToken = OptionScoring.AccuracyOf(scored, perToken: true);
        context.Result(
            () =>
            {
                var json = JsonReport.Header("infer", model);
                json["kept_entries"] = kept?.Length ?? 0;
                json["n"] = scored.Count;
                json["results"] = JsonReport.List(scored.Select(one => (JsonNode)Json(one)));
                json["accuracy"] = accuracy is { } sum ? JsonReport.Accuracy(sum) : null;
                json["accuracy_per_token"] = perToken is { } mean ? JsonReport.Accuracy(mean) : null;
                json["elapsed_ms"] = JsonReport.Number(elapsed.TotalMilliseconds);
                json["queries_per_second"] = JsonReport.Number(scored.Count / elapsed.TotalSeconds);
                return json;
            },
            () => WriteText(context, scored, accuracy, perToken));
        context.Note($"{scored.Count} queries" + (kept is null ? "" : $" behind {kept.Length} kept entries")
            + $" in {Text.Duration(elapsed.TotalSeconds)}, {Text.Number(scored.Count / elapsed.TotalSeconds)} queries/s, on {model.Device.Name}");
    }

    private static void WriteText(CommandContext context, IReadOnlyList<ScoredQuery> scored, Accuracy? accuracy, Accuracy? perToken)
    {
        var table = new TextTable(">query", "prediction", ">log p", ">per token", "answer", "");
        foreach (var (i, one) in scored.Index())
        {
            var best = one.Scores[one.Prediction];
            var answer = one.Query.AnswerIndex;
            table.Add(
                $"{i}", one.Query.OptionName(one.Prediction), Text.Fixed(best.LogProbability, 4), Text.Fixed(best.PerToken, 4),
                answer is null ? "" : one.Query.OptionName(answer.Value), answer is null ? "" : answer == one.Prediction ? "right" : "wrong");
        }

        table.Write(context.Streams);
        if (accuracy is { } sum && perToken is { } mean)
        {
            context.Out.WriteLine($"accuracy {Text.Accuracy(sum)} by the sum of log-probabilities, {Text.Accuracy(mean)} per token (n = {sum.Count})");
        }
    }

    private static JsonObject Json(ScoredQuery one) => new()
    {
        ["input"] = one.Query.Input,
        ["token_ids"] = one.Query.TokenIds is { } ids ? JsonReport.Ids(ids) : null,
        ["options"] = JsonReport.List(one.Scores.Select((score, option) => (JsonNode)new JsonObject
        {
            ["option"] = one.Query.OptionName(option),
            ["log_probability"] = JsonReport.Number(score.LogProbability),
            ["log_probability_per_token"] = JsonReport.Number(score.PerToken),
            ["tokens"] = score.TokenCount,
        })),
        ["prediction"] = one.Prediction,
        ["prediction_per_token"] = one.PredictionPerToken,
        ["answer"] = one.Query.AnswerIndex,
        ["correct"] = one.Query.AnswerIndex is { } answer ? answer == one.Prediction : null,
    };
}
