// Loops: unrolled where their trips are known and few, else with one register per variable that the body changes.
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.Operations;
using Rt.Gpu.Compiler.Ir;

namespace Rt.Gpu.Compiler.FrontEnd;

internal sealed partial class Lowering
{
    private const int TripsUnrolledUnasked = 16;
    private const int TripsUnrolledAtMost = 4096;

    private readonly Dictionary<(int Path, IOperation Loop), LoopKnowledge> _loops = [];
    private readonly Dictionary<IOperation, bool> _continues = [];
    private readonly Dictionary<IOperation, bool> _countable = [];
    private readonly Dictionary<IOperation, HashSet<ISymbol>> _assigned = [];

    // What earlier attempts at a loop have shown.
    private sealed class LoopKnowledge
    {
        public HashSet<int> Changed { get; } = [];

        public HashSet<int> Unchanged { get; } = [];

        public bool MustUnroll { get; set; }
    }

    private void LowerForLoop(IForLoopOperation loop)
    {
        foreach (var before in loop.Before)
        {
            LowerStatement(before);
        }

        LowerCountedLoop(loop, loop.Condition, loop.AtLoopBottom, loop.Body, testsFirst: true);
    }

    private void LowerWhileLoop(IWhileLoopOperation loop)
    {
        if (loop.ConditionIsUntil)
        {
            throw new KernelException(Diagnostics.ControlFlow, loop.Syntax.GetLocation(), "until");
        }

        LowerCountedLoop(loop, loop.Condition, [], loop.Body, loop.ConditionIsTop);
    }

    private void LowerCountedLoop(
        ILoopOperation loop, IOperation? condition, IReadOnlyList<IOperation> increments, IOperation body, bool testsFirst)
    {
        var key = (_frame.Path, (IOperation)loop);
        if (!_loops.TryGetValue(key, out var knowledge))
        {
            _loops[key] = knowledge = new LoopKnowledge();
        }

        var asked = condition is not null && IsUnrollRequest(condition);
        var limit = asked || knowledge.MustUnroll ? TripsUnrolledAtMost : TripsUnrolledUnasked;
        int? trips = testsFirst && condition is not null && increments.Count > 0 ? CountTrips(condition, increments, body, limit) : null;
        if (trips is null && asked)
        {
            throw new KernelException(Diagnostics.UnrollBounds, condition!.Syntax.GetLocation());
        }

        if (trips is { } count)
        {
            LowerUnrolled(loop, count, increments, body);
            return;
        }

        var checkpoint = new Checkpoint(this);
        for (var attempt = 0; ; attempt++)
        {
            try
            {
                if (TryLowerLoop(loop, condition, increments, body, testsFirst, knowledge))
                {
                    return;
                }
            }
            catch (LocalIndexException) when (!knowledge.MustUnroll && increments.Count > 0)
            {
                checkpoint.Restore(this);
                if (CountTrips(condition!, increments, body, TripsUnrolledAtMost) is not { } found)
                {
                    throw;
                }

                knowledge.MustUnroll = true;
                LowerUnrolled(loop, found, increments, body);
                return;
            }

            checkpoint.Restore(this);
            if (attempt > 20)
            {
                throw new InvalidOperationException("a loop's variables do not settle");
            }
        }
    }

    private void LowerUnrolled(ILoopOperation loop, int trips, IReadOnlyList<IOperation> increments, IOperation body)
    {
        LowerScope(exit =>
        {
            for (var trip = 0; trip < trips && _environment.IsLive; trip++)
            {
                LowerBody(loop, exit, body);
                if (_environment.IsLive)
                {
                    LowerAll(increments);
                }
            }
        });
    }

    // The body with its target for continue.
    private void LowerBody(ILoopOperation loop, Region exit, IOperation body)
    {
        if (!ContainsContinue(body, loop))
        {
            _frame.Loops.Push((loop, exit, exit));
            LowerStatement(body);
            _frame.Loops.Pop();
            return;
        }

        LowerScope(next =>
        {
            _frame.Loops.Push((loop, exit, next));
            LowerStatement(body);
            _frame.Loops.Pop();
        });
    }

