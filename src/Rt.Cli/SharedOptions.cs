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
        Description = "Device that computes: cpu or reference",
        DefaultValueFactory = _ => "cpu",
        HelpName = "NAME",
    };

    public Option<int?> Threads { get; } = new("--threads") { Description = "Threads of the cpu device; all processors by default", HelpName = "N" };

    public Option<bool> BatchInvariant { get; } = new("--batch-invariant")
    {
        Description = "A row's bits do not depend on the batch it sits in; slower",
    };

    /// <summary>Options of commands that compute.</summary>
    public IReadOnlyList<Option> ForDevice => [Device, Threads, BatchInvariant];

    /// <summary>The model argument.</summary>
    public Argument<string> Model { get; } = new("MODEL")
    {
        Description = "A model folder, or org/name[@revision] from the Hugging Face cache or hub",
    };
}
