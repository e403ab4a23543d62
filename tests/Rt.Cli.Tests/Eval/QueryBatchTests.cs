// Packed answers and layer sweeps equal plain generation and scoring, one prompt at a time.
using Rt.Cpu;
using Rt.Eval;
using Rt.Model;

namespace Rt.Cli.Tests;

public sealed class QueryBatchTests : IClassFixture<AttentiveModel>, IDisposable
{
    private const int Layers = 4;
    private static readonly string[] Inputs = ["hot", "a long road", "b", "Paris", "x,y,z"];

    private readonly CpuDevice _device = new(new CpuOptions(Threads: 2, BatchInvariant: true));
    private readonly LanguageModel _model;
    private readonly TaskVector[] _vectors;

    public QueryBatchTests(AttentiveModel random)
    {
        _model = LanguageModel.Load(random.Folder, _device);
        _vectors = [.. Inputs.Select((_, i) => TaskVector.Extract(_model, [_model.Encode($"example:{i}->{i + 1}\nexample:c->")]))];
    }

    public void Dispose()
    {
        _model.Dispose();
        _device.Dispose();
    }

    private string Generate(string input, int tokens, int? layer = null, TaskVector? vector = null, KeptKv? kept = null)
    {
        using var patch = layer is { } at ? _model.Patch(new ResidualPoint(at, Point.Post), vector![at]) : null;
        var prompt = _model.Encode(PromptTemplate.TaskVector.Query(input), addSpecialTokens: kept is null);
        return Generator.Generate(_model, [prompt], new GenerationOptions { MaxNewTokens = tokens, Stop = ["\n"] }, kept)[0].Text!.Trim();
    }

    [Fact]
    public void Sweep_AnswersThatTheModelGivesAtALayer_AreRightThereAndJudgedAsWholeText()
    {
        // The right answers are what the model says with the vector at one layer: there the sweep must complete and accept all of them.
        var judged = 0;
        for (var layer = 0; layer < Layers; layer++)
        {
            var examples = Inputs.Select((input, i) => new EvalExample(input, Generate(input, 3, layer, _vectors[i]))).Where(example => example.Output.Length > 0).ToArray();
            judged += examples.Length;
            var owners = examples.Select(example => Array.IndexOf(Inputs, example.Input)).ToArray();
            var batch = new TextBatch(_model, PromptTemplate.TaskVector, examples, [], true, false);
            var swept = batch.Sweep([.. owners.Select(owner => _vectors[owner])], Layers, default);
            for (var at = 0; at < Layers; at++)
            {
                for (var i = 0; i < examples.Length; i++)
                {
                    var longest = examples.Max(example => _model.Encode(PromptTemplate.TaskVector.Answered(example.Input, example.Output)).Length
                        - _model.Encode(PromptTemplate.TaskVector.Query(example.Input)).Length);
                    var whole = Generate(examples[i].Input, longest + 1, at, _vectors[owners[i]]);
                    Assert.Equal(whole == examples[i].Output, swept[at][i].Correct);
                }
            }
        }

        Assert.True(judged > 10, $"only {judged} answers are not empty");
    }

    [Fact]
    public void Answer_BehindPrefixesOfTheirOwn_EqualsOneAtATime()
    {
        using var one = DeepThinking.Begin(_model, _model.Encode("example:up->down\n"), new ThinkOptions());
        using var two = DeepThinking.Begin(_model, _model.Encode("example:1->2\nexample:3->4\n"), new ThinkOptions());
        KeptKv?[] kept = [one, two, null, two, one];
        var outcomes = new TextBatch(
            _model, PromptTemplate.TaskVector, [.. Inputs.Select((input, i) => new EvalExample(input, "abc def ghi"))], [], false, false).Answer(kept, default);
        var tokens = Inputs.Max(input => _model.Encode(PromptTemplate.TaskVector.Answered(input, "abc def ghi"), false).Length
            - _model.Encode(PromptTemplate.TaskVector.Query(input), false).Length) + 1;
        for (var i = 0; i < Inputs.Length; i++)
        {
            if (kept[i] is { } prefix)
            {
                Assert.Equal(Generate(Inputs[i], tokens, kept: prefix), outcomes[i].Prediction);
            }
        }

        Assert.NotEqual(Generate(Inputs[0], tokens, kept: one), Generate(Inputs[0], tokens, kept: two));
    }

    [Fact]
    public void Answer_FirstToken_IsRightWhereTheFirstTokenIsTheAnswers()
    {
        var predicted = Inputs.Select(input => Generator.Generate(
            _model, [_model.Encode(PromptTemplate.TaskVector.Query(input))], new GenerationOptions { MaxNewTokens = 1, IgnoreEos = true })[0].TokenIds[0]).ToArray();
        var examples = Inputs.Select((input, i) => new EvalExample(input, i % 2 == 0 ? _model.Decode([predicted[i]]) : "certainly not this")).ToArray();
        var outcomes = new TextBatch(_model, PromptTemplate.TaskVector, examples, [], true, true).Answer(new KeptKv?[Inputs.Length], default);
        foreach (var (example, id, outcome) in examples.Zip(predicted, outcomes))
        {
            var start = _model.Encode(PromptTemplate.TaskVector.Query(example.Input)).Length;
            Assert.Equal(_model.Encode(PromptTemplate.TaskVector.Answered(example.Input, example.Output))[start] == id, outcome.Correct);
        }

        Assert.Contains(outcomes, outcome => outcome.Correct);
        Assert.Contains(outcomes, outcome => !outcome.Correct);
    }

    [Theory]
    [InlineData("a", "b", "c")]
    [InlineData("yes indeed", "no", "perhaps not at all")]
    public void Sweep_Options_EqualsScoringUnderThePatch(params string[] options)
    {
        var examples = Inputs.Select(input => new EvalExample(input, options[0], options)).ToArray();
        var template = PromptTemplate.DeepThinking;
        var swept = new OptionBatch(_model, template, examples, true).Sweep(_vectors, Layers, default);
        for (var layer = 0; layer < Layers; layer++)
        {
            for (var i = 0; i < examples.Length; i++)
            {
                using var patch = _model.Patch(new ResidualPoint(layer, Point.Post), _vectors[i][layer]);
                var alone = new OptionBatch(_model, template, [examples[i]], true).Answer([null], default)[0];
                Assert.Equal(alone.Prediction, swept[layer][i].Prediction);
            }
        }
    }
}
