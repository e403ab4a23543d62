// Runs prompts of any lengths through the model in packed passes of bounded size.
using System.Runtime.InteropServices;
using Rt.Core;

namespace Rt.Model;

/// <summary>Tokens to run in one slot of a cache.</summary>
/// <param name="TokenIds">The new tokens; at least one.</param>
/// <param name="Slot">Slot that receives their keys and values.</param>
/// <param name="Start">Entries already in the slot.</param>
/// <param name="Stage">What the last token is: the prompt's end, or generated as all others of the run then are.</param>
/// <param name="Kept">Prefix that the run sees, at positions before it; null for the one common to all runs.</param>
internal readonly record struct PromptRun(int[] TokenIds, int Slot, int Start = 0, Stage Stage = Stage.PromptEnd, KeptKv? Kept = null);

/// <summary>Packs prompts into forward passes.</summary>
internal static class PromptRunner
{
    /// <summary>Called after each pass with the prompts that ended in it and the rows of their last tokens.</summary>
    internal delegate void Ended(ReadOnlySpan<int> prompts, ReadOnlySpan<int> lastRows, Tensor residual);

    /// <summary>Runs all prompts; several short ones share a pass, a long one takes several.</summary>
    /// <param name="model">The model.</param>
    /// <param name="runs">The prompts, in order.</param>
    /// <param name="cache">Receives keys and values.</param>
    /// <param name="kept">Prefix of every run that names none; null for none.</param>
    /// <param name="ended">Receives the ends.</param>
    /// <param name="cancellation">Noticed between passes.</param>
    /// <param name="last">What is wanted of the last block; <paramref name="ended"/> gets rows of what was computed.</param>
    /// <param name="rowBudget">Most rows of a pass.</param>
    public static void Run(
        LanguageModel model,
        IReadOnlyList<PromptRun> runs,
        KvCache cache,
        KeptKv? kept,
        Ended ended,
        CancellationToken cancellation = default,
        LastBlock last = LastBlock.LastRows,
        int rowBudget = LanguageModel.DefaultRowBudget)
    {
        var workspace = model.WorkspaceFor(rowBudget);
        var batch = model.RowsFor(rowBudget, cache);
        var prompts = new List<int>();
        var lastRows = new List<int>();
        for (var i = 0; i < runs.Count; i++)
        {
            var run = runs[i];
            var prefix = run.Kept ?? kept;
            var prefixLength = prefix?.Length ?? 0;
            model.Require(run.TokenIds, prefixLength + run.Start + run.TokenIds.Length);
            // A prompt that fits into a pass is not torn to fill the rest of one.
            if (batch.RowCount > 0 && batch.RowCount + run.TokenIds.Length > rowBudget)
            {
                Flush();
            }

            for (var done = 0; done < run.TokenIds.Length;)
            {
                var count = Math.Min(run.TokenIds.Length - done, rowBudget - batch.RowCount);
                var ends = done + count == run.TokenIds.Length;
                batch.Add(
                    run.TokenIds.AsSpan(done, count), run.Slot, run.Start + done, prefixLength,
                    prefix is null ? -1 : batch.AddPrefix(prefix.Cache), prefixLength,
                    ends || run.Stage == Stage.Generated ? run.Stage : Stage.Prompt);
                if (ends)
                {
                    prompts.Add(i);
                }

                done += count;
                if (batch.RowCount == rowBudget)
                {
                    Flush();
                }
            }
        }

        Flush();

        void Flush()
        {
            if (batch.RowCount == 0)
            {
                return;
            }

            cancellation.ThrowIfCancellationRequested();
            var computed = model.Transformer.Forward(batch, workspace, last);
            foreach (var sequence in computed.Sequences)
            {
                if (sequence.Stage != Stage.Prompt)
                {
                    lastRows.Add(sequence.LastRow);
                }
            }

            ended(
                CollectionsMarshal.AsSpan(prompts),
                CollectionsMarshal.AsSpan(lastRows),
                workspace.Residual.SliceRows(0, computed.RowCount));
            prompts.Clear();
            lastRows.Clear();
            batch.Reset(cache);
        }
    }

    /// <summary>Whether prompts run in a single pass, so that their keys and values are needed only until a layer is done.</summary>
    public static bool IsOnePass(IEnumerable<int[]> prompts) => prompts.Sum(prompt => prompt.Length) <= LanguageModel.DefaultRowBudget;

    /// <summary>Splits prompts into groups whose rows fit one pass, so that slots can be used again from group to group.</summary>
    public static IEnumerable<Range> Groups(IReadOnlyList<int[]> prompts, int rowBudget = LanguageModel.DefaultRowBudget)
    {
        var start = 0;
        var rows = 0;
        for (var i = 0; i < prompts.Count; i++)
        {
            if (i > start && rows + prompts[i].Length > rowBudget)
            {
                yield return start..i;
                (start, rows) = (i, 0);
            }

            rows += prompts[i].Length;
        }

        if (start < prompts.Count)
        {
            yield return start..prompts.Count;
        }
    }
}
