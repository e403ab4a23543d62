// A fingerprint of a model folder, so that states made with one model are not used with another.
using System.Buffers.Binary;
using System.Security.Cryptography;
using System.Text;
using Rt.Core;

namespace Rt.Formats;

/// <summary>SHA-256 digests of a model's weights and config, and of its tokenizer, in lower-case hexadecimal.</summary>
/// <param name="Model">Over config.json and, per weight file in order of names, its length, its header and 64 blocks of 64 KiB spread
/// evenly over it (or every byte).</param>
/// <param name="Tokenizer">Over every byte of the tokenizer's files. Swapping two ids in tokenizer.json changes what a model says
/// while every weight stays the same, so the tokenizer is part of the identity.</param>
/// <remarks>A sampled and a full digest of the same model differ: compare like with like.</remarks>
public readonly record struct ModelIdentity(string Model, string Tokenizer)
{
    private const int Blocks = 64;
    private const int BlockBytes = 65_536;
    private const long MaxTextBytes = 256 << 20;

    private static readonly string[] TokenizerFiles =
        ["added_tokens.json", "merges.txt", "special_tokens_map.json", "tokenizer.json", "tokenizer.model", "tokenizer_config.json", "vocab.json"];

    /// <summary>Computes the identity of the folder that <paramref name="checkpoint"/> was opened from.</summary>
    /// <param name="checkpoint">The open weights; with its folder it must still be as it was.</param>
    /// <param name="full">Hash every byte of the weights; takes a pass over all of them.</param>
    /// <param name="cancellation">Noticed between blocks.</param>
    /// <exception cref="BadFileException">A file cannot be read or has changed its length.</exception>
    public static ModelIdentity Of(Checkpoint checkpoint, bool full = false, CancellationToken cancellation = default)
    {
        var folder = File.Exists(checkpoint.Folder) ? Path.GetDirectoryName(Path.GetFullPath(checkpoint.Folder))! : checkpoint.Folder;
        using var model = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        Append(model, full ? "rt model identity 1, full"u8 : "rt model identity 1, sampled"u8);
        AppendFile(model, folder, "config.json");
        foreach (var file in checkpoint.Files.OrderBy(file => Path.GetFileName(file.Path), StringComparer.Ordinal))
        {
            file.CheckLength();
            AppendLength(model, file.ByteLength);
            Append(model, file.Header);
            AppendWeights(model, file.Mapping, full, cancellation);
        }

        using var tokenizer = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        Append(tokenizer, "rt tokenizer identity 1"u8);
        foreach (var name in TokenizerFiles)
        {
            cancellation.ThrowIfCancellationRequested();
            AppendFile(tokenizer, folder, name);
        }

        return new ModelIdentity(Hex(model), Hex(tokenizer));
    }

    private static void AppendWeights(IncrementalHash hash, MappedFile file, bool full, CancellationToken cancellation)
    {
        if (full || file.ByteLength <= (long)Blocks * BlockBytes)
        {
            const int Piece = 1 << 24;
            for (var start = 0L; start < file.ByteLength; start += Piece)
            {
                cancellation.ThrowIfCancellationRequested();
                hash.AppendData(file.Bytes(start, (int)Math.Min(Piece, file.ByteLength - start)));
            }

            return;
        }

        // The first block begins at the first byte and the last ends at the last byte.
        for (var i = 0; i < Blocks; i++)
        {
            cancellation.ThrowIfCancellationRequested();
            var start = (long)((Int128)(file.ByteLength - BlockBytes) * i / (Blocks - 1));
            hash.AppendData(file.Bytes(start, BlockBytes));
        }
    }

    // Names and lengths go in before contents, so that no two different folders give the same stream of bytes.
    private static void AppendFile(IncrementalHash hash, string folder, string name)
    {
        var path = Path.Combine(folder, name);
        if (File.Exists(path))
        {
            Append(hash, Encoding.UTF8.GetBytes(name));
            Append(hash, JsonFile.ReadBytes(path, MaxTextBytes));
        }
    }

    private static void Append(IncrementalHash hash, ReadOnlySpan<byte> bytes)
    {
        AppendLength(hash, bytes.Length);
        hash.AppendData(bytes);
    }

    private static void AppendLength(IncrementalHash hash, long length)
    {
        Span<byte> bytes = stackalloc byte[8];
        BinaryPrimitives.WriteInt64LittleEndian(bytes, length);
        hash.AppendData(bytes);
    }

    private static string Hex(IncrementalHash hash) => Convert.ToHexStringLower(hash.GetHashAndReset());
}
