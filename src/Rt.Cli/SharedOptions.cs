// Options and arguments that several commands share.
using System.CommandLine;

namespace Rt.Cli;

/// <summary>Options of every command, and those of commands that compute.</summary>
internal sealed class SharedOptions
{
    public Option<bool> Json { get; } = new("--json") { Description = "Write the result as one JSON document", Recursive = true };

    public Option<bool> Quiet { get; } = new("--quiet", "-q") { Description = "No notes and no progress, only results, warnings and errors", Recursive = true };

    public Option<bool> NoProgress { get; } = new("--no-progress") { Description = "No progress lines", Recursive = true };

    public Option<bool> Trace { get; } = new("--trace") { Description = "Show the stack of an error", Recursive = true };

    /// <summary>Options of every command.</summary>
    public IReadOnlyList<Option> All => [Json, Quiet, NoProgress, Trace];

    public Option<string> Device { get; } = new("--device")
    {
        Description = "Device that computes: cpu, reference, simulator, cuda or cuda:N",
        DefaultValueFactory = _ => "cpu",
        HelpName = "NAME",
    };

    public Option<int?> Threads { get; } = new("--threads") { Description = "Threads of the cpu device (no more run than there are processors) or the simulator; all processors by default", HelpName = "N" };

    public Option<bool> BatchInvariant { get; } = new("--batch-invariant")
    {
        Description = "A row's bits do not depend on the batch it sits in; slower",
    };

    public Option<string?> Activations { get; } = TypeOption();

    public Option<bool> Tf32 { get; } = new("--tf32")
    {
        Description = "On simulator and cuda, products of f32 activations on tensor cores, operands rounded to tf32",
    };

    /// <summary>Options of commands that compute.</summary>
    public IReadOnlyList<Option> ForDevice => [Device, Threads, BatchInvariant, Activations, Tf32];

    /// <summary>The model argument.</summary>
    public Argument<string> Model { get; } = new("MODEL")
    {
        Description = "A model folder, or org/name[@revision] from the Hugging Face cache or hub",
    };

    private static Option<string?> TypeOption()
    {
        var option = new Option<string?>("--activations")
        {
            Description = "Dtype of activations on simulator and cuda; the model's by default",
            HelpName = "f32|bf16|f16",
        };
        option.AcceptOnlyFromAmong("f32", "bf16", "f16");
        return option;
    }
}
