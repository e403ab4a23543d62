// From where to where each register holds a value that may still be read, so that registers can share places.
// Source: Poletto and Sarkar 1999, "Linear scan register allocation".
using Rt.Gpu.Simulator.Text;

namespace Rt.Gpu.Simulator.Decoding;

/// <summary>Live ranges of registers over the order of the program.</summary>
/// <remarks>Liveness is that of one thread: a write touches the lanes that take part and no others, so lanes that wait on another path
/// keep what they hold.</remarks>
internal sealed class Liveness
{
    private readonly int[] _starts;
    private readonly int[] _ends;

    private Liveness(int registers)
    {
        _starts = new int[registers];
        _ends = new int[registers];
        Array.Fill(_starts, int.MaxValue);
        Array.Fill(_ends, -1);
    }

    /// <summary>First position of a register; int.MaxValue where it does not occur.</summary>
    public int Start(Register register) => _starts[register.Index];

    /// <summary>Last position of a register.</summary>
    public int End(Register register) => _ends[register.Index];

    /// <summary>Finds the ranges.</summary>
    /// <param name="code">The instructions.</param>
    /// <param name="blocks">First and last position and successors of each block.</param>
    /// <param name="registers">Number of registers.</param>
    public static Liveness Of(List<Draft> code, IReadOnlyList<(int First, int Last, List<int> Successors)> blocks, int registers)
    {
        var result = new Liveness(registers);
        int words = (registers + 63) / 64;
        var uses = new ulong[blocks.Count][];
        var kills = new ulong[blocks.Count][];
        var entering = new ulong[blocks.Count][];
        for (int b = 0; b < blocks.Count; b++)
        {
            uses[b] = new ulong[words];
            kills[b] = new ulong[words];
            entering[b] = new ulong[words];
            for (int i = blocks[b].First; i <= blocks[b].Last; i++)
            {
                foreach (var register in code[i].Reads)
                {
                    result.Touch(register.Index, i);
                    if (!Has(kills[b], register.Index))
                    {
                        Add(uses[b], register.Index);
                    }
                }
                foreach (var register in code[i].Writes)
                {
                    result.Touch(register.Index, i);
                    if (code[i].Statement.Guard is null)
                    {
                        Add(kills[b], register.Index);
                    }
                }
            }
        }
        bool changed = true;
        while (changed)
        {
            changed = false;
            for (int b = blocks.Count - 1; b >= 0; b--)
            {
                for (int w = 0; w < words; w++)
                {
                    ulong leaving = 0;
                    foreach (int next in blocks[b].Successors)
                    {
                        leaving |= entering[next][w];
                    }
                    ulong value = uses[b][w] | (leaving & ~kills[b][w]);
                    changed |= value != entering[b][w];
                    entering[b][w] = value;
                }
            }
        }
        for (int b = 0; b < blocks.Count; b++)
        {
            for (int r = 0; r < registers; r++)
            {
                if (Has(entering[b], r))
                {
                    result.Touch(r, blocks[b].First);
                }
                if (blocks[b].Successors.Exists(next => Has(entering[next], r)))
                {
                    result.Touch(r, blocks[b].Last);
                }
            }
        }
        return result;
    }

    private void Touch(int register, int position)
    {
        _starts[register] = Math.Min(_starts[register], position);
        _ends[register] = Math.Max(_ends[register], position);
    }

    private static bool Has(ulong[] set, int bit) => (set[bit >> 6] >> (bit & 63) & 1) != 0;

    private static void Add(ulong[] set, int bit) => set[bit >> 6] |= 1UL << (bit & 63);
}
