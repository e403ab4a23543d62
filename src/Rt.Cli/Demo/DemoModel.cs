// The demo's model folder: a small LLaMA-like checkpoint with random weights from a fixed seed, and the files embedded in the command.
using System.Reflection;
using System.Text;
using Rt.Core;
using Rt.Eval;
using Rt.Formats;
using Rt.Formats.Tokenizers;

namespace Rt.Cli.Demo;

/// <summary>Writes the demo's model folder.</summary>
internal static class DemoModel
{
    private const ulong Seed = 20230516;
    private const int HiddenSize = 128;
    private const int IntermediateSize = 344;
    private const int Layers = 4;
    private const int Heads = 4;
    private const int KeyValueHeads = 2;
    private const int HeadDim = 32;
    private const int MaxPositions = 1024;
    private const string MadeBy = "made_by";
    private const string Maker = "rt demo";
    private const string Weights = "model.safetensors";
    private const string Resources = "demo/";

    /// <summary>Demonstration pairs.</summary>
    public const string Demonstrations = "demos.jsonl";

    /// <summary>Queries with options and answers.</summary>
    public const string Queries = "queries.jsonl";

    private static readonly string[] Files = ["tokenizer.json", "tokenizer_config.json", Demonstrations, Queries];

    /// <summary>Writes all files; the bytes are the same on every run.</summary>
    /// <param name="folder">Made where absent.</param>
    /// <param name="cancellation">Leaves no half-written file.</param>
    /// <returns>Names of the files.</returns>
    /// <exception cref="UsageException">The folder holds another model.</exception>
    public static IReadOnlyList<string> Write(string folder, CancellationToken cancellation)
    {
        RefuseForeign(folder);
        Directory.CreateDirectory(folder);
        foreach (var file in Files)
        {
            var bytes = Resource(file);
            AtomicFile.Write(Path.Combine(folder, file), stream => stream.Write(bytes));
        }

        var vocabulary = Tokenizer.Load(folder) is var tokenizer ? tokenizer.VocabularySize : 0;
        var config = Encoding.UTF8.GetBytes(Config(vocabulary, tokenizer.BosTokenId, tokenizer.EosTokenId));
        AtomicFile.Write(Path.Combine(folder, "config.json"), stream => stream.Write(config));
        WriteWeights(Path.Combine(folder, Weights), vocabulary, cancellation);
        return ["config.json", Weights, .. Files];
    }

    private static void RefuseForeign(string folder)
    {
        if (File.Exists(folder))
        {
            throw new UsageException($"{folder}: expected a folder for the demo, found a file");
        }

        if (!Directory.Exists(folder) || !Directory.EnumerateFileSystemEntries(folder).Any())
        {
            return;
        }

        var weights = Path.Combine(folder, Weights);
        if (File.Exists(weights))
        {
            using var file = SafetensorsFile.Open(weights);
            if (file.Metadata.GetValueOrDefault(MadeBy) == Maker)
            {
                return;
            }
        }

        throw new UsageException($"{folder}: holds other files; name an empty or new folder, or one that rt demo made");
    }

    private static string Config(int vocabulary, int? bos, int? eos) => $$"""
        {
          "architectures": ["LlamaForCausalLM"],
          "model_type": "llama",
          "vocab_size": {{vocabulary}},
          "hidden_size": {{HiddenSize}},
          "intermediate_size": {{IntermediateSize}},
          "num_hidden_layers": {{Layers}},
          "num_attention_heads": {{Heads}},
          "num_key_value_heads": {{KeyValueHeads}},
          "head_dim": {{HeadDim}},
          "hidden_act": "silu",
          "max_position_embeddings": {{MaxPositions}},
          "rms_norm_eps": 1e-05,
          "rope_theta": 10000.0,
          "attention_bias": false,
          "mlp_bias": false,
          "tie_word_embeddings": false,
          "bos_token_id": {{bos ?? 0}},
          "eos_token_id": {{eos ?? 0}},
          "torch_dtype": "float32"
        }

        """.ReplaceLineEndings("\n");

    private static void WriteWeights(string path, int vocabulary, CancellationToken cancellation)
    {
        var random = new SeededRandom(Seed);
        var writer = new SafetensorsWriter();
        writer.SetMetadata("format", "pt");
        writer.SetMetadata(MadeBy, Maker);
        Matrix("model.embed_tokens.weight", vocabulary, HiddenSize, 1);
        for (var layer = 0; layer < Layers; layer++)
        {
            var block = $"model.layers.{layer}.";
            Ones(block + "input_layernorm.weight");
            Ones(block + "post_attention_layernorm.weight");
            Matrix(block + "self_attn.q_proj.weight", Heads * HeadDim, HiddenSize, Gain(HiddenSize));
            Matrix(block + "self_attn.k_proj.weight", KeyValueHeads * HeadDim, HiddenSize, Gain(HiddenSize));
            Matrix(block + "self_attn.v_proj.weight", KeyValueHeads * HeadDim, HiddenSize, Gain(HiddenSize));
            Matrix(block + "self_attn.o_proj.weight", HiddenSize, Heads * HeadDim, Gain(HiddenSize));
            Matrix(block + "mlp.gate_proj.weight", IntermediateSize, HiddenSize, Gain(HiddenSize));
            Matrix(block + "mlp.up_proj.weight", IntermediateSize, HiddenSize, Gain(HiddenSize));
            Matrix(block + "mlp.down_proj.weight", HiddenSize, IntermediateSize, Gain(IntermediateSize));
        }

        Ones("model.norm.weight");
        Matrix("lm_head.weight", vocabulary, HiddenSize, 2 * Gain(HiddenSize));
        writer.Write(path, cancellation);

        void Ones(string name) => writer.Add<float>(name, DType.F32, [HiddenSize], Enumerable.Repeat(1f, HiddenSize).ToArray());

        void Matrix(string name, int rows, int columns, double deviation)
        {
            var values = new float[rows * columns];
            for (var i = 0; i < values.Length; i++)
            {
                values[i] = (float)(deviation * Bell(random));
            }

            writer.Add<float>(name, DType.F32, [rows, columns], values);
        }
    }

    /// <summary>Standard deviation that keeps the size of a vector through a matrix with so many inputs.</summary>
    private static double Gain(int inputs) => 1 / Math.Sqrt(inputs);

    /// <summary>A bell-shaped number of mean 0 and deviation 1: the sum of twelve uniform ones (Irwin-Hall). Only sums, so that
    /// every machine gets the same bits.</summary>
    private static double Bell(SeededRandom random)
    {
        var sum = -6.0;
        for (var i = 0; i < 12; i++)
        {
            sum += random.NextDouble();
        }

        return sum;
    }

    private static byte[] Resource(string name)
    {
        using var stream = Assembly.GetExecutingAssembly().GetManifestResourceStream(Resources + name)
            ?? throw new InvalidOperationException($"resource {name} is not in the assembly");
        var bytes = new byte[stream.Length];
        stream.ReadExactly(bytes);
        return bytes;
    }
}
