// Results as JSON: the keys of lm-evaluation-harness, and under "rt" everything that its form has no place for.
using System.Text.Json.Nodes;

namespace Rt.Eval;

/// <summary>Builds the JSON documents of a run.</summary>
public static class ResultsJson
{
    private const string Version = "1";

    /// <summary>The results document.</summary>
    /// <param name="manifest">What the run is.</param>
    /// <param name="records">All units.</param>
    /// <param name="rows">From <see cref="ResultTable"/>.</param>
    public static JsonObject Results(RunManifest manifest, IReadOnlyList<UnitRecord> records, IReadOnlyList<ResultRow> rows)
    {
        var tasks = rows.Where(row => row.Samples.Count > 0).ToArray();
        var means = rows.Where(row => row.Samples.Count == 0).ToArray();
        var finished = records.All(record => record.Finished is not null) ? records.Max(record => record.Finished) : null;
        return new JsonObject
        {
            ["results"] = ByKey(tasks, row => Metrics(manifest, row)),
            ["groups"] = ByKey(means, row => Metrics(manifest, row)),
            ["group_subtasks"] = ByKey(means, mean => List(tasks
                .Where(row => row.Method == mean.Method && !row.Task.Contains('←', StringComparison.Ordinal)).Select(row => (JsonNode)Key(row)))),
            ["configs"] = ByKey(tasks, row => Config(manifest, row)),
            ["versions"] = ByKey(tasks, _ => Version),
            ["n-shot"] = ByKey(tasks, row => row.Shots),
            ["higher_is_better"] = ByKey(tasks, row => new JsonObject { [Metric(manifest, row)] = true }),
            ["n-samples"] = ByKey(tasks, row => new JsonObject { ["original"] = row.Samples.Count, ["effective"] = row.Samples.Count }),
            ["config"] = new JsonObject
            {
                ["model"] = "rt",
                ["model_args"] = $"pretrained={manifest.Model.Name},dtype={manifest.Model.Dtype}",
                ["model_dtype"] = manifest.Model.Dtype,
                ["model_sha"] = manifest.Model.Identity,
                ["batch_size"] = "auto",
                ["device"] = manifest.Model.Device,
                ["limit"] = manifest.Settings.Draw.Queries,
                ["bootstrap_iters"] = manifest.Reading.Resamples,
                ["seeds"] = List(manifest.Settings.Seeds.Select(seed => (JsonNode)JsonValue.Create(seed))),
            },
            ["git_hash"] = manifest.Version,
            ["date"] = finished,
            ["task_hashes"] = ByKey(tasks, row => TaskOf(manifest, row).Digest),
            ["model_source"] = "rt",
            ["model_name"] = manifest.Model.Name,
            ["chat_template"] = null,
            ["chat_template_sha"] = null,
            ["total_evaluation_time_seconds"] = manifest.Settings.Timing ? Number(Seconds(records)) : null,
            ["rt"] = Own(manifest, records, rows),
        };
    }

    /// <summary>A line per query and row of a task: the keys of lm-evaluation-harness' sample files, and what was drawn.</summary>
    public static IEnumerable<JsonObject> Samples(RunManifest manifest, IEnumerable<ResultRow> rows)
    {
        foreach (var row in rows)
        {
            var task = TaskOf(manifest, row);
            var template = new PromptTemplate(task.Template, task.Separator);
            foreach (var (i, sample) in row.Samples.Index())
            {
                var prompted = row.Shots > 0 && !row.Method.StartsWith(Methods.TaskVector, StringComparison.Ordinal);
                var prompt = prompted
                    ? template.FewShot(sample.Set.Demonstrations.Select(example => example.Demonstration), sample.Query.Input)
                    : template.Query(sample.Query.Input);
                yield return new JsonObject
                {
                    ["doc_id"] = i,
                    ["task"] = row.Task,
                    ["method"] = row.Method,
                    ["seed"] = sample.Set.Seed,
                    ["set"] = sample.Set.Index,
                    ["at"] = row.Choice is null ? null : sample.At,
                    ["doc"] = Document(sample.Query),
                    ["target"] = sample.Query.Output,
                    ["arguments"] = List([List([JsonValue.Create(prompt)])]),
                    ["resps"] = List([List([JsonValue.Create(sample.Prediction)])]),
                    ["filtered_resps"] = List([JsonValue.Create(sample.Prediction)]),
                    ["filter"] = "none",
                    ["metrics"] = List([JsonValue.Create(Metric(manifest, row))]),
                    [Metric(manifest, row)] = sample.Correct ? 1.0 : 0.0,
                };
            }
        }
    }

