// A prefix tree over bytes, its edges in one hash table, with a value on the nodes where a key ends.
// Source: own.
namespace Rt.Formats.Tokenizers;

internal sealed class ByteTrie
{
    private const int Empty = -1;
    private readonly SpanList<int> _values = new();
    private long[] _edges = new long[1024];
    private int[] _targets = new int[1024];
    private int _edgeCount;

    public ByteTrie()
    {
        Array.Fill(_edges, Empty);
        _values.Add(Empty);
    }

    /// <summary>The root is node 0; children have higher numbers than their parents.</summary>
    public int NodeCount => _values.Count;

    /// <summary>The value of the key that ends at a node, or -1.</summary>
    public int Value(int node) => _values[node];

    /// <summary>Adds a key; an earlier value of the same key is replaced.</summary>
    public void Add(ReadOnlySpan<byte> key, int value)
    {
        int node = 0;
        foreach (byte b in key)
        {
            int next = Child(node, b);
            node = next >= 0 ? next : AddChild(node, b);
        }

        _values[node] = value;
    }

    /// <summary>The node one byte further, or -1.</summary>
    public int Child(int node, byte b)
    {
        long edge = ((long)node << 8) | b;
        for (int slot = SlotOf(edge); ; slot = (slot + 1) & (_edges.Length - 1))
        {
            if (_edges[slot] == edge)
            {
                return _targets[slot];
            }

            if (_edges[slot] == Empty)
            {
                return -1;
            }
        }
    }

    /// <summary>All edges: parent, byte, child.</summary>
    public IEnumerable<(int Parent, byte Byte, int Child)> Edges()
    {
        for (int slot = 0; slot < _edges.Length; slot++)
        {
            if (_edges[slot] != Empty)
            {
                yield return ((int)(_edges[slot] >> 8), (byte)_edges[slot], _targets[slot]);
            }
        }
    }

    private int AddChild(int node, byte b)
    {
        if (_edgeCount * 2 >= _edges.Length)
        {
            Grow();
        }

        int child = _values.Count;
        _values.Add(Empty);
        Insert(((long)node << 8) | b, child);
        return child;
    }

    private void Insert(long edge, int target)
    {
        int slot = SlotOf(edge);
        while (_edges[slot] != Empty)
        {
            slot = (slot + 1) & (_edges.Length - 1);
        }

        (_edges[slot], _targets[slot]) = (edge, target);
        _edgeCount++;
    }

    private void Grow()
    {
        (long[] edges, int[] targets) = (_edges, _targets);
        _edges = new long[edges.Length * 2];
        _targets = new int[edges.Length * 2];
        Array.Fill(_edges, Empty);
        _edgeCount = 0;
        for (int slot = 0; slot < edges.Length; slot++)
        {
            if (edges[slot] != Empty)
            {
                Insert(edges[slot], targets[slot]);
            }
        }
    }

    private int SlotOf(long edge) => (int)(((ulong)edge * 0x9E3779B97F4A7C15UL) >> 32) & (_edges.Length - 1);
}
