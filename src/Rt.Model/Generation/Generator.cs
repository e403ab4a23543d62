// Text generation: prefill, then one row per unfinished prompt and step.
using Rt.Core;
using Rt.Formats.Tokenizers;

namespace Rt.Model;

/// <summary>Why a generation ended.</summary>
public enum FinishReason
{
    /// <summary>As many tokens as asked for, or as the positions allow.</summary>
    Length,

    /// <summary>The model produced an end-of-text token.</summary>
    Eos,

    /// <summary>A stop text appeared.</summary>
    Stop,
}

/// <summary>What a prompt led to.</summary>
/// <param name="PromptTokens">Tokens of the prompt.</param>
/// <param name="TokenIds">Tokens generated, an end-of-text token included.</param>
/// <param name="Text">Their text without special tokens and stop text; null without a tokenizer.</param>
/// <param name="Finish">Why it ended.</param>
public sealed record Generation(int PromptTokens, IReadOnlyList<int> TokenIds, string? Text, FinishReason Finish);

/// <summary>Generates continuations of one or more prompts together.</summary>
public static class Generator
{
    /// <summary>Receives a token as it is produced; text is null without a tokenizer and never ends inside a character.</summary>
    public delegate void OnToken(int prompt, int tokenId, string? text);

    /// <summary>Generates for every prompt.</summary>
    /// <param name="model">The model.</param>
    /// <param name="prompts">Token ids; at least one each. Lengths may differ.</param>
    /// <param name="options">Length, sampling, stops.</param>
    /// <param name="kept">Prefix that every prompt sees; null for none.</param>
    /// <param name="onToken">Told of every token.</param>
    /// <param name="cancellation">Noticed between passes.</param>
    /// <exception cref="UsageException">An empty prompt, unknown tokens, or more positions than the model has.</exception>
    public static IReadOnlyList<Generation> Generate(
        LanguageModel model,
        IReadOnlyList<int[]> prompts,
        GenerationOptions options,
        KeptKv? kept = null,
        OnToken? onToken = null,
        CancellationToken cancellation = default)
    {
        if (prompts.Any(prompt => prompt.Length == 0))
        {
            throw new UsageException("prompt: expected at least one token, found none");
        }

        var prefix = kept?.Length ?? 0;
        var streams = prompts.Select((prompt, slot) => new Stream(model, prompt, slot, prefix, options)).ToArray();
        if (streams.Length == 0 || options.MaxNewTokens <= 0)
        {
            return [.. streams.Select(stream => stream.Result())];
        }

        var capacity = streams.Max(stream => stream.Length + stream.Room);
        using var cache = model.NewCache(streams.Length, capacity);
        var chosen = new int[streams.Length];
        PromptRunner.Run(
            model, [.. streams.Select(stream => new PromptRun(prompts[stream.Slot], stream.Slot))], cache, kept,
            (ended, lastRows, residual) => Choose(model, streams, ended, lastRows, residual, chosen, options, onToken), cancellation);

        var active = new int[streams.Length];
        var lastRows = new int[streams.Length];
        Span<int> next = stackalloc int[1];
        while (true)
        {
            cancellation.ThrowIfCancellationRequested();
            var count = 0;
            var rows = model.RowsFor(Math.Max(streams.Length, LanguageModel.DefaultRowBudget), cache);
            var prefixIndex = kept is null ? -1 : rows.AddPrefix(kept.Cache);
            foreach (var stream in streams)
            {
                if (!stream.Done)
                {
                    next[0] = stream.LastToken;
                    active[count] = stream.Slot;
                    lastRows[count++] = rows.Add(next, stream.Slot, stream.Length, prefix, prefixIndex, prefix, Stage.Generated);
                    stream.Length++;
                }
            }

            if (count == 0)
            {
                return [.. streams.Select(stream => stream.Result())];
            }

            var workspace = model.WorkspaceFor(count);
            model.Device.Repeat(
                (model, rows, workspace, lastRows, count, chosen, greedy: options.Temperature <= 0),
                static step =>
                {
                    step.model.Transformer.Forward(step.rows, step.workspace);
                    Predict(
                        step.model, step.lastRows.AsSpan(0, step.count), step.workspace.Residual.SliceRows(0, step.count), step.greedy, step.chosen);
                });
            Accept(model, streams, active.AsSpan(0, count), chosen, options, onToken);
        }
    }

    private static void Choose(
        LanguageModel model,
        Stream[] streams,
        ReadOnlySpan<int> ended,
        ReadOnlySpan<int> lastRows,
        Tensor residual,
        int[] chosen,
        GenerationOptions options,
        OnToken? onToken)
    {
        if (ended.Length > 0)
        {
            Predict(model, lastRows, residual, options.Temperature <= 0, chosen);
            Accept(model, streams, ended, chosen, options, onToken);
        }
    }

