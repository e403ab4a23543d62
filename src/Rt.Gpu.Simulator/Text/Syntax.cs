// What the parser makes of PTX text: entries with registers, shared variables and statements.
namespace Rt.Gpu.Simulator.Text;

/// <summary>A virtual register; predicates have 1 bit.</summary>
internal sealed class Register(string name, string type, int bits, int index)
{
    public string Name { get; } = name;

    public string Type { get; } = type;

    public int Bits { get; } = bits;

    public int Index { get; } = index;
}

/// <summary>A variable in shared memory; the dynamic one has no size of its own.</summary>
internal sealed record SharedVariable(string Name, int Bytes, int Alignment, bool Dynamic);

/// <summary>A kernel parameter at its offset in the argument bytes.</summary>
internal sealed record EntryParameter(string Name, int Offset, int Bytes, int Alignment);

internal enum OperandKind
{
    Register,
    Special,
    Immediate,
    Address,
    Vector,
    Name,
    Sink,
}

/// <summary>An operand. An address is <c>[Register or Name + Offset]</c>; a vector has <see cref="Items"/>.</summary>
internal sealed class Operand
{
    public OperandKind Kind { get; init; }

    public Register? Register { get; init; }

    /// <summary>Name of a variable, label, parameter or special register.</summary>
    public string Name { get; init; } = "";

    /// <summary>Bits of an immediate: an integer, sign-extended; or a float's bits.</summary>
    public ulong Bits { get; init; }

    /// <summary>0: integer; 32 or 64: a float of that many bits.</summary>
    public int FloatBits { get; init; }

    public long Offset { get; init; }

    public Operand[] Items { get; init; } = [];

    /// <summary>A predicate written as !p.</summary>
    public bool Negated { get; init; }

    /// <summary>The predicate after a bar: d|p.</summary>
    public Operand? Second { get; init; }
}

/// <summary>A scope of names, for labels that are resolved after the text is read.</summary>
internal sealed class Scope(Scope? parent)
{
    public Dictionary<string, Register> Registers { get; } = [];

    public Dictionary<string, int> Labels { get; } = [];

    public Register? FindRegister(string name)
    {
        for (var scope = this; scope is not null; scope = scope.Parent)
        {
            if (scope.Registers.TryGetValue(name, out var register))
            {
                return register;
            }
        }
        return null;
    }

    public int? FindLabel(string name)
    {
        for (var scope = this; scope is not null; scope = scope.Parent)
        {
            if (scope.Labels.TryGetValue(name, out int index))
            {
                return index;
            }
        }
        return null;
    }

    private Scope? Parent { get; } = parent;
}

/// <summary>An instruction of the text.</summary>
internal sealed record Statement(
    int Line, string? Source, string Text, Register? Guard, bool GuardNegated, string Opcode, Operand[] Operands, Scope Scope)
{
    /// <summary>The opcode's parts: name, then modifiers.</summary>
    public string[] Parts { get; } = Opcode.Split('.');
}

/// <summary>An entry as written.</summary>
internal sealed class EntryText(string name, int line)
{
    public string Name { get; } = name;

    public int Line { get; } = line;

    public List<EntryParameter> Parameters { get; } = [];

    public int[] GroupSize { get; set; } = [];

    public List<Register> Registers { get; } = [];

    public List<SharedVariable> Shared { get; } = [];

    public List<Statement> Statements { get; } = [];
}