    /// <summary>A row as one object.</summary>
    public static JsonObject Row(ResultRow row) => new()
    {
        ["task"] = row.Task,
        ["method"] = row.Method,
        ["control"] = row.Control,
        ["choice"] = row.Choice?.ToString().ToLowerInvariant(),
        ["at"] = List(row.At.Select(at => (JsonNode)JsonValue.Create(at))),
        ["n"] = row.Accuracy.Count,
        ["shots"] = row.Shots,
        ["accuracy"] = Number(row.Value),
        ["stderr"] = Number(row.StandardError),
        ["stderr_clustered"] = Number(row.ClusteredError),
        ["sd_over_seeds"] = Number(row.SeedDeviation),
        ["accuracy_per_token"] = row.PerToken is { } perToken ? Number(perToken) : null,
        ["difference_from_icl"] = row.Difference is { } difference
            ? new JsonObject
            {
                ["value"] = Number(difference.Value),
                ["low"] = Number(difference.Low),
                ["high"] = Number(difference.High),
                ["resampled"] = difference.Unit,
                ["resampled_units"] = difference.Units,
            }
            : null,
        ["tokens_per_query"] = Number(row.TokensPerQuery),
        ["ms_per_query"] = Number(row.MillisecondsPerQuery),
    };

    private static JsonObject Own(RunManifest manifest, IReadOnlyList<UnitRecord> records, IReadOnlyList<ResultRow> rows) => new()
    {
        ["format"] = RunManifest.CurrentFormat,
        ["version"] = manifest.Version,
        ["fingerprint"] = manifest.Fingerprint,
        ["model"] = JsonNode.Parse(EvalJson.Text(manifest.Model)),
        ["settings"] = JsonNode.Parse(EvalJson.Text(manifest.Settings)),
        ["tasks"] = List(manifest.Tasks.Select(task => (JsonNode)new JsonObject { ["name"] = task.Name, ["group"] = task.Group, ["source"] = task.Source })),
        ["rows"] = List(rows.Select(row => (JsonNode)Row(row))),
        ["curves"] = List(Curves.Accuracies(records).Select(curve => (JsonNode)new JsonObject
        {
            ["task"] = curve.Task,
            ["method"] = curve.Method,
            ["control"] = curve.Control,
            ["axis"] = curve.Axis,
            ["at"] = List(curve.At.Select(at => (JsonNode)JsonValue.Create(at))),
            ["n"] = curve.Accuracies[0].Count,
            ["accuracy"] = Numbers(curve.Accuracies.Select(accuracy => accuracy.Value)),
            ["stderr"] = Numbers(curve.Accuracies.Select(accuracy => accuracy.StandardError)),
            ["dev_n"] = curve.Dev.Count > 0 ? curve.Dev[0].Count : 0,
            ["dev_accuracy"] = Numbers(curve.Dev.Select(accuracy => accuracy.Value)),
        })),
        ["gradient_norms"] = List(Curves.Norms(records).Select(norms => (JsonNode)new JsonObject
        {
            ["task"] = norms.Task,
            ["key"] = List(norms.Key.Select(Numbers)),
            ["value"] = List(norms.Value.Select(Numbers)),
        })),
        ["similarity"] = Curves.Similarity(records) is { } similarity
            ? new JsonObject
            {
                ["tasks"] = List(similarity.Tasks.Select(task => (JsonNode)JsonValue.Create(task))),
                ["layer"] = similarity.Layer,
                ["matrix"] = List(similarity.Matrix.Select(Numbers)),
                ["within"] = Numbers(similarity.Within),
                ["between"] = Numbers(similarity.Between),
                ["histogram_from"] = Number(similarity.Lowest),
                ["within_histogram"] = List(similarity.WithinCosines.Select(count => (JsonNode)JsonValue.Create(count))),
                ["between_histogram"] = List(similarity.BetweenCosines.Select(count => (JsonNode)JsonValue.Create(count))),
            }
            : null,
        ["top_tokens"] = List(Curves.TopTokens(records).Select(tokens => (JsonNode)new JsonObject
        {
            ["task"] = tokens.Task,
            ["layer"] = tokens.Layer,
            ["by_layer"] = List(tokens.ByLayer.Select(layer => List(layer.Select(token => (JsonNode)new JsonObject
            {
                ["token"] = token.Token,
                ["logit"] = Number(token.Logit),
            })))),
        })),
    };

