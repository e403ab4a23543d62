// The op interface: what a device must compute. A device implements ops, never a forward pass.
namespace Rt.Core;

/// <summary>A device: memory and about twenty ops, in the order sources, numbers, destination.</summary>
/// <remarks>
/// Activations, keys and values have <see cref="ActivationType"/>; weights keep the dtype they are stored in.
/// A tensor [1, rows, width] is a matrix; every op accepts strided rows. Unless said otherwise a destination must not overlap a source.
/// The same call gives the same bits on every run and for any number of threads.
/// Ops throw <see cref="ShapeException"/> naming the tensors that do not fit.
/// </remarks>
public interface IDevice : IDisposable
{
    /// <summary>Short name: reference, cpu, simulator, cuda.</summary>
    string Name { get; }

    /// <summary>One line for reports: the name, the instruction set or chip, the number of threads.</summary>
    string Description { get; }

    /// <summary>Dtype of activations, keys and values: F64 on the reference device, F32 on cpu.</summary>
    DType ActivationType { get; }

    /// <summary>Dtype of kept keys and values that are updated, and of their velocity: F32, or F64 where activations are. Where it is wider
    /// than <see cref="ActivationType"/>, attention reads a copy.</summary>
    DType MasterType => ActivationType == DType.F64 ? DType.F64 : DType.F32;

    /// <summary>Allocates zeroed memory; dispose the tensor's storage.</summary>
    /// <exception cref="DeviceException">Out of memory: says what was asked.</exception>
    Tensor Allocate(DType type, int dim0, int dim1, int dim2);

    /// <summary>Makes a weight in host memory (often a mapped file) usable by ops: the same tensor where the device reads host
    /// memory, else a copy that the device owns.</summary>
    Tensor Import(Tensor host);

    /// <summary>Writes host values into a tensor, rounding to its dtype. Length = element count.</summary>
    void Upload(ReadOnlySpan<double> source, Tensor destination);

    /// <summary>Reads a tensor, widening or rounding to F32. Length = element count.</summary>
    void Download(Tensor source, Span<float> destination);

    /// <summary>Reads a tensor, widening to F64. Length = element count.</summary>
    void Download(Tensor source, Span<double> destination);

    /// <summary>Runs work that is like work done before: a step of decoding, a pass over the same demonstrations. A device may then start
    /// it as a whole instead of op by op. The results are those of running it plainly.</summary>
    /// <param name="state">Given to the work, so that nothing needs to be captured.</param>
    /// <param name="work">Calls ops of this device.</param>
    void Repeat<TState>(TState state, Action<TState> work) => work(state);

    /// <summary>Announces the rows of the forward pass that follows, so that a device can bring tokens, positions and sequences over once.</summary>
    void Begin(RowBatch rows);

    /// <summary>destination[r] = table[token of r] * scale. Table [vocabulary, width].</summary>
    void Embed(RowBatch rows, Tensor table, double scale, Tensor destination);

    /// <summary>destination[r] += table[position of r + offset]. Table [positions, width].</summary>
    void AddPositions(RowBatch rows, Tensor table, int offset, Tensor destination);

    /// <summary>Normalises the last axis of x [a, b, width]; destination may be x.</summary>
    void Normalize(Tensor x, Norm norm, Tensor destination);

    /// <summary>destination = x Wᵀ + b, or destination += x Wᵀ + b where <paramref name="accumulate"/>. x [rows, in], destination [rows, out].</summary>
    /// <remarks>Sums in the activation dtype or wider.</remarks>
    void MatMul(Tensor x, Linear linear, bool accumulate, Tensor destination);

    /// <summary>x += y; destination = the norm of that sum. All [a, b, width]; destination may be neither.</summary>
    void AddNormalize(Tensor x, Tensor y, Norm norm, Tensor destination)
    {
        Add(x, y, x);
        Normalize(x, norm, destination);
    }

    /// <summary>The first half of a feed-forward: the first columns of inner = activation(x Wᵀ + b), or where <paramref name="gated"/>, with
    /// the map's first half of outputs as gate and its second half as up, activation(gate) * up.</summary>
    /// <param name="x">[rows, in].</param>
    /// <param name="linear">To width outputs, or 2 x width where gated.</param>
    /// <param name="activation">The activation.</param>
    /// <param name="gated">Whether the map holds gate and up.</param>
    /// <param name="inner">[rows, outputs of the map]; columns beyond the result are undefined afterwards.</param>
    void MatMulActivate(Tensor x, Linear linear, Activation activation, bool gated, Tensor inner)
    {
        MatMul(x, linear, false, inner);
        if (gated)
        {
            var gate = inner.SliceColumns(0, linear.Out / 2);
            Gate(gate, inner.SliceColumns(linear.Out / 2, linear.Out / 2), activation, gate);
        }
        else
        {
            Activate(inner, activation, inner);
        }
    }

    /// <summary>destination = activation(x), element by element; destination may be x.</summary>
    void Activate(Tensor x, Activation activation, Tensor destination);

    /// <summary>destination = activation(gate) * up, element by element; destination may be either source. Shazeer 2020, arXiv:2002.05202.</summary>
    void Gate(Tensor gate, Tensor up, Activation activation, Tensor destination);

    /// <summary>destination = x + y; destination may be either source.</summary>
    void Add(Tensor x, Tensor y, Tensor destination);

    /// <summary>destination = source, converting dtypes; both [a, b, width] of the same shape.</summary>
    void Copy(Tensor source, Tensor destination);

    /// <summary>x = cap * tanh(x / cap), in place.</summary>
    void SoftCap(Tensor x, double cap);

