// Buffers behind the last block: gathered rows, final states, logits.
using Rt.Core;

namespace Rt.Model;

/// <summary>Buffers for the head of up to <see cref="RowCapacity"/> rows.</summary>
internal sealed class HeadBuffers : IDisposable
{
    private readonly IDevice _device;
    private readonly ModelConfig _config;
    private readonly Tensor _gathered;
    private readonly Tensor _states;
    private Tensor? _logits;

    public HeadBuffers(IDevice device, ModelConfig config, int rowCapacity)
    {
        _device = device;
        _config = config;
        RowCapacity = rowCapacity;
        _gathered = device.Allocate(device.ActivationType, 1, rowCapacity, config.HiddenSize);
        _states = config.EmbeddingSize is { } size ? device.Allocate(device.ActivationType, 1, rowCapacity, size) : _gathered;
    }

    /// <summary>Most rows.</summary>
    public int RowCapacity { get; }

    /// <summary>[rows, hidden].</summary>
    public Tensor Gathered(int rows) => _gathered.SliceRows(0, rows);

    /// <summary>[rows, embedding size].</summary>
    public Tensor States(int rows) => _states.SliceRows(0, rows);

    /// <summary>[rows, vocabulary]; made when first asked for.</summary>
    public Tensor Logits(int rows)
    {
        _logits ??= _device.Allocate(_device.ActivationType, 1, RowCapacity, _config.VocabularySize);
        return _logits.Value.SliceRows(0, rows);
    }

    public void Dispose()
    {
        _gathered.Storage.Dispose();
        _states.Storage.Dispose();
        _logits?.Storage.Dispose();
    }
}
