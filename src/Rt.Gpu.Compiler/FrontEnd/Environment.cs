// The values of all variables at the point that is being lowered, with a log from which earlier points are restored.
using Rt.Gpu.Compiler.Ir;

namespace Rt.Gpu.Compiler.FrontEnd;

/// <summary>Where control stands: going on, about to jump to a region, or nowhere.</summary>
internal enum Flow : byte
{
    Live,
    Jumping,
    Dead,
}

/// <summary>A path that reaches the end of a region: what it changed, and where its assignments to merged variables go.</summary>
internal sealed class Edge(AssignNode assign, Dictionary<Leaf, Datum?> changes)
{
    public AssignNode Assign { get; } = assign;

    public Dictionary<Leaf, Datum?> Changes { get; } = changes;
}

/// <summary>A loop or scope under construction.</summary>
internal sealed class Region(RegionNode node, int logMark, int birthMark)
{
    public RegionNode Node { get; } = node;

    public int LogMark { get; } = logMark;

    public int BirthMark { get; } = birthMark;

    public List<Edge> Exits { get; } = [];
}

internal sealed class Environment
{
    private readonly List<(Leaf Leaf, Datum? Old)> _log = [];
    private int _births;

    public int Mark => _log.Count;

    public int Births => _births;

    public Flow Flow { get; set; }

    /// <summary>Where control is about to go.</summary>
    public Region? Target { get; set; }

    public bool IsLive => Flow == Flow.Live;

    public Leaf NewLeaf(Scalar scalar, int key) => new(scalar, key, _births++);

    public void Set(Leaf leaf, Datum? datum)
    {
        _log.Add((leaf, leaf.Current));
        leaf.Current = datum;
    }

    /// <summary>Current values of the leaves changed since the mark that existed before <paramref name="births"/>.</summary>
    public Dictionary<Leaf, Datum?> ChangesSince(int mark, int births)
    {
        var changes = new Dictionary<Leaf, Datum?>();
        for (var i = mark; i < _log.Count; i++)
        {
            var leaf = _log[i].Leaf;
            if (leaf.Birth < births)
            {
                changes[leaf] = leaf.Current;
            }
        }

        return changes;
    }

    public void Undo(int mark)
    {
        for (var i = _log.Count - 1; i >= mark; i--)
        {
            _log[i].Leaf.Current = _log[i].Old;
        }

        _log.RemoveRange(mark, _log.Count - mark);
    }

    public void Resume()
    {
        Flow = Flow.Live;
        Target = null;
    }

    public void Die()
    {
        Flow = Flow.Dead;
        Target = null;
    }

    public void JumpTo(Region region)
    {
        Flow = Flow.Jumping;
        Target = region;
    }
}