    /// <summary>Rotates q in place and k on its way into the cache, and writes v: rows of each sequence go to its slot from its Start on.</summary>
    /// <param name="query">[rows, heads, head_dim]; rotated in place.</param>
    /// <param name="key">[rows, kv_heads, head_dim].</param>
    /// <param name="value">[rows, kv_heads, head_dim].</param>
    /// <param name="rows">The batch; its cache receives keys and values.</param>
    /// <param name="layer">Layer of the cache.</param>
    /// <param name="rotary">Null for families without rotary positions.</param>
    void AppendKv(Tensor query, Tensor key, Tensor value, RowBatch rows, int layer, RotaryTable? rotary);

    /// <summary>Softmax attention of every row over its prefix and its own sequence.</summary>
    /// <param name="query">[rows, heads, head_dim], rotated.</param>
    /// <param name="rows">The batch, after <see cref="AppendKv"/> of this layer. Rows that share a prefix read it once.</param>
    /// <param name="layer">Layer of the caches.</param>
    /// <param name="options">Scale, window, soft cap, ALiBi.</param>
    /// <param name="destination">[rows, heads, head_dim].</param>
    void Attention(Tensor query, RowBatch rows, int layer, in AttentionOptions options, Tensor destination);

    /// <summary>The scores or probabilities that <see cref="Attention"/> uses, unfused, for study.</summary>
    /// <param name="query">[rows, heads, head_dim], rotated.</param>
    /// <param name="rows">The batch, after <see cref="AppendKv"/> of this layer.</param>
    /// <param name="layer">Layer of the caches.</param>
    /// <param name="options">Scale, window, soft cap, ALiBi.</param>
    /// <param name="probabilities">True for softmax probabilities (unseen keys 0), false for scores (unseen keys -infinity).</param>
    /// <param name="destination">[rows, heads, keys]: prefix entries first, then the sequence's own; columns past a row's keys count as unseen.</param>
    void AttentionScores(Tensor query, RowBatch rows, int layer, in AttentionOptions options, bool probabilities, Tensor destination);

    /// <summary>Attention without softmax, over the same keys: destination = scale * sum_i v_i (k_i . q), in either of its dual forms.
    /// Window and ALiBi do not apply.</summary>
    void LinearAttention(Tensor query, RowBatch rows, int layer, double scale, LinearAttentionForm form, Tensor destination);

    /// <summary>The fused meta-gradient update of one layer: G = current - kept; M = G + β M; kept = kept + η M, for keys and values.</summary>
    /// <param name="current">Keys and values of this pass, each [kv_heads, length, head_dim], in the activation dtype or <see cref="MasterType"/>.</param>
    /// <param name="kept">The kept keys and values in <see cref="MasterType"/>, updated in place.</param>
    /// <param name="velocity">M in <see cref="MasterType"/>, updated in place.</param>
    /// <param name="step">Step size, momentum, rounding, masks.</param>
    /// <param name="squaredNorms">[2] in F64: receives the squared Frobenius norms of G for keys and values; null when not wanted.</param>
    /// <param name="copy">Receives the kept keys and values that are updated, rounded to the activation dtype; null where attention reads
    /// <paramref name="kept"/> itself.</param>
    /// <remarks>Runs after the same layer's <see cref="Attention"/>, which must read the keys and values kept before this pass.
    /// Reads three and writes two streams. Source: arXiv:2305.13016, equation of section 3 with momentum.</remarks>
    void AccumulateMetaGradient(
        KvLayer current, KvLayer kept, KvLayer velocity, in MetaGradientStep step, Tensor? squaredNorms, KvLayer? copy = null);

    /// <summary>Replaces rows of x by vectors, or adds vectors to them.</summary>
    /// <param name="x">[rows, width], changed in place.</param>
    /// <param name="rowIndices">The rows to patch; row i takes vector i.</param>
    /// <param name="vectors">[count, width].</param>
    /// <param name="mode">Replace or add.</param>
    /// <param name="scale">Factor on the vectors.</param>
    void PatchRows(Tensor x, ReadOnlySpan<int> rowIndices, Tensor vectors, PatchMode mode, double scale);

    /// <summary>destination[i] = x[rowIndices[i]].</summary>
    void GatherRows(Tensor x, ReadOnlySpan<int> rowIndices, Tensor destination);

    /// <summary>Index of the largest element of each row of x [rows, width]; the first on ties.</summary>
    void ArgMax(Tensor x, Span<int> indices);

    /// <summary>The largest elements of each row of x [rows, width], largest first, the lower index first among equals; NaN counts as smallest.</summary>
    /// <param name="x">[rows, width].</param>
    /// <param name="count">How many per row; at most width.</param>
    /// <param name="values">[rows x count]: receives the elements.</param>
    /// <param name="indices">[rows x count]: receives their columns.</param>
    void TopK(Tensor x, int count, Span<float> values, Span<int> indices) => LargestElements.TopK(this, x, count, values, indices);

    /// <summary>Natural log-probabilities of chosen tokens under softmax(softcap(x Wᵀ + b)), never holding more than a block of rows of logits.</summary>
    /// <param name="x">[rows, hidden]: normed final states.</param>
    /// <param name="head">The language-model head.</param>
    /// <param name="softCap">Final soft cap, 0 for none.</param>
    /// <param name="targets">Rows and tokens, rows in ascending order.</param>
    /// <param name="destination">One value per target.</param>
    void LogProbabilities(Tensor x, Linear head, double softCap, ReadOnlySpan<TokenTarget> targets, Span<double> destination);
}
