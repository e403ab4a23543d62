// A family: how its config.json reads and what its tensors are called. None has a forward pass of its own.
using Rt.Core;

namespace Rt.Model.Families;

/// <summary>Reads one family's config and binds its weights.</summary>
public abstract class Family
{
    private static readonly Dictionary<string, Family> ByModelType = new(StringComparer.Ordinal)
    {
        ["gpt2"] = new Gpt2(),
        ["gpt_neo"] = new GptNeo(),
        ["gptj"] = new GptJ(),
        ["gpt_neox"] = new GptNeoX(),
        ["opt"] = new Opt(),
        ["bloom"] = new Bloom(),
        ["llama"] = new Llama(),
        ["mistral"] = new Mistral(),
        ["qwen2"] = new Qwen2(),
        ["qwen3"] = new Qwen3(),
        ["phi"] = new Phi(),
        ["phi3"] = new Phi3(),
        ["gemma"] = new Gemma(),
        ["gemma2"] = new Gemma2(),
        ["gemma3_text"] = new Gemma3(),
        ["gemma3"] = new Gemma3(),
    };

    /// <summary>The supported values of <c>model_type</c>.</summary>
    public static IReadOnlyCollection<string> Names => ByModelType.Keys;

    /// <summary>The family of a <c>model_type</c>.</summary>
    /// <exception cref="UnsupportedModelException">It is not supported; the message lists those that are.</exception>
    public static Family Of(string modelType, string file) => ByModelType.TryGetValue(modelType, out var family)
        ? family
        : throw new UnsupportedModelException(
            $"{file}: model_type '{modelType}' is not supported; known are {string.Join(", ", Names.Order(StringComparer.Ordinal))}");

    /// <summary>The fields to read: the object itself, or the language part of a multimodal config.</summary>
    public virtual ConfigReader Fields(ConfigReader config) => config;

    /// <summary>Reads the shape and rules.</summary>
    public abstract ModelConfig Read(ConfigReader config);

    /// <summary>Binds the weights.</summary>
    public abstract TransformerWeights Bind(WeightBinder binder);

    /// <summary>The activation that <c>hidden_act</c> (or its older names) means.</summary>
    /// <exception cref="UnsupportedModelException">Unknown name.</exception>
    protected static Activation ReadActivation(ConfigReader config, string fallback, string field)
    {
        var name = config.TextOr(fallback, field);
        return name switch
        {
            "relu" => Activation.Relu,
            "silu" or "swish" => Activation.Silu,
            "gelu" => Activation.Gelu,
            "gelu_new" or "gelu_pytorch_tanh" or "gelu_fast" or "gelu_accurate" or "gelu_python_tanh" => Activation.GeluTanh,
            _ => throw new UnsupportedModelException(
                $"{config.File}: activation '{name}' is not supported; known are relu, silu, gelu, gelu_new, gelu_pytorch_tanh"),
        };
    }

    /// <summary>hidden size / heads, which must divide.</summary>
    protected static int DividedHeadDim(ConfigReader config, int hidden, int heads) => hidden % heads == 0
        ? hidden / heads
        : throw config.Wrong("num_attention_heads", $"a divisor of the hidden size {hidden}", heads);

    /// <summary>The layers, each bound by <paramref name="bind"/> with its index.</summary>
    protected static IReadOnlyList<LayerWeights> Layers(WeightBinder binder, Func<int, LayerWeights> bind) =>
        [.. Enumerable.Range(0, binder.Config.NumHiddenLayers).Select(bind)];
}