    private bool ContainsContinue(IOperation body, ILoopOperation loop)
    {
        if (!_continues.TryGetValue(loop, out var contains))
        {
            _continues[loop] = contains = body.DescendantsAndSelf().Any(operation =>
                operation is IBranchOperation { BranchKind: BranchKind.Continue } branch
                && SymbolEqualityComparer.Default.Equals(branch.Target, loop.ContinueLabel));
        }

        return contains;
    }

    private static bool IsUnrollRequest(IOperation condition) =>
        condition is IInvocationOperation { TargetMethod: { Name: "While", ContainingType: { Name: "Unroll" } type } }
        && Scalars.InNamespace(type, "Rt.Gpu");

    // Runs condition and increments alone, where they are constants and the body leaves the counter alone.
    private int? CountTrips(IOperation condition, IReadOnlyList<IOperation> increments, IOperation body, int limit)
    {
        if (!_countable.TryGetValue(condition, out var countable))
        {
            var counters = AssignedSymbols(increments);
            counters.IntersectWith(AssignedSymbols([body]));
            countable = counters.Count == 0
                && !condition.DescendantsAndSelf().Any(operation => operation is IAssignmentOperation or IIncrementOrDecrementOperation);
            _countable[condition] = countable;
        }

        if (!countable)
        {
            return null;
        }

        var checkpoint = new Checkpoint(this);
        try
        {
            for (var trips = 0; trips <= limit; trips++)
            {
                if (LowerValue(condition) is not { IsConst: true } value)
                {
                    return null;
                }

                if (value.Bits == 0)
                {
                    return trips;
                }

                LowerAll(increments);
            }

            return null;
        }
        finally
        {
            checkpoint.Restore(this);
        }
    }

    // False: something was learned, and the loop must be lowered again.
    private bool TryLowerLoop(
        ILoopOperation loop, IOperation? condition, IReadOnlyList<IOperation> increments, IOperation body, bool testsFirst, LoopKnowledge knowledge)
    {
        var line = _builder.Line;
        var first = testsFirst && condition is not null ? LowerValue(condition) : _builder.Bool(true);
        if (first.IsConst && first.Bits == 0)
        {
            return true;
        }

        // Variables that the loop carries, each with its register, set before the first trip.
        var carried = CarriedLeaves(loop, knowledge);
        var initial = new AssignNode([]);
        var registers = new Dictionary<Leaf, Datum>();
        _builder.Append(initial);
        var outer = _builder.Current;
        Block? guard = first.IsConst ? null : _builder.OpenBlock();
        var mark = _environment.Mark;
        var births = _environment.Births;
        var block = _builder.OpenBlock(loops: 1);
        var node = new LoopNode(block);
        var region = new Region(node, mark, births);
        foreach (var leaf in carried)
        {
            var datum = NewCarried(leaf, initial, block);
            registers.Add(leaf, datum);
            _environment.Set(leaf, datum);
        }

        _regions.Add(region);
        LowerBody(loop, region, body);
        _regions.Remove(region);
        var edges = new List<Edge>();
        Edge? bottom = null;
        if (_environment.IsLive)
        {
            LowerAll(increments);
            var again = condition is null ? _builder.Bool(true) : Detached(LowerValue(condition));
            var assign = new AssignNode([]);
            _builder.Append(assign);
            bottom = new Edge(assign, _environment.ChangesSince(mark, births));
            edges.Add(bottom);
            if (!again.IsConst || again.Bits != 0)
            {
                _builder.Append(new JumpNode(node, isContinue: true, again.IsConst ? null : again));
            }

            if (!again.IsConst || again.Bits == 0)
            {
                region.Exits.Add(bottom);
            }
        }
        else
        {
            SettleJump();
        }

        edges.AddRange(region.Exits.Where(edge => edge != bottom));
        if (Learn(edges, registers, bottom, knowledge))
        {
            return false;
        }

        foreach (var edge in edges)
        {
            foreach (var (leaf, datum) in registers.Select(pair => (pair.Key, pair.Value)))
            {
                AddMoves(edge, datum, edge.Changes.TryGetValue(leaf, out var value) ? value : datum);
            }
        }

        _builder.CloseBlock();
        _environment.Undo(mark);
        _environment.Resume();
        AppendAt(line, node);

        // Variables without a value before the loop get theirs where it is left.
        foreach (var leaf in registers.Keys)
        {
            foreach (var edge in region.Exits)
            {
                edge.Changes.Remove(leaf);
            }
        }

        if (region.Exits.Count > 0)
        {
            Merge(region.Exits);
        }
        else if (guard is null)
        {
            _environment.Die();
        }

        var after = _environment.ChangesSince(mark, births);
        if (guard is not null)
        {
            _builder.CloseBlock();
            _environment.Undo(mark);
            var skipped = new Block(outer, outer.LoopDepth) { Open = false };
            AppendAt(line, new IfNode(first, guard, skipped));
            Merge([EdgeAtEnd(guard, after), EdgeAtEnd(skipped, [])]);
        }

        foreach (var pair in registers)
        {
            _environment.Set(pair.Key, Reread(pair.Value, _builder.Current));
        }

        return true;
    }

