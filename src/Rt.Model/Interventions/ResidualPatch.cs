// Patches: vectors written into the residual stream or into one head's output while in scope.
using Rt.Core;

namespace Rt.Model;

/// <summary>A vector for one prompt.</summary>
/// <param name="Point">Where it is written.</param>
/// <param name="Vector">[hidden].</param>
public readonly record struct PromptPatch(ResidualPoint Point, double[] Vector);

/// <summary>Writes vectors into the residual stream at the last row of prompts.</summary>
/// <remarks>One patch serves every prompt; of several, the n-th serves the n-th prompt that ends while the hook is attached,
/// so that each row of a batch has its own vector and layer.</remarks>
public sealed class ResidualPatch : ForwardHook, IDisposable
{
    private readonly IReadOnlyList<PromptPatch> _patches;
    private readonly PatchMode _mode;
    private readonly double _scale;
    private readonly bool _generatedRows;
    private readonly Tensor _vectors;
    private int _promptsEnded;
    private int _firstPrompt;

    /// <param name="model">The model to patch; see <see cref="LanguageModel.Attach"/>.</param>
    /// <param name="patches">One for all prompts, or one per prompt.</param>
    /// <param name="mode">Replace the row or add to it.</param>
    /// <param name="scale">Factor on the vectors.</param>
    /// <param name="generatedRows">Also patches generated rows; needs a single patch.</param>
    /// <exception cref="UsageException">A point does not exist, a vector has another width, or generated rows are asked of several patches.</exception>
    public ResidualPatch(
        LanguageModel model, IReadOnlyList<PromptPatch> patches, PatchMode mode = PatchMode.Replace, double scale = 1, bool generatedRows = false)
    {
        if (generatedRows && patches.Count > 1)
        {
            throw new UsageException("patching generated rows needs one vector for all prompts");
        }

        foreach (var patch in patches)
        {
            model.Require(patch.Point);
            if (patch.Vector.Length != model.Config.HiddenSize)
            {
                throw new UsageException($"vector of width {patch.Vector.Length}: expected the hidden size {model.Config.HiddenSize}");
            }
        }

        _patches = patches;
        _mode = mode;
        _scale = scale;
        _generatedRows = generatedRows;
        _vectors = model.Device.Allocate(model.Device.ActivationType, 1, patches.Count, model.Config.HiddenSize);
        for (var i = 0; i < patches.Count; i++)
        {
            model.Device.Upload(patches[i].Vector, _vectors.SliceRows(i, 1));
        }
    }

    /// <inheritdoc/>
    public override bool WantsAllRows => false;

    /// <inheritdoc/>
    public override void OnBegin(IDevice device, RowBatch rows)
    {
        _firstPrompt = _promptsEnded;
        foreach (var sequence in rows.Sequences)
        {
            _promptsEnded += sequence.Stage == Stage.PromptEnd ? 1 : 0;
        }
    }

    /// <inheritdoc/>
    public override void OnResidual(IDevice device, RowBatch rows, ResidualPoint point, Tensor residual)
    {
        var prompt = _firstPrompt;
        foreach (var sequence in rows.Sequences)
        {
            if (sequence.Stage == Stage.PromptEnd)
            {
                Write(device, residual, point, sequence.LastRow, _patches.Count == 1 ? 0 : prompt);
                prompt++;
            }
            else if (sequence.Stage == Stage.Generated && _generatedRows)
            {
                for (var row = sequence.FirstRow; row <= sequence.LastRow; row++)
                {
                    Write(device, residual, point, row, 0);
                }
            }
        }
    }

    /// <inheritdoc/>
    public void Dispose() => _vectors.Storage.Dispose();

    private void Write(IDevice device, Tensor residual, ResidualPoint point, int row, int patch)
    {
        if (patch < _patches.Count && _patches[patch].Point == point)
        {
            device.PatchRows(residual, [row], _vectors.SliceRows(patch, 1), _mode, _scale);
        }
    }
}

/// <summary>Writes one head's output (before the output projection) at the last row of every prompt.</summary>
/// <remarks>Function vectors (Todd et al. 2023, arXiv:2310.15213) and state vectors (arXiv:2404.11225) need it.</remarks>
public sealed class HeadPatch : ForwardHook, IDisposable
{
    private readonly int _layer;
    private readonly int _head;
    private readonly PatchMode _mode;
    private readonly double _scale;
    private readonly Tensor _vector;

    /// <param name="model">The model to patch.</param>
    /// <param name="layer">Block.</param>
    /// <param name="head">Query head.</param>
    /// <param name="vector">[head_dim].</param>
    /// <param name="mode">Replace or add.</param>
    /// <param name="scale">Factor on the vector.</param>
    /// <exception cref="UsageException">No such layer or head, or the vector has another width.</exception>
    public HeadPatch(LanguageModel model, int layer, int head, double[] vector, PatchMode mode = PatchMode.Replace, double scale = 1)
    {
        model.Require(new ResidualPoint(layer, Point.Post));
        if (head < 0 || head >= model.Config.NumAttentionHeads || vector.Length != model.Config.HeadDim)
        {
            throw new UsageException($"head {head} with a vector of width {vector.Length}: expected head 0 to "
                + $"{model.Config.NumAttentionHeads - 1} and width {model.Config.HeadDim}");
        }

        (_layer, _head, _mode, _scale) = (layer, head, mode, scale);
        _vector = model.Device.Allocate(model.Device.ActivationType, 1, 1, vector.Length);
        model.Device.Upload(vector, _vector);
    }

    /// <inheritdoc/>
    public override bool WantsAllRows => false;

    /// <inheritdoc/>
    public override void OnHeads(IDevice device, RowBatch rows, int layer, Tensor heads)
    {
        if (layer != _layer)
        {
            return;
        }

        var head = new Tensor(
            heads.Storage, heads.DType, heads.Offset + _head * heads.Stride1, 1, heads.Dim0, heads.Dim2, heads.Stride0 * heads.Dim0, heads.Stride0);
        foreach (var sequence in rows.Sequences)
        {
            if (sequence.Stage == Stage.PromptEnd)
            {
                device.PatchRows(head, [sequence.LastRow], _vector, _mode, _scale);
            }
        }
    }

    /// <inheritdoc/>
    public void Dispose() => _vector.Storage.Dispose();
}