    /// <summary>Logits of rows of the residual, and the most likely token of each where decoding is greedy.</summary>
    private static void Predict(LanguageModel model, ReadOnlySpan<int> lastRows, Tensor residual, bool greedy, int[] chosen)
    {
        var head = model.HeadFor(lastRows.Length);
        var logits = head.Logits(lastRows.Length);
        model.Transformer.FinalStates(residual, lastRows, head.Gathered(lastRows.Length), head.States(lastRows.Length));
        model.Transformer.Logits(head.States(lastRows.Length), logits);
        if (greedy)
        {
            model.Device.ArgMax(logits, chosen.AsSpan(0, lastRows.Length));
        }
    }

    private static void Accept(
        LanguageModel model, Stream[] streams, ReadOnlySpan<int> ended, int[] chosen, GenerationOptions options, OnToken? onToken)
    {
        var logits = model.HeadFor(ended.Length).Logits(ended.Length);
        for (var n = 0; n < ended.Length; n++)
        {
            var stream = streams[ended[n]];
            stream.Accept(options.Temperature > 0 ? stream.Sample(model.Device, logits.SliceRows(n, 1)) : chosen[n], onToken);
        }
    }

    /// <summary>One prompt on its way.</summary>
    private sealed class Stream
    {
        private readonly LanguageModel _model;
        private readonly GenerationOptions _options;
        private readonly int _promptTokens;
        private readonly List<int> _tokenIds = [];
        private readonly TokenDecoder? _decoder;
        private readonly System.Text.StringBuilder _text = new();
        private readonly Sampler? _sampler;
        private FinishReason _finish = FinishReason.Length;
        private int _shown;

        public Stream(LanguageModel model, int[] prompt, int slot, int prefix, GenerationOptions options)
        {
            _model = model;
            _options = options;
            _promptTokens = prompt.Length;
            Slot = slot;
            Length = prompt.Length;
            model.Require(prompt, prefix + prompt.Length);
            Room = Math.Min(options.MaxNewTokens, model.Config.PositionLimit - prefix - prompt.Length);
            _decoder = model.Tokenizer?.CreateDecoder();
            if (options.Temperature > 0)
            {
                _sampler = new Sampler(options, model.Config.VocabularySize);
            }
        }

        public int Slot { get; }

        /// <summary>Entries in the slot.</summary>
        public int Length { get; set; }

        /// <summary>Tokens that may be generated and run.</summary>
        public int Room { get; }

        public bool Done { get; private set; }

        public int LastToken => _tokenIds[^1];

        public int Sample(IDevice device, Tensor row) => _sampler!.Sample(device, row);

        public void Accept(int tokenId, OnToken? onToken)
        {
            _tokenIds.Add(tokenId);
            if (!_options.IgnoreEos && _model.Config.EosTokenIds.Contains(tokenId))
            {
                (Done, _finish) = (true, FinishReason.Eos);
            }

            // The last position may be predicted but not run: one more token than there is room to run.
            var full = _tokenIds.Count >= Math.Min(_options.MaxNewTokens, Room + 1);
            var text = _decoder is null ? null : !Done && _model.Tokenizer!.Contains(tokenId) ? _decoder.Append(tokenId) : "";
            Done |= full;
            if (Done && _decoder is not null)
            {
                text += _decoder.Flush();
            }

            onToken?.Invoke(Slot, tokenId, Show(text));
        }

        public Generation Result() => new(_promptTokens, _tokenIds, _decoder is null ? null : _text.ToString(), _finish);

        /// <summary>Appends text, ends at a stop text, and returns what may be shown: not what could yet become one.</summary>
        private string? Show(string? text)
        {
            if (text is null)
            {
                return null;
            }

            var from = _text.Length;
            _text.Append(text);
            foreach (var stop in _options.Stop)
            {
                var start = Math.Max(0, from - stop.Length + 1);
                var at = _text.ToString(start, _text.Length - start).IndexOf(stop, StringComparison.Ordinal);
                if (at >= 0)
                {
                    _text.Length = start + at;
                    (Done, _finish) = (true, FinishReason.Stop);
                }
            }

            var end = _text.Length - (Done ? 0 : HeldBack());
            var shown = end > _shown ? _text.ToString(_shown, end - _shown) : "";
            _shown = Math.Max(_shown, end);
            return shown;
        }

        /// <summary>Length of the longest end of the text that begins a stop text.</summary>
        private int HeldBack()
        {
            var longest = 0;
            foreach (var stop in _options.Stop)
            {
                for (var length = Math.Min(stop.Length - 1, _text.Length); length > longest; length--)
                {
                    if (_text.ToString(_text.Length - length, length) == stop[..length])
                    {
                        longest = length;
                    }
                }
            }

            return longest;
        }
    }
}
