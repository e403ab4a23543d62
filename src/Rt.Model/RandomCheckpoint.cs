// Checkpoints of known shapes with random weights, for measurements and for tests that need a model of full size.
// Scales of the weights: Radford et al. 2019 (0.02, projections into the residual divided by sqrt(2 layers)).
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Text;
using System.Text.Json;
using Rt.Core;
using Rt.Formats;

namespace Rt.Model;

/// <summary>Writes folders in Hugging Face layout with random weights: config.json and model.safetensors, no tokenizer.</summary>
/// <remarks>
/// A weight is a function of the seed, its tensor's name and its index alone, made of integer arithmetic and one rounding: the bytes are
/// the same on every machine and for any number of threads. Every value is a BF16 number, so that the F32 and BF16 files of a
/// shape hold the same model; F16 rounds those below 2^-14 once more.
/// </remarks>
public static class RandomCheckpoint
{
    /// <summary>Elements made at a time: bounds memory and is the unit of work of a thread.</summary>
    private const int BlockLength = 1 << 18;

    private static readonly Shape[] Shapes =
    [
        new("gpt2-124m", Gpt2: true, Layers: 12, Hidden: 768, Intermediate: 3072, Heads: 12, KvHeads: 12, Vocabulary: 50257, Positions: 1024),
        new("llama-134m", Gpt2: false, Layers: 12, Hidden: 768, Intermediate: 2048, Heads: 12, KvHeads: 12, Vocabulary: 32000, Positions: 2048),
        new("llama-1.1b", Gpt2: false, Layers: 22, Hidden: 2048, Intermediate: 5632, Heads: 32, KvHeads: 4, Vocabulary: 32000, Positions: 2048),
        // A moment's work on any device: for trying out commands and for tests.
        new("gpt2-tiny", Gpt2: true, Layers: 2, Hidden: 64, Intermediate: 256, Heads: 4, KvHeads: 4, Vocabulary: 512, Positions: 256),
        new("llama-tiny", Gpt2: false, Layers: 2, Hidden: 64, Intermediate: 160, Heads: 4, KvHeads: 2, Vocabulary: 512, Positions: 256),
    ];

    /// <summary>The shapes that can be written.</summary>
    public static IReadOnlyList<string> ShapeNames { get; } = [.. Shapes.Select(shape => shape.Name)];

    /// <summary>Creates <paramref name="folder"/> and writes config.json and model.safetensors, replacing those that are there.</summary>
    /// <param name="folder">Target folder.</param>
    /// <param name="shapeName">One of <see cref="ShapeNames"/>.</param>
    /// <param name="type">F32, F16 or BF16.</param>
    /// <param name="seed">Another seed gives other weights.</param>
    /// <param name="cancellation">Noticed between blocks; config.json is written last, so that a cancelled folder is no model.</param>
    /// <exception cref="UsageException">Unknown shape, or a type that weights are not stored in.</exception>
    /// <exception cref="BadFileException">The files cannot be written.</exception>
    public static void Write(string folder, string shapeName, DType type, ulong seed = 0, CancellationToken cancellation = default)
    {
        var shape = Array.Find(Shapes, candidate => candidate.Name == shapeName)
            ?? throw new UsageException($"shape '{shapeName}': expected one of {string.Join(", ", ShapeNames)}");
        if (type is not (DType.F32 or DType.F16 or DType.BF16))
        {
            throw new UsageException($"dtype {type}: expected F32, F16 or BF16");
        }

        try
        {
            Directory.CreateDirectory(folder);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new BadFileException(folder, $"cannot be created: {e.Message}", e);
        }

        var writer = new SafetensorsWriter();
        writer.SetMetadata("format", "pt");
        foreach (var tensor in Tensors(shape))
        {
            writer.Add(tensor.Name, type, tensor.Sizes, stream => WriteValues(stream, tensor, type, seed, cancellation));
        }

        writer.Write(Path.Combine(folder, "model.safetensors"), cancellation);
        AtomicFile.Write(Path.Combine(folder, "config.json"), stream => WriteConfig(stream, shape, type));
    }

