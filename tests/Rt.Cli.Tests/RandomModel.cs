// A model folder for tests: a small LLaMA-like checkpoint with random weights from a fixed seed, a tokenizer, demonstrations and queries.
using Rt.Core;
using Rt.Eval;
using Rt.Formats;
using Rt.Formats.Tokenizers;
using Rt.Tests;

namespace Rt.Cli.Tests;

/// <summary>The folder of such a model, shared by the tests of a class.</summary>
public sealed class RandomModel : IAsyncLifetime
{
    private const ulong Seed = 20230516;
    private const int HiddenSize = 128;
    private const int IntermediateSize = 344;
    private const int Layers = 4;
    private const int Heads = 4;
    private const int KeyValueHeads = 2;
    private const int HeadDim = 32;
    private const int MaxPositions = 1024;

    private readonly TemporaryFolder _folder = new();

    /// <summary>The folder.</summary>
    public string Folder => _folder["model"];

    /// <summary>Ten pairs.</summary>
    public string Demonstrations => Path.Combine(Folder, "demos.jsonl");

    /// <summary>Eight queries with options and answers.</summary>
    public string Queries => Path.Combine(Folder, "queries.jsonl");

    public Task InitializeAsync()
    {
        _folder.Copy(Fixtures.Golden("tokenizers/llama3-bpe"), "model");
        foreach (var file in Directory.GetFiles(Path.Combine(Fixtures.Root, "random-model")))
        {
            File.Copy(file, Path.Combine(Folder, Path.GetFileName(file)));
        }

        var tokenizer = Tokenizer.Load(Folder);
        File.WriteAllText(Path.Combine(Folder, "config.json"), Config(tokenizer.VocabularySize, tokenizer.BosTokenId, tokenizer.EosTokenId));
        WriteWeights(Path.Combine(Folder, "model.safetensors"), tokenizer.VocabularySize);
        return Task.CompletedTask;
    }

    public Task DisposeAsync()
    {
        _folder.Dispose();
        return Task.CompletedTask;
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

        """;

    private static void WriteWeights(string path, int vocabulary)
    {
        var random = new SeededRandom(Seed);
        var writer = new SafetensorsWriter();
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
        writer.Write(path);

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
}
