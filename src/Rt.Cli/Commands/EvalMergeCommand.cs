// rt eval merge: the shards of a run become its table.
using System.CommandLine;
using Rt.Cli.Output;
using Rt.Core;
using Rt.Eval;

namespace Rt.Cli.Commands;

/// <summary>Merges shards.</summary>
internal sealed class EvalMergeCommand : CliCommand
{
    private readonly Argument<string[]> _folders = new("DIR") { Description = "Folders that the shards wrote; one where they share it", Arity = ArgumentArity.OneOrMore };
    private readonly Option<string?> _output = new("--output", "-o") { Description = "Folder for the results; the first DIR by default", HelpName = "DIR" };

    public EvalMergeCommand(SharedOptions shared)
        : base("merge", "Merge the shards of a run into its table, results.json and report.html: the same as of a run in one piece", shared)
    {
        Arguments.Add(_folders);
        Options.Add(_output);
    }

    public override IReadOnlyList<string> Examples => ["rt eval merge results", "rt eval merge part-1 part-2 part-3 -o results"];

    protected override Task<int> RunAsync(CommandContext context)
    {
        var output = context.Get(_output) ?? context.Get(_folders)![0];
        OutputPath.CheckFolder(output);
        var folders = context.Get(_folders)!.Select(RunFolder.Open).ToArray();
        var records = EvalRun.Merge(folders);
        EvalResults.Write(context, folders[0].Manifest, records, output);
        return Task.FromResult(0);
    }
}

/// <summary>Writes the results of a whole run.</summary>
internal static class EvalResults
{
    /// <summary>Writes the table (or the results document) and, where there is a folder, all files.</summary>
    public static void Write(CommandContext context, RunManifest manifest, IReadOnlyList<UnitRecord> records, string? output)
    {
        var rows = ResultTable.Rows(records, manifest.Reading);
        var files = output is null ? [] : ReportFiles.Write(output, manifest, records, rows);
        context.Result(() => ResultsJson.Results(manifest, records, rows), () => EvalTable.Write(context.Streams, manifest, rows));
        if (files.Count > 0)
        {
            context.Note($"wrote {files.Count} files to {output}; open {files.First(file => file.EndsWith(ReportFiles.Page, StringComparison.Ordinal))}");
        }
    }
}
