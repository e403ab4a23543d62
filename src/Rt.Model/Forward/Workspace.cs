// The activations of a forward pass, allocated once.
using Rt.Core;

namespace Rt.Model;

/// <summary>Buffers for forward passes of up to <see cref="RowCapacity"/> rows; nothing is allocated per token.</summary>
public sealed class Workspace : IDisposable
{
    private readonly List<Storage> _storages = [];

    /// <param name="device">Where the buffers live.</param>
    /// <param name="config">The model's shape.</param>
    /// <param name="rowCapacity">Most rows of one pass.</param>
    public Workspace(IDevice device, ModelConfig config, int rowCapacity)
    {
        RowCapacity = rowCapacity;
        var heads = config.NumAttentionHeads * config.HeadDim;
        Embedded = Buffer(config.EmbeddingSize ?? 1);
        Residual = Buffer(config.HiddenSize);
        Normed = Buffer(config.HiddenSize);
        MlpNormed = Buffer(config.ParallelResidual ? config.HiddenSize : 1);
        Branch = Buffer(config.HiddenSize);
        Qkv = Buffer(heads + 2 * config.NumKeyValueHeads * config.HeadDim);
        LastQkv = Buffer(heads + 2 * config.NumKeyValueHeads * config.HeadDim);
        LastRows = new RowBatch(rowCapacity, rowCapacity);
        LastRowIndices = new int[rowCapacity];
        Heads = Buffer(heads);
        Inner = Buffer(config.Gated ? 2 * config.IntermediateSize : config.IntermediateSize);

        Tensor Buffer(int width)
        {
            var tensor = device.Allocate(device.ActivationType, 1, rowCapacity, width);
            _storages.Add(tensor.Storage);
            return tensor;
        }
    }

    /// <summary>Most rows of one pass.</summary>
    public int RowCapacity { get; }

    /// <summary>[rows, embedding size], where embeddings are projected.</summary>
    public Tensor Embedded { get; }

    /// <summary>[rows, hidden]: the residual stream.</summary>
    public Tensor Residual { get; }

    /// <summary>[rows, hidden]: the input of attention or feed-forward.</summary>
    public Tensor Normed { get; }

    /// <summary>[rows, hidden]: the feed-forward's own input in parallel families.</summary>
    public Tensor MlpNormed { get; }

    /// <summary>[rows, hidden]: a branch's result before it joins the residual.</summary>
    public Tensor Branch { get; }

    /// <summary>[rows, (heads + 2 kv_heads) x head_dim].</summary>
    public Tensor Qkv { get; }

    /// <summary>[rows, as <see cref="Qkv"/>]: that of the rows that the last block goes on with.</summary>
    public Tensor LastQkv { get; }

    /// <summary>The rows that the last block goes on with.</summary>
    internal RowBatch LastRows { get; }

    /// <summary>Where those rows were.</summary>
    internal int[] LastRowIndices { get; }

    /// <summary>[rows, heads x head_dim]: attention's result per head.</summary>
    public Tensor Heads { get; }

    /// <summary>[rows, intermediate], or gate and up side by side.</summary>
    public Tensor Inner { get; }

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (var storage in _storages)
        {
            storage.Dispose();
        }
    }
}
