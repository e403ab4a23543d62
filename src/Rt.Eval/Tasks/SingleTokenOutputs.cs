// The published filter of word tasks: outputs of one token, with a leading space where that fits the tokenizer.
// Source: arXiv:2310.15916, its published code.
using Rt.Model;

namespace Rt.Eval;

/// <summary>Keeps the examples whose output is one token.</summary>
public static class SingleTokenOutputs
{
    /// <summary>With fewer examples than these the published code warns.</summary>
    public const int FewestExamples = 70;

    private const double SpacedShare = 0.7;
    private static readonly string[] Unfiltered = ["algorithmic", "knowledge"];

    /// <summary>Filters a task. Algorithmic and knowledge tasks, and tasks with options, stay as they are.</summary>
    /// <remarks>An output counts as one token where "!" and the output are two. The form with a space before input and output is taken
    /// where it keeps at least 70 % as many examples as the form without.</remarks>
    /// <exception cref="Core.UsageException">The model has no tokenizer.</exception>
    public static EvalTask Filter(EvalTask task, LanguageModel model)
    {
        if (task.HasOptions || Unfiltered.Contains(task.Group))
        {
            return task;
        }

        bool OneToken(string output) => model.Encode("!" + output, addSpecialTokens: false).Length == 2;
        var bare = task.Train.Where(example => OneToken(example.Output)).ToArray();
        var spaced = task.Train.Where(example => OneToken(" " + example.Output)).ToArray();
        var useSpaced = spaced.Length > 0 && spaced.Length >= SpacedShare * bare.Length;
        string Space(string text) => useSpaced ? " " + text : text;
        EvalExample[] Written(IEnumerable<EvalExample> examples) => [.. examples.Select(example => new EvalExample(Space(example.Input), Space(example.Output)))];
        return task with
        {
            Train = Written(useSpaced ? spaced : bare),
            Test = task.Test is { } test ? Written(test.Where(example => OneToken(Space(example.Output)))) : null,
        };
    }
}
