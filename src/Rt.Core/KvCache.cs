// Keys and values per layer, for one or more sequences.
namespace Rt.Core;

/// <summary>Keys and values of one layer, each [slots x kv_heads, capacity, head_dim].</summary>
/// <remarks>Keys are stored after rotary and after the per-head norm; heads are not repeated for grouped queries.</remarks>
public readonly record struct KvLayer(Tensor Key, Tensor Value);

/// <summary>Keys and values of all layers. A slot holds one sequence; every slot has the same capacity.</summary>
public sealed class KvCache : IDisposable
{
    private readonly KvLayer[] _layers;
    private readonly Storage _storage;

    /// <param name="device">Where the cache lives.</param>
    /// <param name="layers">Number of layers that can be asked for.</param>
    /// <param name="slots">Number of sequences.</param>
    /// <param name="kvHeads">Key-value heads per layer.</param>
    /// <param name="capacity">Entries per sequence.</param>
    /// <param name="headDim">Width of one head.</param>
    /// <param name="shareLayers">One buffer stands for every layer: for passes that need the new keys and values of a layer
    /// only until that layer is done, as the think pass does.</param>
    /// <param name="type">Dtype of the entries; null for the device's activation dtype.</param>
    public KvCache(IDevice device, int layers, int slots, int kvHeads, int capacity, int headDim, bool shareLayers = false, DType? type = null)
    {
        Slots = slots;
        KvHeads = kvHeads;
        Capacity = capacity;
        HeadDim = headDim;
        _layers = new KvLayer[layers];
        // One allocation: large ones come in huge pages, which cost less to touch first.
        var heads = slots * kvHeads;
        var all = device.Allocate(type ?? device.ActivationType, 2 * (shareLayers ? 1 : layers) * heads, capacity, headDim);
        _storage = all.Storage;
        for (var layer = 0; layer < layers; layer++)
        {
            var first = shareLayers ? 0 : 2 * layer * heads;
            _layers[layer] = new KvLayer(all.Slice(first, heads), all.Slice(first + heads, heads));
        }
    }

    /// <summary>Number of layers.</summary>
    public int Layers => _layers.Length;

    /// <summary>Number of sequences.</summary>
    public int Slots { get; }

    /// <summary>Key-value heads per layer.</summary>
    public int KvHeads { get; }

    /// <summary>Entries per sequence.</summary>
    public int Capacity { get; }

    /// <summary>Width of one head.</summary>
    public int HeadDim { get; }

    /// <summary>Keys and values of one layer, all slots.</summary>
    public KvLayer this[int layer] => _layers[layer];

    /// <summary>Keys [kv_heads, length, head_dim] of one sequence in one layer.</summary>
    public Tensor Key(int layer, int slot, int length) => _layers[layer].Key.Slice(slot * KvHeads, KvHeads).SliceRows(0, length);

    /// <summary>Values [kv_heads, length, head_dim] of one sequence in one layer.</summary>
    public Tensor Value(int layer, int slot, int length) => _layers[layer].Value.Slice(slot * KvHeads, KvHeads).SliceRows(0, length);

    /// <inheritdoc/>
    public void Dispose() => _storage.Dispose();
}
