// The demo's table: both papers' methods on tasks of the embedded model, over inputs that its training held out.
using System.Diagnostics;
using Rt.Cli.Output;
using Rt.Eval;
using Rt.Model;

namespace Rt.Cli.Demo;

/// <summary>A line of the table.</summary>
/// <param name="Task">The task, or the mean over tasks.</param>
/// <param name="ZeroShot">The query alone.</param>
/// <param name="FewShot">Demonstrations and the query.</param>
/// <param name="DeepThinking">Behind the kept keys and values of the last step.</param>
/// <param name="TaskVector">Under the vector of the demonstrations.</param>
internal sealed record DemoLine(string Task, ResultRow ZeroShot, ResultRow FewShot, ResultRow DeepThinking, ResultRow TaskVector);

/// <summary>Time of a query with its demonstrations in the prompt, and behind their kept keys and values.</summary>
/// <param name="FewShotMs">Median.</param>
/// <param name="KeptMs">Median.</param>
/// <param name="Count">Measured queries.</param>
internal sealed record DemoQueryTime(double FewShotMs, double KeptMs, int Count)
{
    /// <summary>What a query behind kept keys and values takes of the time of its few-shot prompt.</summary>
    public double Fraction => KeptMs / FewShotMs;
}

/// <summary>The measured table.</summary>
/// <param name="Lines">Tasks, then their mean.</param>
/// <param name="Settings">What was measured.</param>
/// <param name="Layer">Of the task vectors: the first best on development queries, mean over tasks.</param>
/// <param name="Time">Per query.</param>
internal sealed record DemoTable(IReadOnlyList<DemoLine> Lines, EvalSettings Settings, int Layer, DemoQueryTime Time)
{
    private const int Sets = 10;
    private const int Dev = 20;
    private const int Rounds = 3;

    private static readonly string[] Tasks =
    [
        "next_letter", "list_last", "present_simple_past_simple", "antonyms", "country_capital", "location_continent", "en_fr", "classify_animal_tool",
    ];

    /// <summary>Measures it.</summary>
    /// <param name="model">The embedded model.</param>
    /// <param name="steps">T.</param>
    /// <param name="queries">Test queries per task.</param>
    /// <param name="progress">Told of every task.</param>
    /// <param name="cancellation">Noticed between passes.</param>
    public static DemoTable Measure(LanguageModel model, int steps, int queries, ProgressLine progress, CancellationToken cancellation)
    {
        var settings = new EvalSettings { Draw = new EvalSettings().Draw with { Sets = Sets, Queries = queries, Dev = Dev }, Seeds = [0], Steps = steps };
        var plan = EvalPlan.Make(model, [.. Tasks.Select(DemoFolder.Task)], [], settings);
        var records = EvalRun.Run(
            model, null, plan, settings, Shard.Whole, null, (done, total, detail) => progress.Report(done, total, detail), cancellation);
        var layer = Curves.BestVectorLayer(records);
        var rows = ResultTable.Rows(records, new ReadingSettings { Choices = [StepChoice.Fixed], FixedStep = steps, FixedLayer = layer });
        var lines = rows.GroupBy(row => row.Task).Select(task => task.ToArray()).Select(task => new DemoLine(
            task[0].Task, Find(task, Methods.ZeroShot), Find(task, Methods.Icl), Find(task, Methods.DeepThinking), Find(task, Methods.TaskVector)));
        return new DemoTable([.. lines], settings, layer, TimeQueries(model, settings, plan, cancellation));

        static ResultRow Find(ResultRow[] task, string method) => task.Single(row => row.Method.Split(',')[0] == method);
    }

    /// <summary>One query at a time to its first token, either way by turns: the first query of every set.</summary>
    private static DemoQueryTime TimeQueries(LanguageModel model, EvalSettings settings, EvalPlan plan, CancellationToken cancellation)
    {
        var options = new GenerationOptions { MaxNewTokens = 1, IgnoreEos = true };
        var (fewShot, kept) = (new List<double>(), new List<double>());
        foreach (var unit in plan.Units)
        {
            foreach (var set in unit.Sets)
            {
                var demonstrations = model.Encode(unit.Task.Template.Demonstrations(set.Demonstrations.Select(example => example.Demonstration)));
                var stem = model.Encode(unit.Task.Template.Query(set.Queries[0].Input), addSpecialTokens: false);
                using var prefix = DeepThinking.Begin(model, demonstrations, settings.Think(model), cancellation);
                for (var round = 0; round < Rounds; round++)
                {
                    fewShot.Add(Time([.. demonstrations, .. stem], null));
                    kept.Add(Time(stem, prefix));
                }
            }
        }

        return new DemoQueryTime(Median(fewShot), Median(kept), fewShot.Count);

        double Time(int[] prompt, KeptKv? behind)
        {
            var clock = Stopwatch.StartNew();
            Generator.Generate(model, [prompt], options, behind, cancellation: cancellation);
            return clock.Elapsed.TotalMilliseconds;
        }

        static double Median(List<double> times) => Bootstrap.Quantile([.. times.Order()], 0.5);
    }
}