    private static JsonObject Metrics(RunManifest manifest, ResultRow row)
    {
        var metric = row.Samples.Count > 0 ? Metric(manifest, row) : "acc";
        var metrics = new JsonObject
        {
            ["alias"] = $"{row.Task}: {row.Method}",
            ["acc,none"] = Number(row.Value),
            ["acc_stderr,none"] = Number(row.StandardError),
        };
        if (metric != "acc")
        {
            metrics[$"{metric},none"] = Number(row.Value);
            metrics[$"{metric}_stderr,none"] = Number(row.StandardError);
        }

        if (row.PerToken is { } perToken)
        {
            metrics["acc_per_token,none"] = Number(perToken);
        }

        return metrics;
    }

    private static JsonObject Config(RunManifest manifest, ResultRow row)
    {
        var task = TaskOf(manifest, row);
        return new JsonObject
        {
            ["task"] = row.Task,
            ["tag"] = task.Group,
            ["dataset_path"] = task.Source,
            ["doc_to_text"] = task.Template,
            ["fewshot_delimiter"] = task.Separator,
            ["num_fewshot"] = row.Shots,
            ["output_type"] = task.HasOptions ? "multiple_choice" : "generate_until",
            ["metadata"] = new JsonObject { ["version"] = Version, ["method"] = row.Method },
        };
    }

    private static JsonObject Document(EvalExample query)
    {
        var document = new JsonObject { ["input"] = query.Input, ["output"] = query.Output };
        if (query.Options is { } options)
        {
            document["options"] = List(options.Select(option => (JsonNode)JsonValue.Create(option)));
        }

        return document;
    }

    /// <summary>lm-evaluation-harness calls accuracy over options acc, and equality of generated text exact_match.</summary>
    private static string Metric(RunManifest manifest, ResultRow row) => TaskOf(manifest, row).HasOptions ? "acc" : "exact_match";

    private static RunTask TaskOf(RunManifest manifest, ResultRow row)
    {
        var name = row.Samples.Count > 0 ? row.Samples[0].Unit.Task : row.Task;
        return manifest.Tasks.First(task => task.Name == name);
    }

    private static string Key(ResultRow row) => $"{row.Task}@{row.Method.Replace(", ", "_").Replace(' ', '_')}";

    private static double Seconds(IReadOnlyList<UnitRecord> records) =>
        records.Sum(record => record.Measurements.Sum(measurement => measurement.Milliseconds.Count == 0 ? 0 : measurement.Axis == "step"
            ? measurement.Milliseconds[^1]
            : measurement.Milliseconds.Sum())) / 1000;

    private static JsonObject ByKey(IEnumerable<ResultRow> rows, Func<ResultRow, JsonNode?> value)
    {
        var json = new JsonObject();
        foreach (var row in rows)
        {
            json[Key(row)] = value(row);
        }

        return json;
    }

    private static JsonNode? Number(double value) => double.IsFinite(value) ? JsonValue.Create(value) : null;

    private static JsonArray Numbers(IEnumerable<double> values) => List(values.Select(Number));

    private static JsonArray List(IEnumerable<JsonNode?> items) => [.. items];
}
