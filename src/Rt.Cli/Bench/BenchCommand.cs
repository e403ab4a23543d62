// The command `rt bench`: options, the random checkpoint where a shape is asked for, and the report.
using System.CommandLine;
using Rt.Cli.Commands;
using Rt.Core;
using Rt.Cpu;
using Rt.Model;

namespace Rt.Cli.Bench;

/// <summary>Measurements of a model.</summary>
internal sealed class BenchCommand : CliCommand
{
    private readonly Argument<string?> _model = new("MODEL")
    {
        Description = "A model folder, or org/name[@revision] from the Hugging Face cache or hub",
        Arity = ArgumentArity.ZeroOrOne,
    };

    private readonly Option<string?> _shape = new("--shape")
    {
        Description = $"Instead of MODEL: random weights of a shape: {string.Join(", ", RandomCheckpoint.ShapeNames)}",
        HelpName = "NAME",
    };

    private readonly Option<string> _type = new("--dtype") { Description = "Dtype of the shape's weights", DefaultValueFactory = _ => "bf16", HelpName = "f32|f16|bf16" };
    private readonly Option<string?> _models = new("--models") { Description = "Where the shape's checkpoint is kept and found again; else it is temporary", HelpName = "FOLDER" };
    private readonly Option<string?> _tests = new("--tests") { Description = "Tests, separated by commas", HelpName = "LIST" };
    private readonly Option<string?> _prompt = new("--n-prompt", "-p") { Description = "Adds ppN for every N of a list", HelpName = "LIST" };
    private readonly Option<string?> _generate = new("--n-gen", "-n") { Description = "Adds tgN for every N of a list", HelpName = "LIST" };
    private readonly Option<string?> _depth = new("--n-depth", "-d") { Description = "Depths at which -p and -n are run", HelpName = "LIST" };
    private readonly Option<int> _repetitions = new("--repetitions", "-r") { Description = "Repetitions of every test", DefaultValueFactory = _ => 5, HelpName = "N" };
    private readonly Option<double> _patience = OptionKinds.Number("--patience", "Seconds per test for which disturbed repetitions are repeated", 10);
    private readonly Option<ulong> _seed = new("--seed") { Description = "Seed of random tokens and weights", DefaultValueFactory = _ => 0UL, HelpName = "N" };
    private readonly Option<bool> _ops = new("--ops") { Description = "Also the time of every op" };
    private readonly Option<string> _output = new("--output", "-o") { Description = "Form of the report; --json is -o json", DefaultValueFactory = _ => "md", HelpName = "md|csv|json|jsonl" };

    public BenchCommand(SharedOptions shared)
        : base("bench", "Measure a model: llama-bench's tests and the research operations, beside the machine's limits", shared)
    {
        Arguments.Add(_model);
        Subcommands.Add(Kernels = new KernelBenchCommand(shared));
        Add([_shape, _type, _models, _tests, _prompt, _generate, _depth, _repetitions, _patience, _seed, _ops, _output, .. shared.ForDevice]);
        _type.AcceptOnlyFromAmong("f32", "f16", "bf16");
        _output.AcceptOnlyFromAmong("md", "csv", "json", "jsonl");
    }

    /// <summary>The command `rt bench kernels`.</summary>
    public KernelBenchCommand Kernels { get; }

    /// <inheritdoc/>
    public override IReadOnlyList<string> Notes =>
    [
        "Tests (pp512 and tg128 where none are named):",
        "  ppN[@dD]      prefill: one prompt of N tokens, logits of the last only; over a kept prefix of D tokens. tok/s, GFLOP/s",
        "  tgN[@dD]      decode: N tokens one by one, batch 1, greedy, after a prompt of D tokens (1 without @d). tok/s, GB/s of weights",
        "  thinkN        one Deep-Thinking step after the first: N demonstration tokens over N kept entries, with the update. ms",
        "  updateN       the meta-gradient update alone, all layers, N entries. ms, GB/s of its five streams (three read, two written)",
        "  scoreQxT[@P]  Q queries of T tokens, two one-token options each, over a kept prefix of P tokens; score is 64x16@512. queries/s",
        "  extractQxT    the residual stream at the end of Q prompts of T tokens, all layers; extract is 50x80. ms",
        "  sweepQxT      Q queries of T tokens, each patched at every layer; sweep is 50x12. ms",
        "  load          from the folder to the first token, with the process's peak memory; runs first. ms",
        "GFLOP/s count two per multiply-add of products and of attention over the keys a row sees. The limit is the read bandwidth (tg, update)",
        "or the FP32 multiply-add rate (others), each measured with the same threads before and after every repetition; the per cent is the",
        "median over the repetitions. GB = 1e9 bytes. Every test is warmed up, then repeated. 'others busy' counts the processors that other",
        "processes kept busy; a repetition above 0.15 is disturbed: it is repeated while --patience lasts, then kept and marked.",
    ];

