// The structured control flow of a kernel: blocks of instructions, ifs, loops, scopes that can be left, and jumps.
namespace Rt.Gpu.Compiler.Ir;

/// <summary>A list of nodes in order.</summary>
internal sealed class Block(Block? parent, int loopDepth)
{
    public Block? Parent { get; set; } = parent;

    /// <summary>Loops around it.</summary>
    public int LoopDepth { get; } = loopDepth;

    public List<Node> Items { get; } = [];

    /// <summary>Still under construction: its values may be used by what comes next.</summary>
    public bool Open { get; set; } = true;

    /// <summary>The block that took over its items, where it has dissolved.</summary>
    public Block? SplicedInto { get; set; }

    public bool IsWithin(Block other)
    {
        for (Block? block = this; block is not null; block = block.Parent)
        {
            if (block == other)
            {
                return true;
            }
        }

        return false;
    }
}

internal sealed class IfNode(Value condition, Block then, Block otherwise) : Node
{
    public Value Condition { get; set; } = condition;

    public Block Then { get; } = then;

    public Block Else { get; } = otherwise;
}

/// <summary>Something a jump can name: a loop (continue at its head, exit behind it) or a scope (exit only).</summary>
internal abstract class RegionNode(Block body) : Node
{
    public Block Body { get; set; } = body;
}

/// <summary>A body that is left by a jump, or at its end; it repeats only by a continue jump.</summary>
internal sealed class LoopNode(Block body) : RegionNode(body);

/// <summary>A body that a jump may leave early.</summary>
internal sealed class ScopeNode(Block body) : RegionNode(body);

/// <summary>Goes to the head (continue) or behind (exit) a region, always or under a condition.</summary>
internal sealed class JumpNode(RegionNode target, bool isContinue, Value? condition) : Node
{
    public RegionNode Target { get; } = target;

    public bool IsContinue { get; } = isContinue;

    public Value? Condition { get; set; } = condition;
}

/// <summary>Assignments that happen at once.</summary>
internal sealed class AssignNode(List<(Register Register, Value Value)> moves) : Node
{
    public List<(Register Register, Value Value)> Moves { get; } = moves;
}

/// <summary>A parameter of the entry.</summary>
internal sealed record IrParameter(string Name, string Declaration);

/// <summary>A static shared array.</summary>
internal sealed record IrShared(string Name, int Bytes);

/// <summary>A whole kernel, ready for the back end.</summary>
internal sealed class KernelIr(
    string name, string target, int groupSize, int minGroups, IReadOnlyList<string> files, IReadOnlyList<string> sourcePaths, IReadOnlyList<IrParameter> parameters,
    IReadOnlyList<IrShared> shared, bool usesDynamicShared, ScopeNode root)
{
    public string Name { get; } = name;

    public string Target { get; } = target;

    public int GroupSize { get; } = groupSize;

    public int MinGroups { get; } = minGroups;

    /// <summary>C# files that instructions come from, as PTX names them.</summary>
    public IReadOnlyList<string> Files { get; } = files;

    /// <summary>The same files as the compilation names them.</summary>
    public IReadOnlyList<string> SourcePaths { get; } = sourcePaths;

    public IReadOnlyList<IrParameter> Parameters { get; } = parameters;

    public IReadOnlyList<IrShared> Shared { get; } = shared;

    public bool UsesDynamicShared { get; } = usesDynamicShared;

    /// <summary>The body; leaving it ends the thread.</summary>
    public ScopeNode Root { get; } = root;
}
