// A model with its weights shuffled: the random-weights control. Shapes, dtypes and the distribution of every matrix stay; what it learnt goes.
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Rt.Core;
using Rt.Formats;

namespace Rt.Model;

/// <summary>Writes a copy of a model folder whose matrices have their elements exchanged at random.</summary>
/// <remarks>Vectors (norms, biases) stay as they are. Elements are exchanged within blocks of 2^20, so that no tensor is held whole.
/// The bytes depend on the model and the seed alone.</remarks>
public static class ShuffledCheckpoint
{
    private const int BlockLength = 1 << 20;
    private const long MaxCopiedBytes = 256 << 20;

    /// <summary>Writes the copy: config and tokenizer as they are, weights shuffled.</summary>
    /// <param name="source">A model folder.</param>
    /// <param name="folder">Made where absent; must be empty.</param>
    /// <param name="seed">Another seed gives another order.</param>
    /// <param name="cancellation">Noticed between blocks.</param>
    /// <exception cref="UsageException">The target is not empty.</exception>
    /// <exception cref="BadFileException">The source is no model folder, or the target cannot be written.</exception>
    public static void Write(string source, string folder, ulong seed = 0, CancellationToken cancellation = default)
    {
        Directory.CreateDirectory(folder);
        if (Directory.EnumerateFileSystemEntries(folder).Any())
        {
            throw new UsageException($"{folder}: expected an empty folder for the shuffled weights");
        }

        foreach (var path in Directory.EnumerateFiles(source).Where(path => Path.GetExtension(path) is ".json" or ".txt" or ".model"))
        {
            // The index names shards; the copy is one file.
            if (!path.EndsWith(".safetensors.index.json", StringComparison.Ordinal))
            {
                File.WriteAllBytes(Path.Combine(folder, Path.GetFileName(path)), JsonFile.ReadBytes(path, MaxCopiedBytes));
            }
        }

        using var checkpoint = Checkpoint.Open(source);
        var writer = new SafetensorsWriter();
        writer.SetMetadata("format", "pt");
        foreach (var name in checkpoint.Names)
        {
            var entry = checkpoint.Entry(name);
            var file = checkpoint.FileOf(name);
            var shuffled = entry.Shape.Length > 1;
            writer.Add(name, entry.DType, entry.Shape.AsSpan(), stream =>
            {
                var random = new SplitMix(seed ^ Hash(name));
                var elementBytes = entry.DType.Bytes();
                for (var start = 0L; start < entry.ByteLength; start += (long)BlockLength * elementBytes)
                {
                    cancellation.ThrowIfCancellationRequested();
                    var bytes = file.Bytes(name, start, (int)Math.Min((long)BlockLength * elementBytes, entry.ByteLength - start)).ToArray();
                    if (shuffled)
                    {
                        Shuffle(bytes, elementBytes, random, name);
                    }

                    stream.Write(bytes);
                }
            });
        }

        writer.Write(Path.Combine(folder, "model.safetensors"), cancellation);
    }

    private static void Shuffle(byte[] bytes, int elementBytes, SplitMix random, string name)
    {
        switch (elementBytes)
        {
            case 2:
                random.Shuffle(MemoryMarshal.Cast<byte, ushort>(bytes.AsSpan()));
                break;
            case 4:
                random.Shuffle(MemoryMarshal.Cast<byte, uint>(bytes.AsSpan()));
                break;
            case 8:
                random.Shuffle(MemoryMarshal.Cast<byte, ulong>(bytes.AsSpan()));
                break;
            case 1:
                random.Shuffle(bytes.AsSpan());
                break;
            default:
                throw new UsageException($"tensor '{name}': elements of {elementBytes} bytes cannot be shuffled");
        }
    }

    /// <summary>FNV-1a over a tensor's name: every tensor has an order of its own.</summary>
    private static ulong Hash(string name) => name.Aggregate(0xCBF29CE484222325, (hash, c) => (hash ^ c) * 0x100000001B3);

    /// <summary>SplitMix64 (Steele, Lea and Flood 2014) and the shuffle of Fisher and Yates.</summary>
    private sealed class SplitMix(ulong state)
    {
        private ulong _state = state;

        public void Shuffle<T>(Span<T> items)
        {
            for (var i = items.Length - 1; i > 0; i--)
            {
                // The high half of the product: without bias that could be measured at these lengths (Lemire 2019).
                var j = (int)(((UInt128)Next() * (ulong)(i + 1)) >> 64);
                (items[i], items[j]) = (items[j], items[i]);
            }
        }

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        private ulong Next()
        {
            _state += 0x9E3779B97F4A7C15;
            var z = _state;
            z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
            z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
            return z ^ (z >> 31);
        }
    }
}
