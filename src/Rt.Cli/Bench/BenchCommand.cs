// The command `rt bench`: options, the random checkpoint where a shape is asked for, and the report.
using System.CommandLine;
using Rt.Core;
using Rt.Cpu;
using Rt.Cpu.Reference;
using Rt.Model;

namespace Rt.Cli.Bench;

/// <summary>Makes the command <c>rt bench</c>.</summary>
public static class BenchCommand
{
    private const string Definitions = """
        Measures a model: llama-bench's tests and the two research operations.

        Tests (--tests, separated by commas; -p, -n and -d add llama-bench's own):
          ppN[@dD]          prefill: one prompt of N tokens, logits of the last only; over a kept prefix of D tokens. tok/s, GFLOP/s
          tgN[@dD]          decode: N tokens one by one, batch 1, greedy, from a prompt of D tokens (1 without @d). tok/s, GB/s of weights
          thinkN            one Deep-Thinking step (T > 1): N demonstration tokens forward over N kept entries, with the update. ms
          updateN           the meta-gradient update alone, all layers, N entries. ms, GB/s of its five streams (three read, two written)
          score[QxT[@P]]    Q queries of T tokens, two one-token options each, over a kept prefix of P tokens; 64x16@512. queries/s
          extract[QxT]      the residual stream at the end of Q prompts of T tokens, all layers; 50x80. ms
          sweep[QxT]        Q queries of T tokens, each patched at every layer; 50x12. ms
          load              from the folder to the first token, with the process's peak memory; runs first. ms

        GFLOP/s count two per multiply-add of products and attention over the keys a row sees. The limit is the read bandwidth (tg, update) or the
        FP32 multiply-add rate (others), each measured with the same threads before and after every repetition; the per cent is the median over
        the repetitions. GB = 1e9 bytes. Every test is warmed up, then repeated -r times. 'others busy' is the number of processors that
        other processes kept busy; a repetition above 0.15 is disturbed: it is repeated for --patience seconds, then kept and marked.
        """;

    /// <summary>The command, to be added to the root command.</summary>
    /// <param name="resolveModel">Turns what the user wrote into a model folder; null where only folders are meant.</param>
    public static Command Create(Func<string, CancellationToken, string>? resolveModel = null)
    {
        var model = new Argument<string?>("MODEL") { Description = "Model folder or org/name[@revision]", Arity = ArgumentArity.ZeroOrOne };
        var shape = new Option<string?>("--shape") { Description = $"Instead of MODEL: random weights of a shape: {string.Join(", ", RandomCheckpoint.ShapeNames)}" };
        var type = new Option<string>("--dtype") { Description = "Dtype of the shape's weights: f32, f16, bf16", DefaultValueFactory = _ => "bf16" };
        var models = new Option<string?>("--models") { Description = "Folder in which the shape's checkpoint is kept and found again; else it is temporary" };
        var tests = new Option<string?>("--tests") { Description = "Tests, separated by commas" };
        var prompt = new Option<string?>("--n-prompt", "-p") { Description = "Adds ppN for every N of a list" };
        var generate = new Option<string?>("--n-gen", "-n") { Description = "Adds tgN for every N of a list" };
        var depth = new Option<string?>("--n-depth", "-d") { Description = "Depths at which -p and -n are run" };
        var repetitions = new Option<int>("--repetitions", "-r") { Description = "Repetitions of every test", DefaultValueFactory = _ => 5 };
        var patience = new Option<double>("--patience") { Description = "Seconds per test for which disturbed repetitions are repeated", DefaultValueFactory = _ => 10 };
        var seed = new Option<ulong>("--seed") { Description = "Seed of random tokens and weights", DefaultValueFactory = _ => 0 };
        var ops = new Option<bool>("--ops") { Description = "Also prints the time of every op" };
        var device = new Option<string>("--device") { Description = "cpu or reference", DefaultValueFactory = _ => "cpu" };
        var threads = new Option<int?>("--threads") { Description = "Threads that compute; one per processor without it" };
        var invariant = new Option<bool>("--batch-invariant") { Description = "A row's bits do not depend on its batch" };
        var output = new Option<string>("--output", "-o") { Description = "md, csv, json or jsonl", DefaultValueFactory = _ => "md" };
        var json = new Option<bool>("--json") { Description = "Same as -o json" };

        var command = new Command("bench", Definitions)
        {
            model, shape, type, models, tests, prompt, generate, depth, repetitions, patience, seed, ops, device, threads, invariant, output, json,
        };
        command.SetAction((parse, cancellation) =>
        {
            var request = new Request(
                parse.GetValue(model), parse.GetValue(shape), parse.GetValue(type)!, parse.GetValue(models),
                Specs(parse.GetValue(tests), parse.GetValue(prompt), parse.GetValue(generate), parse.GetValue(depth)),
                Device(parse.GetValue(device)!, parse.GetValue(threads), parse.GetValue(invariant)),
                new BenchOptions
                {
                    Repetitions = parse.GetValue(repetitions) is >= 1 and var count ? count : throw new UsageException("-r: expected at least 1"),
                    Patience = parse.GetValue(patience),
                    Seed = parse.GetValue(seed),
                    Threads = parse.GetValue(threads) ?? CpuOptions.FromEnvironment().Threads ?? Environment.ProcessorCount,
                    Ops = parse.GetValue(ops),
                },
                parse.GetValue(json) ? BenchFormat.Json : Format(parse.GetValue(output)!));
            Run(request, resolveModel, cancellation);
            return Task.FromResult(0);
        });
        return command;
    }

