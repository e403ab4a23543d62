// The small values that ops take besides tensors.
namespace Rt.Core;

/// <summary>Which normalisation a <see cref="Norm"/> is.</summary>
public enum NormKind
{
    /// <summary>y = (x - mean) / sqrt(variance + eps) * weight + bias. Ba, Kiros and Hinton 2016, arXiv:1607.06450.</summary>
    Layer,

    /// <summary>y = x / sqrt(mean(x^2) + eps) * weight. Zhang and Sennrich 2019, arXiv:1910.07467.</summary>
    RootMeanSquare,
}

/// <summary>A normalisation with its weights.</summary>
/// <param name="Kind">Layer norm or root-mean-square norm.</param>
/// <param name="Weight">[width], or null for none (all ones).</param>
/// <param name="Bias">[width], or null.</param>
/// <param name="Epsilon">Added to the variance or mean square, inside the root.</param>
/// <param name="WeightOffset">Added to each weight: 1 for Gemma, else 0.</param>
public sealed record Norm(NormKind Kind, Tensor? Weight, Tensor? Bias, double Epsilon, double WeightOffset = 0);

/// <summary>Activation functions of the supported families.</summary>
public enum Activation
{
    /// <summary>max(x, 0).</summary>
    Relu,

    /// <summary>x / (1 + exp(-x)).</summary>
    Silu,

    /// <summary>x Φ(x) by the error function.</summary>
    Gelu,

    /// <summary>0.5 x (1 + tanh(sqrt(2/π) (x + 0.044715 x³))).</summary>
    GeluTanh,
}

/// <summary>Cosines and sines of rotary positions. Su et al. 2021, arXiv:2104.09864.</summary>
/// <param name="Cos">[positions, rotary_dim / 2] in the device's activation dtype, made on the host in F64.</param>
/// <param name="Sin">As <paramref name="Cos"/>.</param>
/// <param name="RotaryDim">Leading elements of a head that rotate.</param>
/// <param name="Interleaved">Pairs are (2i, 2i + 1) as in GPT-J, else (i, i + rotary_dim / 2).</param>
/// <param name="ByRow">The table is indexed by the row of the batch, not by its position: for scalings that depend on the length.</param>
public sealed record RotaryTable(Tensor Cos, Tensor Sin, int RotaryDim, bool Interleaved, bool ByRow = false);

/// <summary>How scores are made from queries and keys.</summary>
/// <param name="Scale">Factor on q . k.</param>
/// <param name="Window">A row at position i sees keys at j with |i - j| &lt; Window; 0 for no window.</param>
/// <param name="SoftCap">Scores become SoftCap * tanh(score / SoftCap) before masking; 0 for none.</param>
/// <param name="AlibiSlopes">[heads] in the activation dtype: score -= slope * |i - j|; null for none. Press et al. 2021, arXiv:2108.12409.</param>
public readonly record struct AttentionOptions(double Scale, int Window = 0, double SoftCap = 0, Tensor? AlibiSlopes = null);

/// <summary>The two computations of linear attention that must agree: the dual of attention and gradient descent.</summary>
/// <remarks>Irie et al. 2022, arXiv:2202.05798; Dai et al. 2022, arXiv:2212.10559.</remarks>
public enum LinearAttentionForm
{
    /// <summary>sum_i v_i (k_i . q): attention without softmax.</summary>
    Attention,

    /// <summary>(sum_i v_i k_iᵀ) q: a weight matrix accumulated by outer products, then applied.</summary>
    WeightMatrix,
}

/// <summary>One update of kept keys and values by their meta-gradient. arXiv:2305.13016.</summary>
/// <param name="StepSize">η in KV = KV + η M.</param>
/// <param name="Momentum">β in M = G + β M.</param>
/// <param name="Precision">Dtype to which every intermediate is rounded: the device's master dtype for none,
/// the model's dtype for parity with the published code.</param>
/// <param name="UpdateKey">False leaves keys and their velocity as they are.</param>
/// <param name="UpdateValue">False leaves values and their velocity as they are.</param>
public readonly record struct MetaGradientStep(
    double StepSize, double Momentum, DType Precision, bool UpdateKey = true, bool UpdateValue = true)
{
    /// <summary>copy = kept, rounded to the copy's dtype, for the sides that the step updates: the update's copy as an op of its own.</summary>
    public void CopyUpdated(IDevice device, KvLayer kept, KvLayer copy)
    {
        if (UpdateKey)
        {
            device.Copy(kept.Key, copy.Key);
        }

        if (UpdateValue)
        {
            device.Copy(kept.Value, copy.Value);
        }
    }
}

/// <summary>How a patch combines with what it meets.</summary>
public enum PatchMode
{
    /// <summary>The vector takes the row's place.</summary>
    Replace,

    /// <summary>The vector, times the patch's scale, is added to the row.</summary>
    Add,
}

/// <summary>A token whose log-probability is wanted at a row.</summary>
/// <param name="Row">Row of the hidden states given to <see cref="IDevice.LogProbabilities"/>.</param>
/// <param name="TokenId">Vocabulary id.</param>
public readonly record struct TokenTarget(int Row, int TokenId)
{
    /// <summary>How many targets from the first on lie in the first <paramref name="mostRows"/> distinct rows: what is computed together.</summary>
    /// <param name="targets">Rows in ascending order.</param>
    /// <param name="mostRows">At least 1.</param>
    /// <param name="rows">Receives how many distinct rows they lie in.</param>
    public static int CountOfRows(ReadOnlySpan<TokenTarget> targets, int mostRows, out int rows)
    {
        rows = 0;
        for (var i = 0; i < targets.Length; i++)
        {
            if (i > 0 && targets[i].Row == targets[i - 1].Row)
            {
                continue;
            }

            if (rows == mostRows)
            {
                return i;
            }

            rows++;
        }

        return targets.Length;
    }
}
