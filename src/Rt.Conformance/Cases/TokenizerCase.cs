// A tokenizer case: ids and texts, exact.
using System.Text.Json;
using Rt.Core;
using Rt.Formats.Tokenizers;

namespace Rt.Conformance.Cases;

/// <summary>A folder with tokenizer.json and cases.json.</summary>
internal sealed class TokenizerCase : ReferenceCase
{
    public override bool Matches(string folder) => File.Exists(Path.Combine(folder, "cases.json"));

    public override IReadOnlyList<Quantity> Run(string folder, IDevice device)
    {
        var tokenizer = Tokenizer.Load(folder);
        var comparison = new Comparison(0);
        foreach (var (i, test) in CaseJson.Read(folder, "cases.json").GetProperty("cases").EnumerateArray().Index())
        {
            var text = Text(test, "text");
            var ids = tokenizer.Encode(text, addSpecialTokens: false);
            var withSpecial = tokenizer.Encode(text);
            comparison.Items("ids", $"case {i}", ids, Ids(test, "ids"));
            comparison.Items("ids with special tokens", $"case {i}", withSpecial, Ids(test, "ids_with_special"));
            comparison.Items("decoded", $"case {i}", [tokenizer.Decode(ids)], [Text(test, "decoded")]);
            comparison.Items("decoded without special tokens", $"case {i}", [tokenizer.Decode(ids, true)], [Text(test, "decoded_skip_special")]);
            comparison.Items("decoded with special tokens", $"case {i}", [tokenizer.Decode(withSpecial)], [Text(test, "decoded_with_special")]);
        }

        return comparison.Quantities;
    }

    private static string Text(JsonElement test, string name) => test.GetProperty(name).GetString()!;

    private static int[] Ids(JsonElement test, string name) => [.. test.GetProperty(name).EnumerateArray().Select(id => id.GetInt32())];
}
