// Writes small tokenizers into folders of their own for one test.
using System.Text.Json;
using System.Text.Json.Nodes;
using Rt.Formats.Tokenizers;

namespace Rt.Formats.Tests.Tokenizers;

/// <summary>A temporary folder with tokenizer files.</summary>
internal sealed class TokenizerFolder : IDisposable
{
    public string Path { get; } = Directory.CreateTempSubdirectory("rt-tokenizer-").FullName;

    public TokenizerFolder Write(string name, string text)
    {
        File.WriteAllText(System.IO.Path.Combine(Path, name), text);
        return this;
    }

    public TokenizerFolder Write(string name, byte[] bytes)
    {
        File.WriteAllBytes(System.IO.Path.Combine(Path, name), bytes);
        return this;
    }

    public void Dispose() => Directory.Delete(Path, recursive: true);

    /// <summary>Loads a tokenizer.json given as text.</summary>
    public static Tokenizer Load(string json)
    {
        using TokenizerFolder folder = new TokenizerFolder().Write("tokenizer.json", json);
        return Tokenizer.Load(folder.Path);
    }

    /// <summary>A tokenizer.json from its parts; each part is JSON text or null.</summary>
    public static string Json(
        string model, string? normalizer = null, string? preTokenizer = null, string? decoder = null, string? postProcessor = null, string addedTokens = "[]") =>
        $$"""
        {"version":"1.0","added_tokens":{{addedTokens}},"normalizer":{{normalizer ?? "null"}},"pre_tokenizer":{{preTokenizer ?? "null"}},
         "post_processor":{{postProcessor ?? "null"}},"decoder":{{decoder ?? "null"}},"model":{{model}}}
        """;

    /// <summary>A BPE model whose ids follow the order of the pieces.</summary>
    public static string Bpe(string[] pieces, string[] merges, string more = "") =>
        $$"""{"type":"BPE","vocab":{{Vocabulary(pieces)}},"merges":{{JsonSerializer.Serialize(merges)}}{{more}}}""";

    /// <summary>A word-level model that shows how a text was cut: every piece is a word.</summary>
    public static string WordLevel(params string[] pieces) =>
        $$"""{"type":"WordLevel","vocab":{{Vocabulary(pieces)}},"unk_token":{{JsonSerializer.Serialize(pieces[0])}}}""";

    /// <summary>All 256 characters of the byte-level alphabet, in the order of their bytes.</summary>
    public static string[] ByteAlphabetPieces() => [.. Enumerable.Range(0, 256).Select(b => ByteAlphabet.ToChar((byte)b).ToString())];

    /// <summary>The pieces that ids stand for, joined by a bar.</summary>
    public static string Pieces(Tokenizer tokenizer, string text, bool addSpecialTokens = false) =>
        string.Join("|", tokenizer.Encode(text, addSpecialTokens).Select(tokenizer.PieceOf));

    private static string Vocabulary(string[] pieces)
    {
        var vocabulary = new JsonObject();
        for (int id = 0; id < pieces.Length; id++)
        {
            vocabulary.Add(pieces[id], id);
        }

        return vocabulary.ToJsonString();
    }
}
