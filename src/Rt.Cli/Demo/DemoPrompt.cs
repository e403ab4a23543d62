// One prompt without demonstrations, answered alone, behind the kept keys and values of a task, and under its task vector.
using Rt.Eval;
using Rt.Model;

namespace Rt.Cli.Demo;

/// <summary>What the model made of the prompt for one task.</summary>
/// <param name="Task">The task.</param>
/// <param name="ZeroShot">The answer to the prompt alone.</param>
/// <param name="BehindKept">The answer behind kept keys and values.</param>
/// <param name="UnderVector">The answer under the task vector.</param>
/// <param name="Right">The task's answer.</param>
internal sealed record DemoAnswer(string Task, string ZeroShot, string BehindKept, string UnderVector, string Right);

/// <summary>Answers the prompt. Owns the kept keys and values of the first task.</summary>
/// <param name="Answers">Per task.</param>
/// <param name="Thought">The first task's think stage.</param>
/// <param name="Vector">The first task's vectors, all layers.</param>
internal sealed record DemoPrompt(IReadOnlyList<DemoAnswer> Answers, ThinkResult Thought, TaskVector Vector) : IDisposable
{
    /// <summary>An input that training held out of the evaluation format in both tasks.</summary>
    public const string Input = "Belgium";

    private const int AnswerTokens = 4;

    /// <summary>The prompt.</summary>
    public static string Text { get; } = PromptTemplate.TaskVector.Query(Input);

    /// <summary>Answers it with the demonstrations of the demo's folder.</summary>
    /// <param name="model">The model.</param>
    /// <param name="folder">Holds the demonstrations.</param>
    /// <param name="options">Of the think stages.</param>
    /// <param name="layer">Of the task vectors.</param>
    /// <param name="cancellation">Noticed between passes.</param>
    public static DemoPrompt Answer(LanguageModel model, string folder, ThinkOptions options, int layer, CancellationToken cancellation)
    {
        var zeroShot = Generate(null);
        var answers = new List<DemoAnswer>();
        (ThinkResult Thought, TaskVector Vector)? first = null;
        foreach (var (name, file) in DemoFolder.Tasks)
        {
            var pairs = DemonstrationFile.Read(Path.Combine(folder, file)).Pairs;
            using var kept = DeepThinking.Begin(model, model.Encode(PromptTemplate.TaskVector.Demonstrations(pairs)), options, cancellation);
            var thought = DeepThinking.Think(kept, options, cancellation: cancellation);
            var behind = Generate(thought.Kept);
            var prompts = FewShotDraw.Draw(pairs, datasets: 5, shots: 5, dummies: 2, seed: 0).SelectMany(set => set.Prompts(PromptTemplate.TaskVector));
            var vector = TaskVector.Extract(model, [.. prompts.Select(prompt => model.Encode(prompt))], cancellation: cancellation);
            using (model.Patch(new ResidualPoint(layer, Point.Post), vector[layer]))
            {
                var right = DemoFolder.Task(name).Test!.Single(example => example.Input == Input).Output;
                answers.Add(new DemoAnswer(name, zeroShot, behind, Generate(null), right));
            }

            if (first is null)
            {
                first = (thought, vector);
            }
            else
            {
                thought.Kept.Dispose();
            }
        }

        return new DemoPrompt(answers, first!.Value.Thought, first.Value.Vector);

        string Generate(KeptKv? kept)
        {
            var prompt = model.Encode(Text, addSpecialTokens: kept is null);
            var generation = Generator.Generate(
                model, [prompt], new GenerationOptions { MaxNewTokens = AnswerTokens, Stop = ["\n"] }, kept, cancellation: cancellation);
            return generation[0].Text!.Trim();
        }
    }

    public void Dispose() => Thought.Kept.Dispose();
}