    private static void Run(Request request, Func<string, CancellationToken, string>? resolveModel, CancellationToken cancellation)
    {
        if (request.Model is null == request.Shape is null)
        {
            throw new UsageException("bench: expected MODEL or --shape NAME, not both");
        }

        var temporary = "";
        try
        {
            string folder;
            if (request.Shape is { } shape)
            {
                var type = Enum.TryParse<DType>(request.Type, ignoreCase: true, out var parsed)
                    ? parsed
                    : throw new UsageException($"--dtype '{request.Type}': expected f32, f16 or bf16");
                var root = request.Models ?? (temporary = Path.Combine(Path.GetTempPath(), $"rt-bench-{Guid.NewGuid():N}"));
                folder = Path.Combine(root, $"{shape}-{type.ToString().ToLowerInvariant()}{(request.Options.Seed == 0 ? "" : $"-seed{request.Options.Seed}")}");
                if (!File.Exists(Path.Combine(folder, "config.json")))
                {
                    Console.Error.WriteLine($"writing {folder}");
                    RandomCheckpoint.Write(folder, shape, type, request.Options.Seed, cancellation);
                }
            }
            else
            {
                folder = resolveModel?.Invoke(request.Model!, cancellation) ?? request.Model!;
            }

            var runner = new BenchRunner(folder, request.CreateDevice, request.Options, Console.Error.WriteLine);
            var (device, weightType, weightBytes, rows) = runner.Run(request.Specs, cancellation);
            new BenchReport(request.Shape ?? request.Model!, weightType, weightBytes, device, request.Options.Seed, rows)
                .Write(Console.Out, request.Format);
        }
        finally
        {
            if (temporary != "" && Directory.Exists(temporary))
            {
                Directory.Delete(temporary, recursive: true);
            }
        }
    }

    /// <summary>The tests asked for; pp512 and tg128, as llama-bench has it, where none were.</summary>
    private static List<BenchSpec> Specs(string? tests, string? prompt, string? generate, string? depth)
    {
        var specs = new List<BenchSpec>();
        if (tests is null && prompt is null && generate is null)
        {
            (prompt, generate) = ("512", "128");
        }

        string[] depths = depth is null ? [""] : [.. Items(depth).Select(d => d == "0" ? "" : $"@d{d}")];
        foreach (var at in depths)
        {
            specs.AddRange(Items(prompt).Select(n => BenchSpec.Parse($"pp{n}{at}")));
            specs.AddRange(Items(generate).Select(n => BenchSpec.Parse($"tg{n}{at}")));
        }

        specs.AddRange(BenchSpec.ParseList(tests ?? ""));
        return specs;

        static string[] Items(string? list) =>
            list?.Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries) ?? [];
    }

    private static Func<IDevice> Device(string name, int? threads, bool batchInvariant) => name switch
    {
        "cpu" => () =>
        {
            var options = CpuOptions.FromEnvironment();
            return new CpuDevice(options with { Threads = threads ?? options.Threads, BatchInvariant = batchInvariant });
        }
        ,
        "reference" => () => new ReferenceDevice(),
        _ => throw new UsageException($"--device '{name}': expected cpu or reference"),
    };

    private static BenchFormat Format(string name) => name switch
    {
        "md" => BenchFormat.Md,
        "csv" => BenchFormat.Csv,
        "json" => BenchFormat.Json,
        "jsonl" => BenchFormat.Jsonl,
        _ => throw new UsageException($"-o '{name}': expected md, csv, json or jsonl"),
    };

    private sealed record Request(
        string? Model,
        string? Shape,
        string Type,
        string? Models,
        IReadOnlyList<BenchSpec> Specs,
        Func<IDevice> CreateDevice,
        BenchOptions Options,
        BenchFormat Format);
}
