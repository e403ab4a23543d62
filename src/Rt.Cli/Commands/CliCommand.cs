// What every command has: notes and examples for its help, and a body that runs with a context.
using System.CommandLine;
using Rt.Cli.Output;

namespace Rt.Cli.Commands;

/// <summary>A command of `rt`.</summary>
internal abstract class CliCommand(string name, string description, SharedOptions shared) : Command(name, description)
{
    /// <summary>Options shared with other commands.</summary>
    protected SharedOptions Shared => shared;

    /// <summary>Lines of the help below the options.</summary>
    public virtual IReadOnlyList<string> Notes => [];

    /// <summary>Command lines that work.</summary>
    public abstract IReadOnlyList<string> Examples { get; }

    /// <summary>Adds options.</summary>
    protected void Add(params IEnumerable<Option> options)
    {
        foreach (var option in options)
        {
            Options.Add(option);
        }
    }

    /// <summary>Connects the command to its streams.</summary>
    public void Attach(Streams streams) => SetAction(async (parse, cancellation) =>
    {
        using var context = new CommandContext(parse, shared, streams, cancellation);
        var code = await RunAsync(context);
        streams.Out.Flush();
        return code;
    });

    /// <summary>Runs the command; returns its exit code. Errors are thrown.</summary>
    protected abstract Task<int> RunAsync(CommandContext context);
}
