// Option scoring under a patch: the stem's last row is patched, the option's own rows are not unless asked for.
using Rt.Cpu.Reference;
using Rt.Model;
using Rt.Tests;

namespace Rt.Eval.Tests;

public sealed class OptionScoringTests
{
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Score_SeveralTokensUnderPatch_EqualsTheSequenceRunStepByStep(bool generatedRows)
    {
        using var device = new ReferenceDevice();
        using var model = LanguageModel.Load(Fixtures.Golden("llama-gqa"), device);
        int[] stem = [30, 42, 7];
        int[] option = [5, 9, 11];
        var vector = TaskVector.Extract(model, [[1, 2, 3, 4], [8, 6]]);
        using var patch = model.Patch(new ResidualPoint(1, Point.Post), vector[1], generatedRows: generatedRows);

        var query = new Query("line 1", null, stem, null, [option, [3]], null, null);
        var scored = new OptionScoring(model, [query], PromptTemplate.DeepThinking, addSpecialTokens: true).Score(null, 8)[0];

        using var sequence = new Sequence(model, stem.Length + option.Length);
        var expected = LogProbability(sequence.Append(stem)[^1], option[0]);
        for (var i = 0; i + 1 < option.Length; i++)
        {
            expected += LogProbability(sequence.Append([option[i]], Core.Stage.Generated)[0], option[i + 1]);
        }

        Assert.Equal(expected, scored.Scores[0].LogProbability, 1e-10);
    }

    private static double LogProbability(double[] logits, int token) =>
        logits[token] - logits.Max() - Math.Log(logits.Sum(logit => Math.Exp(logit - logits.Max())));
}
