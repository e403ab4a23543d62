// Decodes token by token, for output that is shown while it is made.
// Source: own.
using System.Text;
using Rt.Core;

namespace Rt.Formats.Tokenizers;

/// <summary>Turns a stream of token ids into text that never holds half a character.</summary>
/// <remarks>All texts of <see cref="Append"/> and <see cref="Flush"/> together equal <see cref="Tokenizer.Decode"/> of all
/// ids. A text is given out as soon as no later token can change it; bytes that are no UTF-8 become U+FFFD.</remarks>
public sealed class TokenDecoder
{
    private readonly Tokenizer _tokenizer;
    private readonly bool _skipSpecialTokens;
    private readonly StringBuilder _output = new();
    private DecodeStage _chain;

    internal TokenDecoder(Tokenizer tokenizer, bool skipSpecialTokens)
    {
        (_tokenizer, _skipSpecialTokens) = (tokenizer, skipSpecialTokens);
        _chain = tokenizer.MakeDecodeChain(_output);
    }

    /// <summary>Takes the next token.</summary>
    /// <returns>The text that is certain now; may be empty.</returns>
    /// <exception cref="UsageException">The id is no token of this vocabulary.</exception>
    public string Append(int id)
    {
        string piece = _tokenizer.PieceOf(id);
        if (!(_skipSpecialTokens && _tokenizer.IsSpecial(id)))
        {
            _chain.Push(piece, true);
        }

        return TakeOutput();
    }

    /// <summary>Ends the text and gives out what was held back; the next token begins a new text.</summary>
    public string Flush()
    {
        _chain.End();
        _chain = _tokenizer.MakeDecodeChain(_output);
        return TakeOutput();
    }

    private string TakeOutput()
    {
        if (_output.Length == 0)
        {
            return "";
        }

        string text = _output.ToString();
        _output.Clear();
        return text;
    }
}
