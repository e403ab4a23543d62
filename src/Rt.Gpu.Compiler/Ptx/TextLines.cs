// The body of an entry as lines; drops jumps to the next line and labels that nothing names.
using System.Text;

namespace Rt.Gpu.Compiler.Ptx;

internal sealed class TextLines
{
    private readonly List<(Kind Kind, string Text)> _lines = [];

    private enum Kind : byte
    {
        Text,
        Location,
        Label,
        Branch,
        ConditionalBranch,
    }

    public void Instruction(string text) => _lines.Add((Kind.Text, text));

    public void Location(string text) => _lines.Add((Kind.Location, text));

    public void Label(string name) => _lines.Add((Kind.Label, name));

    /// <summary>A jump that is always taken.</summary>
    public void Branch(string label) => _lines.Add((Kind.Branch, label));

    public void ConditionalBranch(string text, string label)
    {
        _lines.Add((Kind.ConditionalBranch, label));
        _lines.Add((Kind.Text, text));
    }

    public void Write(StringBuilder output)
    {
        var kept = new bool[_lines.Count];
        var named = new HashSet<string>();
        var reachable = true;
        for (var i = 0; i < _lines.Count; i++)
        {
            var (kind, text) = _lines[i];
            kept[i] = kind switch
            {
                Kind.Branch => reachable && !LeadsNext(i, text),
                Kind.Label => true,
                _ => reachable,
            };
            if (kept[i] && kind is Kind.Branch or Kind.ConditionalBranch)
            {
                named.Add(text);
            }

            reachable = kind switch
            {
                Kind.Label => true,
                Kind.Branch => false,
                Kind.Text when text == "ret;" => false,
                _ => reachable,
            };
        }

        var location = string.Empty;
        for (var i = 0; i < _lines.Count; i++)
        {
            var (kind, text) = _lines[i];
            if (!kept[i] || (kind == Kind.Label && !named.Contains(text)))
            {
                continue;
            }

            switch (kind)
            {
                case Kind.Location:
                    location = text;
                    break;
                case Kind.Label:
                    output.Append(text).Append(":\n");
                    break;
                case Kind.Text or Kind.Branch:
                    if (location.Length > 0)
                    {
                        output.Append("    ").Append(location).Append('\n');
                        location = string.Empty;
                    }

                    output.Append("    ").Append(kind == Kind.Branch ? $"bra {text};" : text).Append('\n');
                    break;
            }
        }
    }

    private bool LeadsNext(int index, string label)
    {
        for (var i = index + 1; i < _lines.Count && _lines[i].Kind is Kind.Label or Kind.Location; i++)
        {
            if (_lines[i].Kind == Kind.Label && _lines[i].Text == label)
            {
                return true;
            }
        }

        return false;
    }
}
