// Rotary position settings of config.json, old and new key names, and the frequencies they mean.
using Rt.Core;

namespace Rt.Model;

/// <summary>Ways to scale rotary frequencies beyond the trained length.</summary>
public enum RopeScaling
{
    /// <summary>No scaling.</summary>
    Default,

    /// <summary>All frequencies divided by the factor. Chen et al. 2023, arXiv:2306.15595.</summary>
    Linear,

    /// <summary>The base grows with the length once it exceeds the trained positions (NTK-aware).</summary>
    Dynamic,

    /// <summary>Low frequencies interpolated, high ones kept. Peng et al. 2023, arXiv:2309.00071.</summary>
    Yarn,

    /// <summary>One factor per frequency, from a short or a long list by length. Ding et al. 2024, arXiv:2402.13753.</summary>
    LongRope,

    /// <summary>LLaMA 3.1: frequencies blended by their wavelength.</summary>
    Llama3,
}

/// <summary>Rotary positions of one kind of layer.</summary>
public sealed record RopeConfig
{
    /// <summary>Elements of a head that rotate; even.</summary>
    public required int Dim { get; init; }

    /// <summary><c>rope_theta</c>: frequency i is Theta^(-2i / Dim) before scaling.</summary>
    public required double Theta { get; init; }

    /// <summary>Pairs are (2i, 2i + 1) as in GPT-J, else (i, i + Dim / 2).</summary>
    public bool Interleaved { get; init; }

    /// <summary><c>rope_type</c>.</summary>
    public RopeScaling Scaling { get; init; }

    /// <summary><c>factor</c>.</summary>
    public double Factor { get; init; } = 1;

    /// <summary>Positions before scaling.</summary>
    public int OriginalMaxPositions { get; init; }

    /// <summary>Factor on cosines and sines (YaRN, LongRoPE).</summary>
    public double AttentionFactor { get; init; } = 1;

    /// <summary>YaRN's <c>beta_fast</c>: rotations above which a frequency is kept.</summary>
    public double BetaFast { get; init; } = 32;

    /// <summary>YaRN's <c>beta_slow</c>: rotations below which a frequency is interpolated.</summary>
    public double BetaSlow { get; init; } = 1;

    /// <summary>YaRN: whether the correction range is rounded to whole dimensions.</summary>
    public bool Truncate { get; init; } = true;

    /// <summary>LLaMA 3's <c>low_freq_factor</c>.</summary>
    public double LowFrequencyFactor { get; init; } = 1;

    /// <summary>LLaMA 3's <c>high_freq_factor</c>.</summary>
    public double HighFrequencyFactor { get; init; } = 4;

    /// <summary>LongRoPE's <c>short_factor</c>, [Dim / 2].</summary>
    public double[]? ShortFactor { get; init; }

    /// <summary>LongRoPE's <c>long_factor</c>, [Dim / 2].</summary>
    public double[]? LongFactor { get; init; }

    /// <summary>Whether frequencies depend on the length of the sequence.</summary>
    public bool DependsOnLength => Scaling is RopeScaling.Dynamic or RopeScaling.LongRope;

    /// <summary>Elements of a head that rotate: the head dim times <c>partial_rotary_factor</c>, which newer configs keep in
    /// <c>rope_parameters</c>.</summary>
    /// <param name="config">The family's fields.</param>
    /// <param name="headDim">Width of a head.</param>
    /// <param name="fallback">The family's factor where the config names none.</param>
    /// <param name="name">The family's name for the factor.</param>
    public static int RotatingDim(ConfigReader config, int headDim, double fallback, string name = "partial_rotary_factor")
    {
        var factor = config.PositiveOr(fallback, name, "partial_rotary_factor");
        return (int)(headDim * (config.Object("rope_parameters")?.PositiveOr(factor, "partial_rotary_factor") ?? factor));
    }

    /// <summary>Reads rotary settings: <c>rope_theta</c> and <c>rope_scaling</c>, or <c>rope_parameters</c> (flat, or one object per layer type).</summary>
    /// <param name="config">The family's fields.</param>
    /// <param name="dim">Rotating elements of a head.</param>
    /// <param name="maxPositions"><c>max_position_embeddings</c>.</param>
    /// <param name="defaultTheta">The family's base where the config names none.</param>
    /// <param name="layerType">Key into <c>rope_parameters</c> where that differs per layer type.</param>
    /// <exception cref="UnsupportedModelException">The rope type is unknown.</exception>
    public static RopeConfig Read(
        ConfigReader config, int dim, int maxPositions, double defaultTheta = 10000, string? layerType = null)
    {
        var parameters = config.Object("rope_parameters");
        if (layerType is not null && parameters?.Object(layerType) is { } nested)
        {
            parameters = nested;
        }

        var theta = config.PositiveOr(defaultTheta, "rope_theta", "rotary_emb_base");
        theta = parameters?.PositiveOr(theta, "rope_theta") ?? theta;
        var scaling = parameters ?? config.Object("rope_scaling");
        var rope = new RopeConfig { Dim = dim, Theta = theta };
        return scaling is null ? rope : rope.WithScaling(scaling, config, maxPositions);
    }

    /// <summary>The frequencies at a sequence length, in radians per position, [Dim / 2].</summary>
    /// <param name="length">Length of the sequence so far; only <see cref="DependsOnLength"/> kinds look at it.</param>
    public double[] Frequencies(int length)
    {
        var theta = Theta;
        if (Scaling == RopeScaling.Dynamic)
        {
            var reached = Math.Max(length, OriginalMaxPositions);
            theta *= Math.Pow(Factor * reached / OriginalMaxPositions - (Factor - 1), Dim / (Dim - 2.0));
        }

        var frequencies = new double[Dim / 2];
        for (var i = 0; i < frequencies.Length; i++)
        {
            frequencies[i] = Scale(i, Math.Pow(theta, -2.0 * i / Dim), length);
        }

        return frequencies;
    }