    /// <inheritdoc/>
    public override IReadOnlyList<string> Examples =>
    [
        "rt bench ./model -p 512 -n 128 -d 0,512",
        "rt bench --shape llama-134m --dtype bf16 --tests pp512,tg128@d512,think512,score64x16@512,sweep,extract,load",
        "rt bench --shape gpt2-tiny --tests tg64 --ops --threads 1 -o json",
    ];

    /// <inheritdoc/>
    protected override async Task<int> RunAsync(CommandContext context)
    {
        var shape = context.Get(_shape);
        var model = context.Get(_model);
        if (model is null == shape is null)
        {
            throw new UsageException("bench: expected either MODEL or --shape");
        }

        var threads = context.Get(Shared.Threads);
        var options = new BenchOptions
        {
            Repetitions = context.Get(_repetitions) is >= 1 and var count ? count : throw new UsageException("--repetitions: expected at least 1"),
            Patience = context.Get(_patience),
            Seed = context.Get(_seed),
            Threads = threads ?? CpuOptions.FromEnvironment().Threads ?? Environment.ProcessorCount,
            Ops = context.Get(_ops),
        };
        var specs = Specs(context);
        var temporary = shape is not null && context.Get(_models) is null ? Directory.CreateTempSubdirectory("rt-bench-").FullName : null;
        try
        {
            var folder = shape is null
                ? await context.ModelFolderAsync(model!)
                : Checkpoint(context, shape, temporary ?? context.Get(_models)!, options.Seed);
            var weights = LanguageModel.WeightTypeOf(folder);
            var runner = new BenchRunner(folder, () => CreateDevice(weights), options, context.Note);
            var (device, weightType, weightBytes, rows) = runner.Run(specs, context.Cancellation);
            new BenchReport(shape ?? model!, weightType, weightBytes, device, options.Seed, rows)
                .Write(context.Out, context.Json ? BenchFormat.Json : Enum.Parse<BenchFormat>(context.Get(_output)!, ignoreCase: true));
            return 0;
        }
        finally
        {
            if (temporary is not null)
            {
                Directory.Delete(temporary, recursive: true);
            }
        }

        IDevice CreateDevice(DType weights) => Devices.Open(context.Get(Shared.Device)!, context.DeviceSettings, weights);
    }

    /// <summary>The folder of a shape's checkpoint, written where it is not there yet.</summary>
    private string Checkpoint(CommandContext context, string shape, string root, ulong seed)
    {
        var type = Enum.Parse<DType>(context.Get(_type)!, ignoreCase: true);
        var folder = Path.Combine(root, $"{shape}-{context.Get(_type)}{(seed == 0 ? "" : $"-seed{seed}")}");
        if (!File.Exists(Path.Combine(folder, "config.json")))
        {
            context.Note($"writing {folder}");
            RandomCheckpoint.Write(folder, shape, type, seed, context.Cancellation);
        }

        return folder;
    }

    /// <summary>The tests asked for; pp512 and tg128, as llama-bench has it, where none were.</summary>
    private List<BenchSpec> Specs(CommandContext context)
    {
        var (tests, prompt, generate) = (context.Get(_tests), context.Get(_prompt), context.Get(_generate));
        if (tests is null && prompt is null && generate is null)
        {
            (prompt, generate) = ("512", "128");
        }

        var specs = new List<BenchSpec>();
        foreach (var depth in Items(context.Get(_depth) ?? "0"))
        {
            var at = depth == "0" ? "" : $"@d{depth}";
            specs.AddRange(Items(prompt).Select(n => BenchSpec.Parse($"pp{n}{at}")));
            specs.AddRange(Items(generate).Select(n => BenchSpec.Parse($"tg{n}{at}")));
        }

        specs.AddRange(Items(tests).Select(BenchSpec.Parse));
        return specs.Count > 0 ? specs : throw new UsageException("--tests: expected at least one test, found none");
    }

    private static string[] Items(string? list) =>
        list?.Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries) ?? [];
}