    private HashSet<ISymbol> AssignedIn(ILoopOperation loop)
    {
        if (!_assigned.TryGetValue(loop, out var symbols))
        {
            _assigned[loop] = symbols = AssignedSymbols([loop]);
        }

        return symbols;
    }

    private List<Leaf> CarriedLeaves(ILoopOperation loop, LoopKnowledge knowledge)
    {
        var leaves = new List<Leaf>();
        var seen = new HashSet<Leaf>();
        void Visit(Leaf leaf)
        {
            if (leaf.Pinned is null && leaf.Current is not AmbiguousDatum && (leaf.Current is not null || leaf.Scalar != Scalar.None)
                && !(knowledge.Unchanged.Contains(leaf.Key) && !knowledge.Changed.Contains(leaf.Key)) && seen.Add(leaf))
            {
                leaves.Add(leaf);
            }
        }

        foreach (var symbol in AssignedIn(loop))
        {
            if (_frame.Variables.TryGetValue(symbol, out var place) && place is CellPlace cell)
            {
                cell.Cell.ForEachLeaf(leaf =>
                {
                    Visit(leaf);
                    if (leaf.Current is ViewDatum { Array: { } array })
                    {
                        foreach (var element in array.Elements)
                        {
                            element.ForEachLeaf(Visit);
                        }
                    }
                });
            }
        }

        if (knowledge.Changed.Count > 0)
        {
            foreach (var changed in knowledge.Changed)
            {
                if (_leaves.TryGetValue(changed, out var leaf))
                {
                    Visit(leaf);
                }
            }
        }

        leaves.Sort((a, b) => a.Birth.CompareTo(b.Birth));
        return leaves;
    }

    // Compares what the loop did with what was assumed.
    private static bool Learn(List<Edge> edges, Dictionary<Leaf, Datum> registers, Edge? bottom, LoopKnowledge knowledge)
    {
        var learned = false;
        foreach (var edge in edges)
        {
            foreach (var pair in edge.Changes)
            {
                var leaf = pair.Key;
                if (!registers.ContainsKey(leaf) && (leaf.Current is not null || leaf.Scalar != Scalar.None) && leaf.Pinned is null
                    && edge == bottom && pair.Value is not null)
                {
                    learned |= knowledge.Changed.Add(leaf.Key);
                }
            }
        }

        foreach (var pair in registers)
        {
            var unchanged = edges.All(edge => !edge.Changes.TryGetValue(pair.Key, out var value) || value is null || Same(value, pair.Value));
            if (unchanged && !knowledge.Changed.Contains(pair.Key.Key))
            {
                learned |= knowledge.Unchanged.Add(pair.Key.Key);
            }
        }

        return learned;
    }
}
