// The control-flow graph of an entry: where diverged lanes meet again, and which registers are read before they are written.
// Source: immediate post-dominators as reconvergence points, Fung et al. 2007, "Dynamic Warp Formation".
using System.Collections;
using Rt.Gpu.Simulator.Execution;
using Rt.Gpu.Simulator.Text;

namespace Rt.Gpu.Simulator.Decoding;

internal sealed class ControlFlow
{
    private readonly List<Draft> _code;
    private readonly List<int> _starts = [];
    private readonly int[] _blockOf;
    private readonly List<int>[] _successors;

    public ControlFlow(List<Draft> code)
    {
        _code = code;
        _blockOf = new int[code.Count];
        var leaders = new bool[code.Count + 1];
        leaders[0] = true;
        for (int i = 0; i < code.Count; i++)
        {
            if (code[i].Instruction.Control == Control.Branch)
            {
                leaders[code[i].Instruction.Target] = true;
                leaders[i + 1] = true;
            }
            else if (code[i].Instruction.Control == Control.Return)
            {
                leaders[i + 1] = true;
            }
        }
        for (int i = 0; i < code.Count; i++)
        {
            if (leaders[i])
            {
                _starts.Add(i);
            }
            _blockOf[i] = _starts.Count - 1;
        }
        _successors = new List<int>[_starts.Count];
        for (int b = 0; b < _starts.Count; b++)
        {
            _successors[b] = [];
            int last = End(b) - 1;
            ref var instruction = ref code[last].Instruction;
            if (instruction.Control == Control.Branch)
            {
                _successors[b].Add(_blockOf[instruction.Target]);
            }
            bool goesOn = code[last].Statement.Guard is not null || instruction.Control is not (Control.Branch or Control.Return);
            if (goesOn && last + 1 < code.Count)
            {
                _successors[b].Add(b + 1);
            }
        }
    }

    private int End(int block) => block + 1 < _starts.Count ? _starts[block + 1] : _code.Count;

    /// <summary>Sets where the lanes of each guarded branch meet again.</summary>
    /// <remarks>Lanes that return drop out and hold nobody up: of all returns only the last one counts as an end.</remarks>
    public void SetReconvergence()
    {
        int count = _starts.Count;
        var sets = new BitArray[count];
        for (int b = 0; b < count; b++)
        {
            sets[b] = new BitArray(count, true);
        }
        int exit = LastReturn();
        if (exit < 0)
        {
            return;
        }
        sets[exit] = new BitArray(count) { [exit] = true };
        bool changed = true;
        while (changed)
        {
            changed = false;
            for (int b = count - 1; b >= 0; b--)
            {
                if (_successors[b].Count == 0)
                {
                    continue;
                }
                var set = new BitArray(sets[_successors[b][0]]);
                for (int s = 1; s < _successors[b].Count; s++)
                {
                    set.And(sets[_successors[b][s]]);
                }
                set[b] = true;
                if (!Same(set, sets[b]))
                {
                    sets[b] = set;
                    changed = true;
                }
            }
        }
        var sizes = Array.ConvertAll(sets, CountOf);
        for (int b = 0; b < count; b++)
        {
            ref var instruction = ref _code[End(b) - 1].Instruction;
            if (instruction.Control != Control.Branch || sizes[b] == count)
            {
                continue;
            }
            for (int other = 0; other < count; other++)
            {
                // The immediate post-dominator is the one that all the others post-dominate.
                if (other != b && sets[b][other] && sizes[other] == sizes[b] - 1)
                {
                    instruction.Reconvergence = _starts[other];
                }
            }
        }
    }

    /// <summary>The last block that returns and can be reached, or -1.</summary>
    private int LastReturn()
    {
        var reached = new BitArray(_starts.Count) { [0] = true };
        var work = new Stack<int>([0]);
        int last = -1;
        while (work.TryPop(out int block))
        {
            if (_successors[block].Count == 0)
            {
                last = Math.Max(last, block);
            }
            foreach (int next in _successors[block])
            {
                if (!reached[next])
                {
                    reached[next] = true;
                    work.Push(next);
                }
            }
        }
        return last;
    }

    private static bool Same(BitArray a, BitArray b) => !new BitArray(a).Xor(b).HasAnySet();

    private static int CountOf(BitArray set)
    {
        int count = 0;
        foreach (bool one in set)
        {
            count += one ? 1 : 0;
        }
        return count;
    }

    /// <summary>From where to where each register is needed.</summary>
    public Liveness FindLiveness(int registers) =>
        Liveness.Of(_code, [.. _starts.Select((start, b) => (start, End(b) - 1, _successors[b]))], registers);

    /// <summary>Registers that some path reads before it writes them.</summary>
    public HashSet<Register> FindPossiblyUnwritten(int registers)
    {
        int count = _starts.Count;
        var entering = new BitArray?[count];
        entering[0] = new BitArray(registers);
        var found = new HashSet<Register>();
        var work = new Queue<int>([0]);
        while (work.TryDequeue(out int block))
        {
            var written = new BitArray(entering[block]!);
            for (int i = _starts[block]; i < End(block); i++)
            {
                if (_code[i].Statement.Guard is null)
                {
                    _code[i].Writes.ForEach(register => written[register.Index] = true);
                }
            }
            foreach (int next in _successors[block])
            {
                var merged = entering[next] is { } before ? new BitArray(before).And(written) : written;
                if (entering[next] is null || !Same(merged, entering[next]!))
                {
                    entering[next] = new BitArray(merged);
                    work.Enqueue(next);
                }
            }
        }
        for (int block = 0; block < count; block++)
        {
            if (entering[block] is not { } start)
            {
                continue;
            }
            var written = new BitArray(start);
            for (int i = _starts[block]; i < End(block); i++)
            {
                _code[i].Reads.ForEach(register =>
                {
                    if (!written[register.Index])
                    {
                        found.Add(register);
                    }
                });
                if (_code[i].Statement.Guard is null)
                {
                    _code[i].Writes.ForEach(register => written[register.Index] = true);
                }
            }
        }
        return found;
    }
}