    private double Scale(int i, double frequency, int length)
    {
        switch (Scaling)
        {
            case RopeScaling.Linear:
                return frequency / Factor;
            case RopeScaling.LongRope:
                return frequency / (length > OriginalMaxPositions ? LongFactor! : ShortFactor!)[i];
            case RopeScaling.Llama3:
                var wavelength = 2 * Math.PI / frequency;
                if (wavelength < OriginalMaxPositions / HighFrequencyFactor)
                {
                    return frequency;
                }

                if (wavelength > OriginalMaxPositions / LowFrequencyFactor)
                {
                    return frequency / Factor;
                }

                var smooth = (OriginalMaxPositions / wavelength - LowFrequencyFactor) / (HighFrequencyFactor - LowFrequencyFactor);
                return (1 - smooth) * frequency / Factor + smooth * frequency;
            case RopeScaling.Yarn:
                var low = CorrectionDim(BetaFast);
                var high = CorrectionDim(BetaSlow);
                if (Truncate)
                {
                    (low, high) = (Math.Floor(low), Math.Ceiling(high));
                }

                (low, high) = (Math.Max(low, 0), Math.Min(high, Dim - 1));
                var ramp = Math.Clamp((i - low) / (high == low ? 0.001 : high - low), 0, 1);
                return frequency / Factor * ramp + frequency * (1 - ramp);
            default:
                return frequency;
        }
    }

    /// <summary>YaRN: the dimension whose frequency turns <paramref name="rotations"/> times over the original positions.</summary>
    private double CorrectionDim(double rotations) =>
        Dim * Math.Log(OriginalMaxPositions / (rotations * 2 * Math.PI)) / (2 * Math.Log(Theta));

    private RopeConfig WithScaling(ConfigReader scaling, ConfigReader config, int maxPositions)
    {
        var kind = scaling.TextOr("default", "rope_type", "type");
        scaling.FlagOr(false, "rope_theta_is_default");
        scaling.PositiveOr(1, "partial_rotary_factor", "rope_theta");
        var ownOriginal = config.SizeOrNull("original_max_position_embeddings");
        var original = scaling.SizeOrNull("original_max_position_embeddings");
        // Where the config itself names the trained length, LongRoPE's factor is the ratio of the two lengths.
        var ratio = ownOriginal is { } own ? (double)maxPositions / own : (double?)null;
        original = ownOriginal ?? original;
        var rope = kind switch
        {
            "default" => this,
            "linear" => this with { Scaling = RopeScaling.Linear, Factor = scaling.Positive("factor") },
            "dynamic" => this with { Scaling = RopeScaling.Dynamic, Factor = scaling.Positive("factor"), OriginalMaxPositions = maxPositions },
            "llama3" => this with
            {
                Scaling = RopeScaling.Llama3,
                Factor = scaling.Positive("factor"),
                LowFrequencyFactor = scaling.Positive("low_freq_factor"),
                HighFrequencyFactor = scaling.Positive("high_freq_factor"),
                OriginalMaxPositions = original ?? maxPositions,
            },
            "yarn" => Yarn(scaling, original ?? maxPositions, maxPositions),
            "longrope" or "su" => LongRope(scaling, original ?? maxPositions, ratio ?? scaling.PositiveOr((double)maxPositions / (original ?? maxPositions), "factor")),
            _ => throw new UnsupportedModelException(
                $"{config.File}: rope type '{kind}' is not supported; known are default, linear, dynamic, yarn, longrope, llama3"),
        };
        scaling.RefuseUnknown();
        return rope;
    }

    private RopeConfig Yarn(ConfigReader scaling, int original, int maxPositions)
    {
        var factor = scaling.PositiveOr((double)maxPositions / original, "factor");
        // With mscale, the factor is a ratio of two such logarithms (DeepSeek's form of the same rule).
        var mscale = scaling.PositiveOr(0, "mscale");
        var mscaleAll = scaling.PositiveOr(0, "mscale_all_dim");
        var attention = mscale > 0 && mscaleAll > 0 ? Magnitude(factor, mscale) / Magnitude(factor, mscaleAll) : Magnitude(factor, 1);
        return this with
        {
            Scaling = RopeScaling.Yarn,
            Factor = factor,
            OriginalMaxPositions = original,
            AttentionFactor = scaling.PositiveOr(attention, "attention_factor"),
            BetaFast = scaling.PositiveOr(32, "beta_fast"),
            BetaSlow = scaling.PositiveOr(1, "beta_slow"),
            Truncate = scaling.FlagOr(true, "truncate"),
        };

        static double Magnitude(double factor, double mscale) => factor <= 1 ? 1 : 0.1 * mscale * Math.Log(factor) + 1;
    }

    private RopeConfig LongRope(ConfigReader scaling, int original, double factor)
    {
        scaling.PositiveOr(1, "factor");
        var attention = factor <= 1 ? 1 : Math.Sqrt(1 + Math.Log(factor) / Math.Log(original));
        return this with
        {
            Scaling = RopeScaling.LongRope,
            Factor = factor,
            OriginalMaxPositions = original,
            AttentionFactor = scaling.PositiveOr(attention, "attention_factor"),
            ShortFactor = Factors("short_factor"),
            LongFactor = Factors("long_factor"),
        };

        double[] Factors(string name)
        {
            var values = scaling.Numbers(name);
            return values.Length == Dim / 2
                ? values
                : throw scaling.Wrong(name, $"{Dim / 2} factors", $"{values.Length}");
        }
    }
}
