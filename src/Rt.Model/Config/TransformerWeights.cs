// The weights of a model as the forward pass reads them, whatever the family called them.
using Rt.Core;

namespace Rt.Model;

/// <summary>Where a fused projection's result [rows, width] holds query, key and value heads.</summary>
/// <param name="Query">Column of the first query head.</param>
/// <param name="Key">Column of the first key head.</param>
/// <param name="Value">Column of the first value head.</param>
/// <param name="QueryStride">Columns from one query head to the next.</param>
/// <param name="KeyValueStride">Columns from one key (value) head to the next.</param>
public readonly record struct QkvLayout(int Query, int Key, int Value, int QueryStride, int KeyValueStride)
{
    /// <summary>All query heads, then all key heads, then all value heads.</summary>
    public static QkvLayout Stacked(ModelConfig config)
    {
        var key = config.NumAttentionHeads * config.HeadDim;
        var value = key + config.NumKeyValueHeads * config.HeadDim;
        return new QkvLayout(0, key, value, config.HeadDim, config.HeadDim);
    }

    /// <summary>Query, key and value of head 0, then of head 1, ... (GPT-NeoX, BLOOM).</summary>
    public static QkvLayout PerHead(ModelConfig config) =>
        new(0, config.HeadDim, 2 * config.HeadDim, 3 * config.HeadDim, 3 * config.HeadDim);
}

/// <summary>Weights of one block. Null norms do not exist in the family.</summary>
public sealed record LayerWeights
{
    /// <summary>Before attention; after attention and residual where the placement is post.</summary>
    public Norm? AttentionNorm { get; init; }

    /// <summary>On attention's result before it joins the residual (sandwich).</summary>
    public Norm? PostAttentionNorm { get; init; }

    /// <summary>Before the feed-forward (or after it, post); null in parallel families that share the attention norm.</summary>
    public Norm? MlpNorm { get; init; }

    /// <summary>On the feed-forward's result before it joins the residual (sandwich).</summary>
    public Norm? PostMlpNorm { get; init; }

    /// <summary>hidden -> query, key and value.</summary>
    public required Linear Qkv { get; init; }

    /// <summary>Where <see cref="Qkv"/>'s result holds what.</summary>
    public required QkvLayout Layout { get; init; }

    /// <summary>Per-head norm of queries before rotary.</summary>
    public Norm? QueryNorm { get; init; }

    /// <summary>Per-head norm of keys before rotary.</summary>
    public Norm? KeyNorm { get; init; }

    /// <summary>heads x head_dim -> hidden.</summary>
    public required Linear Output { get; init; }

    /// <summary>hidden -> intermediate, or gate and up stacked: hidden -> 2 x intermediate.</summary>
    public required Linear Up { get; init; }

    /// <summary>intermediate -> hidden.</summary>
    public required Linear Down { get; init; }
}

/// <summary>Weights of a whole model.</summary>
public sealed record TransformerWeights
{
    /// <summary>[vocabulary, embedding size].</summary>
    public required Tensor TokenEmbedding { get; init; }

    /// <summary>[positions + offset, hidden], or null.</summary>
    public Tensor? PositionEmbedding { get; init; }

    /// <summary>On the embeddings (BLOOM).</summary>
    public Norm? EmbeddingNorm { get; init; }

    /// <summary>embedding size -> hidden (OPT-350m).</summary>
    public Linear? ProjectIn { get; init; }

    /// <summary>hidden -> embedding size (OPT-350m).</summary>
    public Linear? ProjectOut { get; init; }

    /// <summary>The blocks.</summary>
    public required IReadOnlyList<LayerWeights> Layers { get; init; }

    /// <summary>After the last block.</summary>
    public Norm? FinalNorm { get; init; }

    /// <summary>embedding size -> vocabulary.</summary>
    public required Linear Head { get; init; }
}
