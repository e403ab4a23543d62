// The command line as a whole: parsing, help, and the one place where errors become lines and exit codes.
using System.CommandLine;
using System.CommandLine.Help;
using System.CommandLine.Invocation;
using Rt.Cli.Bench;
using Rt.Cli.Commands;
using Rt.Cli.Output;
using Rt.Core;

namespace Rt.Cli;

/// <summary>Runs `rt`.</summary>
public static class Cli
{
    private const int UsageError = 2;
    private const int DeviceError = 5;
    private const int Cancelled = 130;
    private const int InternalError = 1;

    /// <summary>Parses and runs one command line.</summary>
    /// <param name="args">Without the program's name.</param>
    /// <param name="output">Receives data.</param>
    /// <param name="error">Receives everything else.</param>
    /// <param name="cancellation">Stops the command cleanly: exit code 130, nothing half-written.</param>
    /// <param name="input">Standard input; the process's own by default.</param>
    /// <returns>0 ok, 2 usage, 3 bad model or data file, 4 unsupported architecture, 5 device or memory, 6 numerics, 130 cancelled.</returns>
    public static async Task<int> RunAsync(
        string[] args, TextWriter output, TextWriter error, CancellationToken cancellation = default, TextReader? input = null)
    {
        var streams = new Streams(output, error, input ?? Console.In);
        var parse = Root(streams).Parse(args, new ParserConfiguration { EnablePosixBundling = false, ResponseFileTokenReplacer = null });
        if (parse.Action is ParseErrorAction)
        {
            var message = parse.Errors.Count > 0 ? parse.Errors[0].Message : "wrong usage";
            error.WriteLine($"rt: {OneLine(message)} (see `{CommandPath(parse)} --help`)");
            return UsageError;
        }

        try
        {
            return await parse.InvokeAsync(
                new InvocationConfiguration
                {
                    Output = output,
                    Error = error,
                    EnableDefaultExceptionHandler = false,
                    ProcessTerminationTimeout = null,
                },
                cancellation);
        }
        catch (Exception e)
        {
            var (code, message) = Describe(e, cancellation);
            error.WriteLine($"rt: {OneLine(message)}");
            if (args.Contains("--trace"))
            {
                error.WriteLine(e);
            }

            return code;
        }
    }

    private static RootCommand Root(Streams streams)
    {
        var root = new RootCommand("A transformer runtime with Deep-Thinking and task vectors as ordinary operations.");
        var shared = new SharedOptions();
        var eval = new EvalCommand(shared);
        var merge = new EvalMergeCommand(shared);
        merge.Attach(streams);
        eval.Subcommands.Add(merge);
        CliCommand[] commands =
        [
            new DemoCommand(shared), new ThinkCommand(shared), new InferCommand(shared), new ExtractCommand(shared), eval,
            new VerifyCommand(shared), new DualCommand(shared), new ConvertCommand(shared), new InspectCommand(shared),
            new KernelsCommand(shared), new DoctorCommand(shared),
            new BenchCommand(shared),
        ];
        foreach (var option in shared.All)
        {
            root.Options.Add(option);
        }

        foreach (var command in commands)
        {
            command.Attach(streams);
            foreach (var part in command.Subcommands.OfType<CliCommand>())
            {
                part.Attach(streams);
            }

            root.Subcommands.Add(command);
        }

        var help = root.Options.OfType<HelpOption>().Single();
        // Slashes begin paths here, not options.
        foreach (var alias in help.Aliases.Where(alias => alias.StartsWith('/')).ToArray())
        {
            help.Aliases.Remove(alias);
        }

        help.Action = new HelpWithExamples((HelpAction)help.Action!);
        root.SetAction(parse => help.Action is HelpWithExamples action ? action.Invoke(parse) : 0);
        return root;
    }

    private static (int Code, string Message) Describe(Exception exception, CancellationToken cancellation) => exception switch
    {
        OperationCanceledException when cancellation.IsCancellationRequested => (Cancelled, "cancelled"),
        RtException e => (e.ExitCode, e.Message),
        OutOfMemoryException e => (DeviceError, $"out of memory: {e.Message}"),
        AggregateException { InnerException: { } inner } => Describe(inner, cancellation),
        _ => (InternalError, $"internal error: {exception.GetType().Name}: {exception.Message} (--trace shows where)"),
    };

    private static string CommandPath(ParseResult parse) =>
        string.Join(' ', parse.CommandResult.Command.Parents.Reverse().Append(parse.CommandResult.Command)
            .Select(command => command is RootCommand ? "rt" : command.Name));

    private static string OneLine(string message) => message.ReplaceLineEndings(" ");

    /// <summary>The usual help, followed by the command's notes and examples.</summary>
    private sealed class HelpWithExamples(HelpAction inner) : SynchronousCommandLineAction
    {
        public override int Invoke(ParseResult parse)
        {
            var code = inner.Invoke(parse);
            var output = parse.InvocationConfiguration.Output;
            if (parse.CommandResult.Command is not CliCommand command)
            {
                if (parse.CommandResult.Command is not RootCommand)
                {
                    return code;
                }

                output.WriteLine("Start with `rt demo`. Exit codes: 0 ok, 2 usage, 3 bad file, 4 unsupported model, 5 device or memory, 6 numerics, 130 cancelled.");
                return code;
            }

            foreach (var note in command.Notes)
            {
                output.WriteLine(note);
            }

            output.WriteLine("Examples:");
            foreach (var example in command.Examples)
            {
                output.WriteLine($"  {example}");
            }

            return code;
        }
    }
}
