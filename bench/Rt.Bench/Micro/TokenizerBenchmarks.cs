// Encoding with the GPT-2 tokenizer of the reference cases: all their texts, one after the other.
using System.Reflection;
using System.Text;
using System.Text.Json;
using BenchmarkDotNet.Attributes;
using Rt.Formats.Tokenizers;

namespace Rt.Bench.Micro;

/// <summary>Byte-level BPE on the texts of the reference cases and on one text made of all of them.</summary>
[MemoryDiagnoser]
public class TokenizerBenchmarks
{
    private Tokenizer _tokenizer = null!;
    private string[] _texts = [];
    private string _long = "";

    [GlobalSetup]
    public void Setup()
    {
        var fixtures = typeof(TokenizerBenchmarks).Assembly.GetCustomAttributes<AssemblyMetadataAttribute>()
            .First(attribute => attribute.Key == "FixturesFolder").Value!;
        var folder = Path.Combine(fixtures, "goldens", "tokenizers", "gpt2");
        _tokenizer = Tokenizer.Load(folder);
        using var cases = JsonDocument.Parse(File.ReadAllBytes(Path.Combine(folder, "cases.json")));
        _texts = [.. cases.RootElement.GetProperty("cases").EnumerateArray().Select(item => item.GetProperty("text").GetString()!)];
        _long = string.Join("\n", Enumerable.Repeat(string.Join("\n", _texts), 20));
        Console.WriteLine($"// {_texts.Length} texts, {_texts.Sum(text => Encoding.UTF8.GetByteCount(text))} bytes; long text {Encoding.UTF8.GetByteCount(_long)} bytes");
    }

    /// <summary>Every text of the cases.</summary>
    [Benchmark]
    public int EncodeCases()
    {
        var tokens = 0;
        foreach (var text in _texts)
        {
            tokens += _tokenizer.Encode(text).Length;
        }

        return tokens;
    }

    /// <summary>One long text.</summary>
    [Benchmark]
    public int EncodeLong() => _tokenizer.Encode(_long).Length;
}
