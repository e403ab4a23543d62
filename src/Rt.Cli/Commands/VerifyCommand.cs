// rt verify: reference cases on a device, the worst difference of each quantity.
using System.CommandLine;
using System.Text.Json.Nodes;
using Rt.Cli.Output;
using Rt.Conformance.Cases;
using Rt.Core;

namespace Rt.Cli.Commands;

/// <summary>Runs reference cases.</summary>
internal sealed class VerifyCommand : CliCommand
{
    private const int NumericsFailed = 6;

    private readonly Argument<string> _folder = new("FOLDER") { Description = "Holds reference cases, itself or below" };

    public VerifyCommand(SharedOptions shared)
        : base("verify", "Run reference cases on a device: worst difference per quantity", shared)
    {
        Arguments.Add(_folder);
        Add(shared.ForDevice);
    }

    public override IReadOnlyList<string> Notes => ["Exit code 6 where a difference exceeds its tolerance; a malformed case is reported and does not hide the others."];

    public override IReadOnlyList<string> Examples => ["rt verify tests/fixtures/goldens", "rt verify tests/fixtures/goldens/gpt2 --device reference"];

    protected override Task<int> RunAsync(CommandContext context)
    {
        var root = context.Get(_folder)!;
        var folders = ReferenceCase.Find(root);
        // Expected values are of F32 computation; there are no tolerances for another.
        if (context.DeviceSettings is { Activations: { } type and not DType.F32 })
        {
            throw new UsageException($"--activations {type.ToString().ToLowerInvariant()}: reference cases are compared in f32; rt doctor --activations checks the ops");
        }

        var device = context.FindDevice().For(DType.F32);
        var reports = new List<CaseReport>();
        var broken = new List<(string Case, RtException Error)>();
        using (var progress = context.Progress("verifying", "cases"))
        {
            foreach (var (i, folder) in folders.Index())
            {
                context.Cancellation.ThrowIfCancellationRequested();
                progress.Report(i, folders.Count, Path.GetRelativePath(root, folder));
                try
                {
                    reports.Add(ReferenceCase.Run(folder, root, device));
                }
                catch (RtException e)
                {
                    broken.Add((Path.GetRelativePath(root, folder), e));
                }
            }
        }

        var failed = reports.Count(report => !report.Passed);
        context.Result(() => Json(device, reports, broken), () => WriteTable(context.Streams, reports));
        foreach (var (_, error) in broken)
        {
            context.Streams.Error.WriteLine($"rt: {error.Message.ReplaceLineEndings(" ")}");
        }

        context.Note($"{reports.Count - failed} of {folders.Count} cases passed on {device.Description}; {failed} failed, {broken.Count} could not be run");
        return Task.FromResult(failed > 0 ? NumericsFailed : broken.Count > 0 ? broken[0].Error.ExitCode : 0);
    }

    private static void WriteTable(Streams streams, List<CaseReport> reports)
    {
        var table = new TextTable("case", "quantity", ">n", ">worst", ">tolerance", "", "at");
        foreach (var report in reports)
        {
            foreach (var quantity in report.Quantities)
            {
                table.Add(!quantity.Passed,
                [
                    report.Name, quantity.Name, Count(quantity.Count), Text.Number(quantity.Worst), Text.Number(quantity.Tolerance),
                    quantity.Passed ? "ok" : "FAILED", quantity.At,
                ]);
            }
        }

        table.Write(streams);
    }

    private static string Count(long count) => count.ToString(System.Globalization.CultureInfo.InvariantCulture);

    private static JsonObject Json(IDevice device, List<CaseReport> reports, List<(string Case, RtException Error)> broken) => new()
    {
        ["command"] = "verify",
        ["version"] = Versions.Text,
        ["device"] = JsonReport.Device(device),
        ["passed"] = broken.Count == 0 && reports.All(report => report.Passed),
        ["cases"] = JsonReport.List(reports.Select(report => (JsonNode)new JsonObject
        {
            ["case"] = report.Name,
            ["passed"] = report.Passed,
            ["quantities"] = JsonReport.List(report.Quantities.Select(quantity => (JsonNode)new JsonObject
            {
                ["name"] = quantity.Name,
                ["n"] = quantity.Count,
                ["worst"] = JsonReport.Number(quantity.Worst),
                ["at"] = quantity.At,
                ["tolerance"] = JsonReport.Number(quantity.Tolerance),
                ["passed"] = quantity.Passed,
            })),
        })),
        ["errors"] = JsonReport.List(broken.Select(one => (JsonNode)new JsonObject
        {
            ["case"] = one.Case,
            ["exit_code"] = one.Error.ExitCode,
            ["message"] = one.Error.Message,
        })),
    };
}
