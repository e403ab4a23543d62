// Reads PTX text: module directives, entries, declarations and instructions.
// Source: PTX ISA, chapters "Syntax" and "Directives".
using System.Globalization;

namespace Rt.Gpu.Simulator.Text;

internal sealed partial class PtxParser
{
    private static readonly string[] SpecialPrefixes = ["%tid", "%ntid", "%ctaid", "%nctaid", "%laneid", "%warpid"];

    private readonly List<Token> _tokens;
    private readonly Dictionary<int, string> _files = [];
    private readonly List<SharedVariable> _moduleShared = [];
    private int _at;
    private string? _source;

    private PtxParser(string text) => _tokens = Token.Split(text);

    public string Version { get; private set; } = "";

    public string Target { get; private set; } = "";

    public List<EntryText> Entries { get; } = [];

    public static PtxParser Read(string text)
    {
        var parser = new PtxParser(text);
        parser.Module();
        return parser;
    }

    private Token Next => _tokens[_at];

    private Token Take() => _tokens[_at].Kind == TokenKind.End ? _tokens[_at] : _tokens[_at++];

    private bool TryTake(string text)
    {
        if (!Next.Is(text))
        {
            return false;
        }
        _at++;
        return true;
    }

    private void Expect(string text)
    {
        if (!TryTake(text))
        {
            throw new SimulatorException($"expected '{text}', found '{Next.Text}'", Next.Line);
        }
    }

    private string Word()
    {
        var token = Take();
        return token.Kind == TokenKind.Word ? token.Text : throw new SimulatorException($"expected a name, found '{token.Text}'", token.Line);
    }

    private int Count()
    {
        var token = Take();
        return token.Kind == TokenKind.Number && ParseInteger(token) is <= int.MaxValue and var value
            ? (int)value
            : throw new SimulatorException($"expected a number, found '{token.Text}'", token.Line);
    }