    private static IEnumerable<TensorSpec> Tensors(Shape shape)
    {
        const double Scale = 0.02;
        const double BiasScale = 0.01;
        var residualScale = Scale / Math.Sqrt(2 * shape.Layers);
        long hidden = shape.Hidden, intermediate = shape.Intermediate;
        if (shape.Gpt2)
        {
            yield return Weight("wte.weight", Scale, shape.Vocabulary, hidden);
            yield return Weight("wpe.weight", BiasScale, shape.Positions, hidden);
            for (var layer = 0; layer < shape.Layers; layer++)
            {
                var prefix = $"h.{layer}.";
                yield return Gain(prefix + "ln_1.weight");
                yield return Weight(prefix + "ln_1.bias", BiasScale, hidden);
                yield return Weight(prefix + "attn.c_attn.weight", Scale, hidden, 3 * hidden);
                yield return Weight(prefix + "attn.c_attn.bias", BiasScale, 3 * hidden);
                yield return Weight(prefix + "attn.c_proj.weight", residualScale, hidden, hidden);
                yield return Weight(prefix + "attn.c_proj.bias", BiasScale, hidden);
                yield return Gain(prefix + "ln_2.weight");
                yield return Weight(prefix + "ln_2.bias", BiasScale, hidden);
                yield return Weight(prefix + "mlp.c_fc.weight", Scale, hidden, intermediate);
                yield return Weight(prefix + "mlp.c_fc.bias", BiasScale, intermediate);
                yield return Weight(prefix + "mlp.c_proj.weight", residualScale, intermediate, hidden);
                yield return Weight(prefix + "mlp.c_proj.bias", BiasScale, hidden);
            }

            yield return Gain("ln_f.weight");
            yield return Weight("ln_f.bias", BiasScale, hidden);
            yield break;
        }

        var kvWidth = hidden / shape.Heads * shape.KvHeads;
        yield return Weight("model.embed_tokens.weight", Scale, shape.Vocabulary, hidden);
        for (var layer = 0; layer < shape.Layers; layer++)
        {
            var prefix = $"model.layers.{layer}.";
            yield return Gain(prefix + "input_layernorm.weight");
            yield return Weight(prefix + "self_attn.q_proj.weight", Scale, hidden, hidden);
            yield return Weight(prefix + "self_attn.k_proj.weight", Scale, kvWidth, hidden);
            yield return Weight(prefix + "self_attn.v_proj.weight", Scale, kvWidth, hidden);
            yield return Weight(prefix + "self_attn.o_proj.weight", residualScale, hidden, hidden);
            yield return Gain(prefix + "post_attention_layernorm.weight");
            yield return Weight(prefix + "mlp.gate_proj.weight", Scale, intermediate, hidden);
            yield return Weight(prefix + "mlp.up_proj.weight", Scale, intermediate, hidden);
            yield return Weight(prefix + "mlp.down_proj.weight", residualScale, hidden, intermediate);
        }

        yield return Gain("model.norm.weight");
        yield return Weight("lm_head.weight", Scale, shape.Vocabulary, hidden);

        static TensorSpec Weight(string name, double scale, params long[] sizes) => new(name, sizes, 0, scale);

        // Norm weights spread around one.
        TensorSpec Gain(string name) => new(name, [hidden], 1, 0.05);
    }

    private static void WriteValues(Stream stream, TensorSpec tensor, DType type, ulong seed, CancellationToken cancellation)
    {
        var key = Key(tensor.Name, seed);
        var threads = Environment.ProcessorCount;
        var bytes = type.Bytes();
        var buffer = new byte[Math.Min(tensor.Count, (long)threads * BlockLength) * bytes];
        for (var start = 0L; start < tensor.Count; start += (long)threads * BlockLength)
        {
            cancellation.ThrowIfCancellationRequested();
            var length = (int)Math.Min(tensor.Count - start, (long)threads * BlockLength);
            var first = start;
            Parallel.For(0, (length + BlockLength - 1) / BlockLength, block =>
            {
                var from = block * BlockLength;
                var count = Math.Min(BlockLength, length - from);
                Fill(buffer.AsSpan(from * bytes, count * bytes), type, key + (ulong)(first + from), tensor.Mean, tensor.Scale);
            });
            stream.Write(buffer.AsSpan(0, length * bytes));
        }
    }

