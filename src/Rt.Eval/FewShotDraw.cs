// Draws of few-shot data sets for task vectors. Source: arXiv:2310.15916 and its published code.
using Rt.Core;

namespace Rt.Eval;

/// <summary>One drawn data set: demonstrations, and dummy queries at whose end the task is read.</summary>
/// <param name="Demonstrations">Different pairs, in the order of the prompt.</param>
/// <param name="Dummies">Inputs; one may also be the input of a demonstration, as in the published code.</param>
public sealed record FewShotSet(IReadOnlyList<Demonstration> Demonstrations, IReadOnlyList<string> Dummies)
{
    /// <summary>One prompt per dummy query.</summary>
    public IEnumerable<string> Prompts(PromptTemplate template) => Dummies.Select(dummy => template.FewShot(Demonstrations, dummy));
}

/// <summary>Draws few-shot data sets.</summary>
public static class FewShotDraw
{
    /// <summary>Draws data sets from a list of pairs.</summary>
    /// <param name="pairs">Drawn from.</param>
    /// <param name="datasets">How many.</param>
    /// <param name="shots">Demonstrations of each.</param>
    /// <param name="dummies">Dummy queries of each.</param>
    /// <param name="seed">Equal seeds give equal draws.</param>
    /// <exception cref="UsageException">A number is not positive, or there are too few pairs.</exception>
    public static IReadOnlyList<FewShotSet> Draw(IReadOnlyList<Demonstration> pairs, int datasets, int shots, int dummies, ulong seed)
    {
        if (datasets < 1 || shots < 0 || dummies < 1)
        {
            throw new UsageException($"{datasets} data sets of {shots} shots and {dummies} dummy queries: expected positive numbers");
        }

        if (pairs.Count < Math.Max(shots, dummies))
        {
            throw new UsageException($"{shots} shots and {dummies} dummy queries need at least {Math.Max(shots, dummies)} pairs, found {pairs.Count}");
        }

        var random = new SeededRandom(seed);
        var sets = new FewShotSet[datasets];
        for (var i = 0; i < datasets; i++)
        {
            var demonstrations = random.Sample(pairs, shots);
            sets[i] = new FewShotSet(demonstrations, [.. random.Sample(pairs, dummies).Select(pair => pair.Input)]);
        }

        return sets;
    }
}