    private static ulong ParseInteger(Token token)
    {
        string text = token.Text.TrimEnd('U');
        bool parsed = text.StartsWith("0x", StringComparison.OrdinalIgnoreCase)
            ? ulong.TryParse(text.AsSpan(2), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out ulong value)
            : ulong.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out value);
        return parsed ? value : throw new SimulatorException($"'{token.Text}' is not a number of 64 bits", token.Line);
    }

    private void Module()
    {
        while (Next.Kind != TokenKind.End)
        {
            var token = Take();
            switch (token.Text)
            {
                case ".version":
                    Version = Take().Text;
                    break;
                case ".target":
                    Target = Word();
                    while (TryTake(","))
                    {
                        Word();
                    }
                    break;
                case ".address_size":
                    if (Count() != 64)
                    {
                        throw new SimulatorException("addresses must have 64 bits", token.Line);
                    }
                    break;
                case ".file":
                    FileDirective();
                    break;
                case ".visible" or ".weak":
                    break;
                case ".extern":
                    Expect(".shared");
                    _moduleShared.Add(Shared(external: true));
                    break;
                case ".shared":
                    _moduleShared.Add(Shared(external: false));
                    break;
                case ".entry":
                    Entry(token.Line);
                    break;
                default:
                    throw new SimulatorException($"'{token.Text}' is not a directive that the simulator knows", token.Line);
            }
        }
        if (Entries.Count == 0)
        {
            throw new SimulatorException("the module has no entry");
        }
    }

    private void FileDirective()
    {
        int number = Count();
        var name = Take();
        if (name.Kind != TokenKind.Quoted)
        {
            throw new SimulatorException($"expected a file name in quotes, found '{name.Text}'", name.Line);
        }
        _files[number] = name.Text;
        while (TryTake(","))
        {
            Take();
        }
    }

    private void Entry(int line)
    {
        var entry = new EntryText(Word(), line);
        _source = null;
        if (TryTake("("))
        {
            int offset = 0;
            while (!TryTake(")"))
            {
                Expect(".param");
                var (name, bytes, alignment, _) = Variable();
                offset = (offset + alignment - 1) / alignment * alignment;
                entry.Parameters.Add(new EntryParameter(name, offset, bytes, alignment));
                offset += bytes;
                TryTake(",");
            }
        }
        while (!Next.Is("{"))
        {
            var directive = Take();
            switch (directive.Text)
            {
                case ".reqntid":
                    entry.GroupSize = Counts();
                    break;
                case ".maxntid" or ".minnctapersm" or ".maxnctapersm" or ".maxnreg":
                    Counts();
                    break;
                default:
                    throw new SimulatorException($"'{directive.Text}' is not an entry directive that the simulator knows", directive.Line);
            }
        }
        entry.Shared.AddRange(_moduleShared);
        Expect("{");
        Body(entry, new Scope(null));
        Entries.Add(entry);
    }

    private int[] Counts()
    {
        var counts = new List<int> { Count() };
        while (TryTake(","))
        {
            counts.Add(Count());
        }
        return [.. counts];
    }

    private SharedVariable Shared(bool external)
    {
        int line = Next.Line;
        var (name, bytes, alignment, open) = Variable();
        Expect(";");
        if (external != open)
        {
            throw new SimulatorException($"shared variable {name}: .extern goes with [] and only with it", line);
        }
        return new SharedVariable(name, bytes, alignment, external);
    }

    private (string Name, int Bytes, int Alignment, bool Open) Variable()
    {
        int alignment = 0;
        int line = Next.Line;
        if (TryTake(".align"))
        {
            alignment = Count();
        }
        int element = TypeBits(Word(), line) / 8;
        if (element == 0)
        {
            throw new SimulatorException("a predicate cannot be in memory", line);
        }
        string name = Word();
        long bytes = element;
        bool open = false;
        while (TryTake("["))
        {
            if (TryTake("]"))
            {
                open = true;
                bytes = 0;
            }
            else
            {
                bytes *= Count();
                Expect("]");
            }
        }
        if (bytes > int.MaxValue)
        {
            throw new SimulatorException($"variable {name} has {bytes} bytes", line);
        }
        return (name, (int)bytes, Math.Max(alignment, element), open);
    }

    private static int TypeBits(string type, int line) => type switch
    {
        ".pred" => 1,
        ".b8" or ".u8" or ".s8" => 8,
        ".b16" or ".u16" or ".s16" or ".f16" => 16,
        ".b32" or ".u32" or ".s32" or ".f32" or ".f16x2" => 32,
        ".b64" or ".u64" or ".s64" or ".f64" => 64,
        _ => throw new SimulatorException($"'{type}' is not a type that the simulator knows", line),
    };

    private void Body(EntryText entry, Scope scope)
    {
        while (!TryTake("}"))
        {
            var token = Next;
            if (token.Kind == TokenKind.End)
            {
                throw new SimulatorException("'}' is missing", token.Line);
            }
            if (TryTake("{"))
            {
                Body(entry, new Scope(scope));
            }
            else if (TryTake(".reg"))
            {
                Registers(entry, scope);
            }
            else if (TryTake(".shared"))
            {
                entry.Shared.Add(Shared(external: false));
            }
            else if (TryTake(".loc"))
            {
                Location(token.Line);
            }
            else if (TryTake(".pragma"))
            {
                Take();
                Expect(";");
            }
            else if (token.Kind == TokenKind.Word && _tokens[_at + 1].Is(":"))
            {
                _at += 2;
                if (!scope.Labels.TryAdd(token.Text, entry.Statements.Count))
                {
                    throw new SimulatorException($"label {token.Text} is here twice", token.Line);
                }
            }
            else
            {
                entry.Statements.Add(Instruction(scope));
            }
        }
    }

    private void Location(int line)
    {
        int file = Count();
        int number = Count();
        _source = _files.TryGetValue(file, out string? name)
            ? $"{name}:{number}"
            : throw new SimulatorException($".loc names file {file}, which no .file declares", line);
        while (Next.Line == line && Next.Kind != TokenKind.End)
        {
            Take();
        }
    }

    private static void Declare(EntryText entry, Scope scope, string name, string type, int bits, int line)
    {
        var register = new Register(name, type, bits, entry.Registers.Count);
        if (!scope.Registers.TryAdd(name, register))
        {
            throw new SimulatorException($"register {name} is declared twice", line);
        }
        entry.Registers.Add(register);
    }

    private void Registers(EntryText entry, Scope scope)
    {
        int line = Next.Line;
        string type = Word();
        int bits = TypeBits(type, line);
        do
        {
            string name = Word();
            if (TryTake("<"))
            {
                int count = Count();
                Expect(">");
                for (int i = 0; i < count; i++)
                {
                    Declare(entry, scope, name + i.ToString(CultureInfo.InvariantCulture), type, bits, line);
                }
            }
            else
            {
                Declare(entry, scope, name, type, bits, line);
            }
        }
        while (TryTake(","));
        Expect(";");
    }

    private Statement Instruction(Scope scope)
    {
        int first = _at;
        int line = Next.Line;
        Register? guard = null;
        bool negated = false;
        if (TryTake("@"))
        {
            negated = TryTake("!");
            string name = Word();
            guard = scope.FindRegister(name) ?? throw new SimulatorException($"predicate {name} is not declared", line);
            if (guard.Bits != 1)
            {
                throw new SimulatorException($"{name} is no predicate", line);
            }
        }
        string opcode = Word();
        var operands = new List<Operand>();
        if (!Next.Is(";"))
        {
            do
            {
                operands.Add(Operand(scope));
            }
            while (TryTake(","));
        }
        if (!Next.Is(";"))
        {
            throw new SimulatorException($"expected ';' after {opcode}, found '{Next.Text}'", Next.Line);
        }
        string text = Written(first, _at);
        Expect(";");
        return new Statement(line, _source, text, guard, negated, opcode, [.. operands], scope);
    }

    /// <summary>The tokens as text, for messages.</summary>
    private string Written(int first, int end)
    {
        var text = new System.Text.StringBuilder();
        for (int i = first; i < end; i++)
        {
            string token = _tokens[i].Text;
            bool tight = i == first || token is "," or "]" or "}" or "+" or "-" or "|" or ">"
                || _tokens[i - 1].Text is "@" or "!" or "[" or "{" or "+" or "-" or "|";
            text.Append(tight ? "" : " ").Append(token);
        }
        return text.ToString();
    }
}