    private static void Fill(Span<byte> target, DType type, ulong counter, double mean, double scale)
    {
        var wide = MemoryMarshal.Cast<byte, uint>(target);
        var narrow = MemoryMarshal.Cast<byte, ushort>(target);
        for (var i = 0; i < target.Length / type.Bytes(); i++)
        {
            var bits = Rounding.ToBFloat16((float)(mean + scale * Normal(counter + (ulong)i)));
            switch (type)
            {
                case DType.F32: wide[i] = (uint)bits << 16; break;
                case DType.BF16: narrow[i] = bits; break;
                default: narrow[i] = BitConverter.HalfToUInt16Bits((Half)BitConverter.UInt32BitsToSingle((uint)bits << 16)); break;
            }
        }
    }

    /// <summary>A nearly normal number of mean 0 and variance 1: the sum of the four 16-bit quarters of a mixed counter (Irwin-Hall).</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static double Normal(ulong counter)
    {
        // Four uniform integers of 0..65535 have the mean 2 * 65535 and the variance 4 (65536^2 - 1) / 12.
        const double Mean = 2 * 65535.0;
        const double Deviation = 37837.22723720648;
        var z = Mix(counter);
        var sum = (z & 0xFFFF) + ((z >> 16) & 0xFFFF) + ((z >> 32) & 0xFFFF) + (z >> 48);
        return ((double)(long)sum - Mean) / Deviation;
    }

    /// <summary>SplitMix64 of a counter. Steele, Lea and Flood 2014.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static ulong Mix(ulong counter)
    {
        var z = counter * 0x9E3779B97F4A7C15;
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
        z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
        return z ^ (z >> 31);
    }

    /// <summary>FNV-1a of the name, mixed with the seed, so that tensors draw from distant counters.</summary>
    private static ulong Key(string name, ulong seed)
    {
        var hash = 0xCBF29CE484222325;
        foreach (var b in Encoding.UTF8.GetBytes(name))
        {
            hash = (hash ^ b) * 0x100000001B3;
        }

        return Mix(hash ^ Mix(seed + 1));
    }

    private static void WriteConfig(Stream stream, Shape shape, DType type)
    {
        using var json = new Utf8JsonWriter(stream, new JsonWriterOptions { Indented = true });
        json.WriteStartObject();
        json.WriteString("model_type", shape.Gpt2 ? "gpt2" : "llama");
        json.WriteStartArray("architectures");
        json.WriteStringValue(shape.Gpt2 ? "GPT2LMHeadModel" : "LlamaForCausalLM");
        json.WriteEndArray();
        json.WriteString("torch_dtype", type switch { DType.F32 => "float32", DType.F16 => "float16", _ => "bfloat16" });
        json.WriteNumber("vocab_size", shape.Vocabulary);
        if (shape.Gpt2)
        {
            json.WriteNumber("n_layer", shape.Layers);
            json.WriteNumber("n_embd", shape.Hidden);
            json.WriteNumber("n_inner", shape.Intermediate);
            json.WriteNumber("n_head", shape.Heads);
            json.WriteNumber("n_positions", shape.Positions);
            json.WriteNumber("layer_norm_epsilon", 1e-5);
            json.WriteString("activation_function", "gelu_new");
            json.WriteBoolean("tie_word_embeddings", true);
            json.WriteNumber("bos_token_id", shape.Vocabulary - 1);
            json.WriteNumber("eos_token_id", shape.Vocabulary - 1);
        }
        else
        {
            json.WriteNumber("num_hidden_layers", shape.Layers);
            json.WriteNumber("hidden_size", shape.Hidden);
            json.WriteNumber("intermediate_size", shape.Intermediate);
            json.WriteNumber("num_attention_heads", shape.Heads);
            json.WriteNumber("num_key_value_heads", shape.KvHeads);
            json.WriteNumber("max_position_embeddings", shape.Positions);
            json.WriteNumber("rms_norm_eps", 1e-5);
            json.WriteNumber("rope_theta", 10000.0);
            json.WriteString("hidden_act", "silu");
            json.WriteBoolean("tie_word_embeddings", false);
            json.WriteNumber("bos_token_id", 1);
            json.WriteNumber("eos_token_id", 2);
        }

        json.WriteEndObject();
    }

    private sealed record Shape(
        string Name, bool Gpt2, int Layers, int Hidden, int Intermediate, int Heads, int KvHeads, int Vocabulary, int Positions);

    private readonly record struct TensorSpec(string Name, long[] Sizes, double Mean, double Scale)
    {
        public long Count => Sizes.Aggregate(1L, (count, size) => count * size);
    }
}
