// The report as one self-contained page: data, styles, script and the plotting library (uPlot, MIT) in a single file that works offline.
using System.Text.Json.Nodes;

namespace Rt.Eval;

/// <summary>Makes the page.</summary>
public static class HtmlPage
{
    /// <summary>The page of a results document.</summary>
    /// <param name="results">From <see cref="ResultsJson.Results"/>.</param>
    public static string Of(JsonObject results)
    {
        var data = new JsonObject
        {
            ["date"] = results["date"]?.DeepClone(),
            ["seconds"] = results["total_evaluation_time_seconds"]?.DeepClone(),
            ["rt"] = results["rt"]!.DeepClone(),
        };
        var parts = new Dictionary<string, string>
        {
            ["<!-- title -->"] = System.Net.WebUtility.HtmlEncode($"rt eval: {results["model_name"]}"),
            ["/* library.css */"] = Resource("uPlot.min.css"),
            ["/* page.css */"] = Resource("report.css"),
            ["/* library.licence */"] = Resource("uPlot.LICENSE"),
            ["/* library.js */"] = Resource("uPlot.iife.min.js"),
            ["/* page.js */"] = Resource("report.js"),
            // The default encoder escapes '<', so that no text of a task can end the script element.
            ["/* data.json */"] = data.ToJsonString(),
        };
        var page = new System.Text.StringBuilder();
        var template = Resource("report.html");
        for (var at = 0; at < template.Length;)
        {
            var part = parts.Where(part => string.CompareOrdinal(template, at, part.Key, 0, part.Key.Length) == 0).ToArray();
            page.Append(part.Length == 1 ? part[0].Value : template[at].ToString());
            at += part.Length == 1 ? part[0].Key.Length : 1;
        }

        return page.ToString();
    }

    private static string Resource(string name)
    {
        using var reader = new StreamReader(EmbeddedResource.Open($"report/{name}"));
        return reader.ReadToEnd();
    }
}
