// What config.json says, in one form for all families: the data that drives the one forward pass.
using Rt.Core;

namespace Rt.Model;

/// <summary>Where a block normalises.</summary>
public enum NormPlacement
{
    /// <summary>x + f(norm(x)).</summary>
    Pre,

    /// <summary>norm(x + f(x)).</summary>
    Post,

    /// <summary>x + norm(f(norm(x))).</summary>
    Sandwich,
}

/// <summary>How attention is computed in one layer.</summary>
/// <param name="Scale">Factor on q . k.</param>
/// <param name="Window">Sliding window, 0 for none.</param>
/// <param name="Rope">Rotary positions, null for none.</param>
public sealed record LayerAttention(double Scale, int Window, RopeConfig? Rope);

/// <summary>A model's shape and rules, with the field names of config.json.</summary>
public sealed record ModelConfig
{
    /// <summary><c>model_type</c>: the family.</summary>
    public required string ModelType { get; init; }

    /// <summary>Rows of the head: token ids run from 0 to VocabularySize - 1.</summary>
    public required int VocabularySize { get; init; }

    /// <summary>Width of the residual stream.</summary>
    public required int HiddenSize { get; init; }

    /// <summary>Width inside the feed-forward.</summary>
    public required int IntermediateSize { get; init; }

    /// <summary>Number of blocks.</summary>
    public required int NumHiddenLayers { get; init; }

    /// <summary>Query heads per layer.</summary>
    public required int NumAttentionHeads { get; init; }

    /// <summary>Key-value heads per layer; divides the query heads.</summary>
    public required int NumKeyValueHeads { get; init; }

    /// <summary>Width of one head.</summary>
    public required int HeadDim { get; init; }

    /// <summary>Positions the model was made for; <see cref="int.MaxValue"/> where there is no limit (ALiBi).</summary>
    public required int MaxPositionEmbeddings { get; init; }

    /// <summary>Positions that can be computed: none beyond the trained ones, except where the rotary scaling adapts to any length.</summary>
    public int PositionLimit => Layers.Any(layer => layer.Rope?.Scaling == RopeScaling.Dynamic) ? int.MaxValue : MaxPositionEmbeddings;

    /// <summary>Added inside the root of every norm.</summary>
    public required double NormEpsilon { get; init; }

    /// <summary>Activation of the feed-forward.</summary>
    public required Activation Activation { get; init; }

    /// <summary>Attention per layer.</summary>
    public required IReadOnlyList<LayerAttention> Layers { get; init; }

    /// <summary>Whether the head is the token embedding.</summary>
    public required bool TieWordEmbeddings { get; init; }

    /// <summary>Whether the feed-forward is act(gate) * up.</summary>
    public bool Gated { get; init; }

    /// <summary>Where blocks normalise.</summary>
    public NormPlacement NormPlacement { get; init; }

    /// <summary>Whether attention and feed-forward both read the block's input.</summary>
    public bool ParallelResidual { get; init; }

    /// <summary>Whether the residual continues from the norm's output (BLOOM's <c>apply_residual_connection_post_layernorm</c>).</summary>
    public bool ResidualFromNorm { get; init; }

    /// <summary>Width of the token embedding where it is projected to the hidden size (OPT-350m), else the hidden size.</summary>
    public int? EmbeddingSize { get; init; }

    /// <summary>Factor on the token embedding (Gemma: the root of the hidden size).</summary>
    public double EmbeddingScale { get; init; } = 1;

    /// <summary>Offset into the table of learned positions; null without learned positions.</summary>
    public int? LearnedPositionOffset { get; init; }

    /// <summary>Whether scores are biased by distance.</summary>
    public bool Alibi { get; init; }

    /// <summary>Added to norm weights (Gemma: 1).</summary>
    public double NormWeightOffset { get; init; }

    /// <summary>Soft cap of attention scores, 0 for none.</summary>
    public double AttentionSoftCap { get; init; }

    /// <summary>Soft cap of logits, 0 for none.</summary>
    public double FinalSoftCap { get; init; }

    /// <summary>Whether attention's projections have biases, where the family leaves that to the config.</summary>
    public bool AttentionBias { get; init; }

    /// <summary>Whether the feed-forward's projections have biases, where the family leaves that to the config.</summary>
    public bool MlpBias { get; init; }

    /// <summary>Whether queries and keys are normed per head, where the family leaves that to the config.</summary>
    public bool QueryKeyNorm { get; init; }

    /// <summary>Whether there is a norm after the last block, where the family leaves that to the config.</summary>
    public bool HasFinalNorm { get; init; } = true;

    /// <summary>Whether norms have weights and biases, where the family leaves that to the config.</summary>
    public bool AffineNorms { get; init; } = true;

    /// <summary>Token that starts a text, where the config names one.</summary>
    public int? BosTokenId { get; init; }

    /// <summary>Tokens that end a text.</summary>
    public IReadOnlyList<int> EosTokenIds { get; init; } = [];

    /// <summary>The same attention in every layer.</summary>
    public static IReadOnlyList<LayerAttention> SameLayers(int count, LayerAttention attention) =>
        [.. Enumerable.Repeat(attention, count)];

    /// <summary>Checks what every family must satisfy.</summary>
    /// <exception cref="BadFileException">Heads that do not divide, too few vocabulary entries.</exception>
    public ModelConfig Validate(ConfigReader config)
    {
        if (NumAttentionHeads % NumKeyValueHeads != 0)
        {
            throw config.Wrong("num_key_value_heads", $"a divisor of num_attention_heads = {NumAttentionHeads}", NumKeyValueHeads);
        }

        foreach (var rope in Layers.Select(layer => layer.Rope).OfType<RopeConfig>())
        {
            if (rope.Dim < 2 || rope.Dim > HeadDim || rope.Dim % 2 != 0)
            {
                throw config.Wrong("rotary dimension", $"an even number from 2 to head_dim = {HeadDim}", rope.Dim);
            }
        }

        return this;
    }
}
