// One example of a task: what is asked, the right answer, and the options where there are any.
using System.Text.Json.Serialization;

namespace Rt.Eval;

/// <summary>An example of a task.</summary>
/// <param name="Input">What stands at {input} of the template.</param>
/// <param name="Output">The right answer: the text of the right option where there are options.</param>
/// <param name="Options">Answers to choose from; null where the answer is free text.</param>
public sealed record EvalExample(string Input, string Output, IReadOnlyList<string>? Options = null)
{
    /// <summary>Index of the right option; -1 without options.</summary>
    [JsonIgnore]
    public int AnswerIndex => Options is null ? -1 : Options.TakeWhile(option => option != Output).Count();

    /// <summary>The example as a demonstration.</summary>
    [JsonIgnore]
    public Demonstration Demonstration => new(Input, Output);
}
