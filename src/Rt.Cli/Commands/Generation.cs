// The generating half of rt infer.
using System.Diagnostics;
using System.Text.Json.Nodes;
using Rt.Cli.Output;
using Rt.Eval;
using Rt.Model;

namespace Rt.Cli.Commands;

/// <summary>A prompt to continue.</summary>
/// <param name="Source">Its text as given; null where token ids were given.</param>
/// <param name="TokenIds">Its tokens.</param>
/// <param name="Answer">The text that is right; null where unknown.</param>
internal sealed record GenerationPrompt(string? Source, int[] TokenIds, string? Answer);

/// <summary>Generates and reports.</summary>
internal static class Generation
{
    /// <summary>Continues all prompts; a single one is written as it is made.</summary>
    public static void Run(
        CommandContext context, LanguageModel model, GenerationPrompt[] prompts, GenerationOptions options, KeptKv? kept, int batch)
    {
        var stream = prompts.Length == 1 && !context.Json;
        var results = new List<Model.Generation>();
        var clock = Stopwatch.StartNew();
        var firstTokenMs = double.NaN;
        using (var progress = stream ? null : context.Progress("generating", "prompts"))
        {
            foreach (var chunk in prompts.Chunk(batch))
            {
                results.AddRange(Generator.Generate(model, [.. chunk.Select(prompt => prompt.TokenIds)], options, kept, OnToken, context.Cancellation));
                progress?.Report(results.Count, prompts.Length);
            }
        }

        var elapsed = clock.Elapsed;
        if (stream)
        {
            context.Out.WriteLine();
        }

        var generated = results.Sum(result => result.TokenIds.Count);
        var accuracy = AccuracyOf(prompts, results);
        context.Result(
            () => Json(model, prompts, results, kept, accuracy, elapsed, firstTokenMs),
            () => WriteText(context, prompts, results, accuracy, stream));
        context.Note($"{prompts.Length} {(prompts.Length == 1 ? "prompt" : "prompts")} of {prompts.Sum(prompt => prompt.TokenIds.Length)} tokens"
            + (kept is null ? "" : $" behind {kept.Length} kept entries") + $", first token after {Text.Fixed(firstTokenMs, 1)} ms; "
            + $"{generated} {(generated == 1 ? "token" : "tokens")} in {Text.Duration(elapsed.TotalSeconds)}, {Text.Number(generated / elapsed.TotalSeconds)} tok/s with the prompts, on {model.Device.Name}");

        void OnToken(int prompt, int tokenId, string? text)
        {
            firstTokenMs = double.IsNaN(firstTokenMs) ? clock.Elapsed.TotalMilliseconds : firstTokenMs;
            if (stream)
            {
                context.Out.Write(text ?? $"{tokenId} ");
                context.Out.Flush();
            }
        }
    }

    /// <summary>Whether the first line of a continuation is the answer, spaces at its ends aside. arXiv:2310.15916, published code.</summary>
    private static bool? IsRight(GenerationPrompt prompt, Model.Generation result) => prompt.Answer is null || result.Text is null
        ? null
        : result.Text.TrimStart().Split('\n')[0].Trim() == prompt.Answer.Trim();

    private static Accuracy? AccuracyOf(GenerationPrompt[] prompts, List<Model.Generation> results)
    {
        var right = prompts.Zip(results, IsRight).OfType<bool>().ToArray();
        return right.Length == 0 ? null : Accuracy.Of(right);
    }

    private static void WriteText(
        CommandContext context, GenerationPrompt[] prompts, List<Model.Generation> results, Accuracy? accuracy, bool streamed)
    {
        if (!streamed)
        {
            var table = new TextTable(">prompt", ">tokens", "end", "text");
            foreach (var (i, result) in results.Index())
            {
                table.Add($"{i}", $"{result.TokenIds.Count}", Name(result.Finish), result.Text ?? string.Join(' ', result.TokenIds));
            }

            table.Write(context.Streams);
        }

        if (accuracy is { } value)
        {
            context.Out.WriteLine($"accuracy {Text.Accuracy(value)} (n = {value.Count}, first line equals the answer)");
        }
    }

    private static JsonObject Json(
        LanguageModel model,
        GenerationPrompt[] prompts,
        List<Model.Generation> results,
        KeptKv? kept,
        Accuracy? accuracy,
        TimeSpan elapsed,
        double firstTokenMs)
    {
        var generated = results.Sum(result => result.TokenIds.Count);
        var json = JsonReport.Header("infer", model);
        json["kept_entries"] = kept?.Length ?? 0;
        json["n"] = prompts.Length;
        json["results"] = JsonReport.List(prompts.Zip(results, (prompt, result) => (JsonNode)new JsonObject
        {
            ["prompt"] = prompt.Source,
            ["prompt_token_ids"] = JsonReport.Ids(prompt.TokenIds),
            ["token_ids"] = JsonReport.Ids(result.TokenIds),
            ["text"] = result.Text,
            ["finish"] = Name(result.Finish),
            ["answer"] = prompt.Answer,
            ["correct"] = IsRight(prompt, result),
        }));
        json["accuracy"] = accuracy is { } value ? JsonReport.Accuracy(value) : null;
        json["first_token_ms"] = JsonReport.Number(firstTokenMs);
        json["elapsed_ms"] = JsonReport.Number(elapsed.TotalMilliseconds);
        json["generated_tokens"] = generated;
        json["tokens_per_second"] = JsonReport.Number(generated / elapsed.TotalSeconds);
        return json;
    }

    private static string Name(FinishReason reason) => reason.ToString().ToLowerInvariant();
}
