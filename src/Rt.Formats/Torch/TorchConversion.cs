// Converts pytorch_model.bin, whole or sharded, to model.safetensors beside it.
using Rt.Core;

namespace Rt.Formats;

/// <summary>What a conversion wrote.</summary>
/// <param name="Path">The new file.</param>
/// <param name="Tensors">Tensors written.</param>
/// <param name="ByteLength">Bytes of data written.</param>
/// <param name="Tied">Names left out because they are the tied output head: the same bytes as the embedding.</param>
public sealed record TorchConversion(string Path, int Tensors, long ByteLength, IReadOnlyList<string> Tied)
{
    private const string Output = "model.safetensors";
    private const string Single = "pytorch_model.bin";
    private const string Index = "pytorch_model.bin.index.json";
    private const int MaxGrowth = 4;

    private static readonly string[] Heads = ["lm_head.weight", "embed_out.weight"];
    private static readonly string[] Embeddings = ["wte.weight", "embed_tokens.weight", "word_embeddings.weight", "embed_in.weight"];

    /// <summary>Writes <c>model.safetensors</c> into <paramref name="folder"/> from its torch files.</summary>
    /// <remarks>Every name is written with its own data, also where several share a storage. One case is left out, as
    /// Hugging Face leaves it out: an output head that is the very same bytes as the token embedding, unless config.json says
    /// <c>tie_word_embeddings: false</c>. Strided views are written in row-major order; types are kept.</remarks>
    /// <param name="folder">Holds pytorch_model.bin, or pytorch_model.bin.index.json and its shards.</param>
    /// <param name="cancellation">Cancelling leaves nothing behind.</param>
    /// <param name="progress">Told after each tensor.</param>
    /// <exception cref="UsageException">The folder already holds model.safetensors.</exception>
    /// <exception cref="BadFileException">A file is missing, malformed or asks for more than tensors; or the result cannot be written.</exception>
    public static TorchConversion Convert(string folder, CancellationToken cancellation = default, IProgress<ByteProgress>? progress = null)
    {
        var output = System.IO.Path.Combine(folder, Output);
        if (File.Exists(output))
        {
            throw new UsageException($"{folder}: already holds {Output}");
        }

        var files = new List<TorchCheckpoint>();
        try
        {
            return Convert(folder, output, files, cancellation, progress);
        }
        finally
        {
            files.ForEach(file => file.Dispose());
        }
    }

    private static TorchConversion Convert(string folder, string output, List<TorchCheckpoint> files, CancellationToken cancellation, IProgress<ByteProgress>? progress)
    {
        Open(folder, files, cancellation);
        var tied = IsUntied(folder) ? [] : TiedHeads(files);
        var kept = files.SelectMany(file => file.Tensors.Select(tensor => (File: file, Tensor: tensor))).Where(item => !tied.Contains(item.Tensor.Name)).ToArray();
        var total = kept.Sum(item => item.Tensor.ByteLength);
        if (total / MaxGrowth > files.Sum(file => file.ByteLength))
        {
            throw new BadFileException(folder, $"the tensors share their data so often that the result would have {total} bytes");
        }

        var writer = new SafetensorsWriter();
        writer.SetMetadata("format", "pt");
        var done = 0L;
        foreach ((var file, var tensor) in kept)
        {
            writer.Add(tensor.Name, tensor.DType, tensor.Shape, stream =>
            {
                file.CopyTo(tensor, stream);
                done += tensor.ByteLength;
                progress?.Report(new ByteProgress(tensor.Name, done, total));
            });
        }

        writer.Write(output, cancellation);
        return new TorchConversion(output, kept.Length, total, tied);
    }

    private static void Open(string folder, List<TorchCheckpoint> files, CancellationToken cancellation)
    {
        var single = System.IO.Path.Combine(folder, Single);
        var indexPath = System.IO.Path.Combine(folder, Index);
        if (File.Exists(single))
        {
            files.Add(TorchCheckpoint.Open(single));
            return;
        }

        if (!File.Exists(indexPath))
        {
            throw new BadFileException(folder, $"expected {Single} or {Index}, found neither");
        }

        var index = CheckpointIndex.Read(indexPath);
        var homes = new Dictionary<string, int>(StringComparer.Ordinal);
        for (var shard = 0; shard < index.Shards.Length; shard++)
        {
            cancellation.ThrowIfCancellationRequested();
            files.Add(TorchCheckpoint.Open(index.Shards[shard]));
            foreach (var tensor in files[shard].Tensors)
            {
                if (!homes.TryAdd(tensor.Name, shard))
                {
                    throw new BadFileException(indexPath, $"tensor {MessageText.Quote(tensor.Name)} lies in two shards");
                }
            }
        }

        foreach ((var name, var shard) in index.WeightMap)
        {
            if (!homes.TryGetValue(name, out var home) || home != shard)
            {
                throw new BadFileException(indexPath, $"tensor {MessageText.Quote(name)} is not in the shard it is mapped to");
            }
        }
    }

    private static bool IsUntied(string folder)
    {
        var path = System.IO.Path.Combine(folder, "config.json");
        if (!File.Exists(path))
        {
            return false;
        }

        using var config = JsonFile.Read(path);
        return !new JsonFields(path, config.RootElement).Bool("tie_word_embeddings", true);
    }

    private static List<string> TiedHeads(List<TorchCheckpoint> files)
    {
        var tied = new List<string>();
        foreach (var tensors in files.Select(file => file.Tensors))
        {
            var embeddings = tensors.Where(tensor => Embeddings.Any(name => EndsWithName(tensor.Name, name))).ToArray();
            tied.AddRange(tensors
                .Where(tensor => Heads.Any(name => EndsWithName(tensor.Name, name)) && embeddings.Any(tensor.IsAliasOf))
                .Select(tensor => tensor.Name));
        }

        return tied;
    }

    private static bool EndsWithName(string name, string end) => name == end || name.EndsWith("." + end, StringComparison.Ordinal);
}
