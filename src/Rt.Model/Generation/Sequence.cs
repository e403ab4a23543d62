// One sequence with its own cache, run step by step: for study, and for the reference cases.
using Rt.Core;

namespace Rt.Model;

/// <summary>A growing sequence of tokens with their keys and values.</summary>
public sealed class Sequence : IDisposable
{
    private readonly LanguageModel _model;
    private readonly KeptKv? _kept;
    private readonly KvCache _cache;

    /// <param name="model">The model.</param>
    /// <param name="capacity">Most tokens.</param>
    /// <param name="kept">Prefix that the sequence sees, at positions before it; null for none.</param>
    public Sequence(LanguageModel model, int capacity, KeptKv? kept = null)
    {
        _model = model;
        _kept = kept;
        _cache = model.NewCache(1, capacity);
    }

    /// <summary>Tokens so far, without the prefix.</summary>
    public int Length { get; private set; }

    /// <summary>Runs tokens and returns the logits [rows][vocabulary] of every one of them.</summary>
    /// <param name="tokenIds">The next tokens.</param>
    /// <param name="stage">Prompt or generated: hooks may tell them apart.</param>
    /// <exception cref="UsageException">Unknown tokens, or more positions than the model has.</exception>
    public double[][] Append(ReadOnlySpan<int> tokenIds, Stage stage = Stage.PromptEnd)
    {
        var prefix = _kept?.Length ?? 0;
        _model.Require(tokenIds, prefix + Length + tokenIds.Length);
        var workspace = _model.WorkspaceFor(tokenIds.Length);
        var rows = _model.RowsFor(tokenIds.Length, _cache);
        rows.Add(tokenIds, 0, Length, prefix, _kept is null ? -1 : rows.AddPrefix(_kept.Cache), prefix, stage);
        _model.Transformer.Forward(rows, workspace);
        Length += tokenIds.Length;
        var head = _model.HeadFor(1);
        var logits = new double[tokenIds.Length][];
        Span<int> row = stackalloc int[1];
        for (var i = 0; i < logits.Length; i++)
        {
            row[0] = i;
            _model.Transformer.FinalStates(workspace.Residual, row, head.Gathered(1), head.States(1));
            _model.Transformer.Logits(head.States(1), head.Logits(1));
            logits[i] = new double[_model.Config.VocabularySize];
            _model.Device.Download(head.Logits(1), logits[i]);
        }

        return logits;
    }

    /// <summary>Keys of a layer, [kv_heads x length x head_dim] row-major, after rotary.</summary>
    public double[] Keys(int layer) => Read(_cache.Key(layer, 0, Length));

    /// <summary>Values of a layer, [kv_heads x length x head_dim] row-major.</summary>
    public double[] Values(int layer) => Read(_cache.Value(layer, 0, Length));

    /// <inheritdoc/>
    public void Dispose() => _cache.Dispose();

    private double[] Read(Tensor tensor)
    {
        var values = new double[tensor.Count];
        _model.Device.Download(tensor, values);
        return values;
    }
}
