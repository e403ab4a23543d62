// The files of a finished run: results.json, a samples file per task, the draws, the page.
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;
using Rt.Formats;

namespace Rt.Eval;

/// <summary>Writes a run's results.</summary>
public static class ReportFiles
{
    /// <summary>Results with the keys of lm-evaluation-harness.</summary>
    public const string Results = "results.json";

    /// <summary>The page.</summary>
    public const string Page = "report.html";

    /// <summary>What was drawn, to be replayed.</summary>
    public const string Draws = "draws.json";

    /// <summary>Writes all files into a folder, each replaced as a whole.</summary>
    /// <returns>Their paths.</returns>
    /// <exception cref="Rt.Core.BadFileException">One cannot be written.</exception>
    public static IReadOnlyList<string> Write(
        string folder, RunManifest manifest, IReadOnlyList<UnitRecord> records, IReadOnlyList<ResultRow> rows)
    {
        Directory.CreateDirectory(folder);
        var results = ResultsJson.Results(manifest, records, rows);
        var written = new List<string>();
        Put(Results, stream => WriteJson(stream, results, indented: true));
        foreach (var task in rows.Where(row => row.Samples.Count > 0).GroupBy(row => row.Task))
        {
            Put($"samples_{task.Key.Replace(" ← ", ".")}.jsonl", stream =>
            {
                foreach (var sample in ResultsJson.Samples(manifest, task))
                {
                    WriteJson(stream, sample, indented: false);
                }
            });
        }

        var draws = Path.Combine(folder, Draws);
        DrawFile.Of(records).Write(draws);
        written.Add(draws);
        var page = HtmlPage.Of(results);
        Put(Page, stream => stream.Write(Encoding.UTF8.GetBytes(page)));
        return written;

        void Put(string name, Action<Stream> write)
        {
            var path = Path.Combine(folder, name);
            AtomicFile.Write(path, write);
            written.Add(path);
        }
    }

    private static void WriteJson(Stream stream, JsonNode json, bool indented)
    {
        using (var writer = new Utf8JsonWriter(stream, new JsonWriterOptions { Indented = indented, Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping }))
        {
            json.WriteTo(writer);
        }

        stream.Write("\n"u8);
    }
}
