// Choice of the next token from logits: greedy, or sampled under temperature, top-k, top-p and min-p.
using Rt.Core;

namespace Rt.Model;

/// <summary>How text is generated.</summary>
public sealed record GenerationOptions
{
    /// <summary>Most tokens to generate.</summary>
    public int MaxNewTokens { get; init; } = 64;

    /// <summary>0 for greedy; else logits are divided by it.</summary>
    public double Temperature { get; init; }

    /// <summary>Keep the k most likely tokens; 0 keeps all.</summary>
    public int TopK { get; init; }

    /// <summary>Keep the fewest most likely tokens whose probabilities reach this sum; 1 keeps all. Holtzman et al. 2019, arXiv:1904.09751.</summary>
    public double TopP { get; init; } = 1;

    /// <summary>Keep tokens at least this fraction as likely as the most likely one; 0 keeps all. arXiv:2407.01082.</summary>
    public double MinP { get; init; }

    /// <summary>Seed of the sampling; every prompt of a batch starts from it, so that a batch gives what single prompts give.</summary>
    public ulong Seed { get; init; }

    /// <summary>Texts that end the generation; they are not part of the result.</summary>
    public IReadOnlyList<string> Stop { get; init; } = [];

    /// <summary>Do not stop at the model's end-of-text tokens.</summary>
    public bool IgnoreEos { get; init; }
}

/// <summary>Samples tokens for one prompt. Order of the filters: temperature, top-k, top-p, min-p.</summary>
internal sealed class Sampler
{
    private readonly GenerationOptions _options;
    private readonly int[] _ids;
    private readonly float[] _keys;
    private float[]? _logits;
    private ulong _state;

    public Sampler(GenerationOptions options, int vocabularySize)
    {
        _options = options;
        _ids = new int[vocabularySize];
        _keys = new float[vocabularySize];
        _state = options.Seed;
    }

    /// <summary>Draws a token from a row of logits on a device; with top-k only the likeliest leave it.</summary>
    public int Sample(IDevice device, Tensor row)
    {
        if (_options.TopK > 0 && _options.TopK < row.Columns)
        {
            device.TopK(row, _options.TopK, _keys.AsSpan(0, _options.TopK), _ids.AsSpan(0, _options.TopK));
            for (var i = 0; i < _options.TopK; i++)
            {
                _keys[i] = float.IsNaN(_keys[i]) ? float.PositiveInfinity : -_keys[i];
            }

            return Draw(_options.TopK);
        }

        _logits ??= new float[row.Columns];
        device.Download(row, _logits);
        return Sample(_logits);
    }

    /// <summary>Draws a token.</summary>
    /// <param name="logits">[vocabulary]; left unchanged.</param>
    public int Sample(ReadOnlySpan<float> logits)
    {
        var count = logits.Length;
        for (var i = 0; i < count; i++)
        {
            _ids[i] = i;
            _keys[i] = float.IsNaN(logits[i]) ? float.PositiveInfinity : -logits[i];
        }

        // Most likely first; equal logits by id, so that the draw does not depend on the sort.
        Array.Sort(_keys, _ids, 0, count);
        for (var i = 1; i < count && _options.TopK > 0 && i <= _options.TopK; i++)
        {
            for (var j = i; j > 0 && _keys[j] == _keys[j - 1] && _ids[j] < _ids[j - 1]; j--)
            {
                (_ids[j], _ids[j - 1]) = (_ids[j - 1], _ids[j]);
            }
        }

        if (_options.TopK > 0)
        {
            count = Math.Min(count, _options.TopK);
        }

        return Draw(count);
    }

    /// <summary>Draws from the first <paramref name="count"/> keys, likeliest first.</summary>
    private int Draw(int count)
    {
        var total = 0.0;
        for (var i = 0; i < count; i++)
        {
            total += Weight(i);
        }

        var kept = 0;
        var sum = 0.0;
        while (kept < count && (kept == 0 || (sum < _options.TopP * total && Weight(kept) >= _options.MinP)))
        {
            sum += Weight(kept++);
        }

        var draw = NextDouble() * sum;
        for (var i = 0; i < kept; i++)
        {
            draw -= Weight(i);
            if (draw < 0)
            {
                return _ids[i];
            }
        }

        return _ids[kept - 1];
    }

    /// <summary>Probability of the i-th likeliest token over that of the likeliest.</summary>
    private double Weight(int i) => Math.Exp((_keys[0] - _keys[i]) / _options.Temperature);

    /// <summary>SplitMix64, mapped to [0, 1). Steele, Lea and Flood 2014.</summary>
    private double NextDouble()
    {
        _state += 0x9E3779B97F4A7C15;
        var z = _state;
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
        z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
        return ((z ^ (z >> 31)) >> 11) * (1.0 / (1UL << 53));
    }
}
