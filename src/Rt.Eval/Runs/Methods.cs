// Names of methods and controls, as the command line, the records and the reports write them.
namespace Rt.Eval;

/// <summary>What can be measured.</summary>
public static class Methods
{
    /// <summary>The query alone.</summary>
    public const string ZeroShot = "zero-shot";

    /// <summary>Demonstrations and the query: in-context learning. Step 1 of Deep-Thinking.</summary>
    public const string Icl = "icl";

    /// <summary>Queries behind kept keys and values, after every step. arXiv:2305.13016.</summary>
    public const string DeepThinking = "deep-thinking";

    /// <summary>Zero-shot queries with a vector of the demonstrations, written at every layer. arXiv:2310.15916.</summary>
    public const string TaskVector = "task-vector";

    /// <summary>Few-shot prompts of one task with the vector of another. arXiv:2310.15916.</summary>
    public const string Conflicting = "conflicting";

    /// <summary>Control: in-context learning with the demonstrations several times in the prompt.</summary>
    public const string Repeated = "repeated";

    /// <summary>Control: orders of the demonstrations to choose from, without thinking; as many as there are steps.</summary>
    public const string SelectionOnly = "selection-only";

    /// <summary>Control: every chosen method with the demonstrations' outputs exchanged among each other.</summary>
    public const string ShuffledLabels = "shuffled-labels";

    /// <summary>Control: every chosen method on the model with its weights shuffled.</summary>
    public const string RandomWeights = "random-weights";

    /// <summary>All of them.</summary>
    public static IReadOnlyList<string> All { get; } =
        [ZeroShot, Icl, DeepThinking, TaskVector, Conflicting, Repeated, SelectionOnly, ShuffledLabels, RandomWeights];

    /// <summary>What the default table measures.</summary>
    public static IReadOnlyList<string> Default { get; } = [ZeroShot, Icl, DeepThinking, TaskVector];
}
