// Ifs, scopes and jumps: what paths did to variables is merged where they meet.
using Rt.Gpu.Compiler.Ir;

namespace Rt.Gpu.Compiler.FrontEnd;

internal sealed partial class Lowering
{
    private const int LongestSelect = 8;

    // Runs one branch under a condition that may be known.
    private void LowerIf(Value condition, Action then, Action? otherwise)
    {
        if (condition.IsConst)
        {
            if (condition.Bits != 0)
            {
                then();
            }
            else
            {
                otherwise?.Invoke();
            }

            return;
        }

        var line = _builder.Line;
        var mark = _environment.Mark;
        var births = _environment.Births;

        var thenBlock = _builder.OpenBlock();
        then();
        SettleJump();
        var thenChanges = _environment.ChangesSince(mark, births);
        var thenLive = _environment.IsLive;
        _builder.CloseBlock();
        _environment.Undo(mark);
        _environment.Resume();

        if (!thenLive)
        {
            // What follows the branch is the other branch.
            var empty = new Block(_builder.Current, _builder.Current.LoopDepth) { Open = false };
            AppendAt(line, new IfNode(condition, thenBlock, empty));
            otherwise?.Invoke();
            return;
        }

        var elseBlock = _builder.OpenBlock();
        otherwise?.Invoke();
        SettleJump();
        var elseChanges = _environment.ChangesSince(mark, births);
        var elseLive = _environment.IsLive;
        _builder.CloseBlock();
        _environment.Undo(mark);
        _environment.Resume();

        if (elseLive && IsSmallAndPure(thenBlock, elseBlock, thenChanges, elseChanges))
        {
            MergeBySelect(condition, thenBlock, elseBlock, thenChanges, elseChanges);
            return;
        }

        AppendAt(line, new IfNode(condition, thenBlock, elseBlock));
        List<Edge> edges = [EdgeAtEnd(thenBlock, thenChanges)];
        if (elseLive)
        {
            edges.Add(EdgeAtEnd(elseBlock, elseChanges));
        }

        Merge(edges);
    }

    // A statement or expression that inner jumps may leave; then control goes on behind it.
    private void LowerScope(Action<Region> body)
    {
        var mark = _environment.Mark;
        var births = _environment.Births;
        var block = _builder.OpenBlock();
        var region = new Region(new ScopeNode(block), mark, births);
        _regions.Add(region);
        body(region);
        _regions.Remove(region);

        var fallsThrough = _environment.IsLive || (_environment.Flow == Flow.Jumping && _environment.Target == region);
        if (!fallsThrough)
        {
            SettleJump();
        }

        if (region.Exits.Count == 0)
        {
            // Nothing leaves early: the block is part of what surrounds it.
            _builder.CloseBlock();
            Splice(block);
            if (fallsThrough)
            {
                _environment.Resume();
            }

            return;
        }

        var changes = _environment.ChangesSince(mark, births);
        _builder.CloseBlock();
        _environment.Undo(mark);
        _environment.Resume();
        if (fallsThrough && TryMergeExitsBySelect(block, region, changes))
        {
            return;
        }

        _builder.Append(region.Node);
        var edges = new List<Edge>(region.Exits);
        if (fallsThrough)
        {
            edges.Add(EdgeAtEnd(block, changes));
        }

        Merge(edges);
    }

    // Writes the jump that control is about to make at the end of the current block.
    private void SettleJump()
    {
        if (_environment.Flow != Flow.Jumping)
        {
            return;
        }

        var region = _environment.Target!;
        var assign = new AssignNode([]);
        _builder.Append(assign);
        _builder.Append(new JumpNode(region.Node, isContinue: false, null));
        region.Exits.Add(new Edge(assign, _environment.ChangesSince(region.LogMark, region.BirthMark)));
        _environment.Die();
    }

    private Edge EdgeAtEnd(Block block, Dictionary<Leaf, Datum?> changes)
    {
        var assign = new AssignNode([]) { Block = block, Line = _builder.Line };
        block.Items.Add(assign);
        return new Edge(assign, changes);
    }

    // Gives every leaf that some edge changed one value in the current block.
    private void Merge(List<Edge> edges)
    {
        foreach (var leaf in ChangedLeaves(edges))
        {
            var data = edges.Select(edge => edge.Changes.TryGetValue(leaf, out var datum) ? datum : leaf.Current).ToArray();
            var known = data.Where(datum => datum is not null).ToArray();
            if (known.Length > 0)
            {
                _environment.Set(leaf, MergeData(edges, data, known));
            }
        }
    }

    private static IEnumerable<Leaf> ChangedLeaves(List<Edge> edges) =>
        edges.SelectMany(edge => edge.Changes.Keys).Distinct().OrderBy(leaf => leaf.Birth);

    private Datum? MergeData(List<Edge> edges, Datum?[] data, Datum?[] known)
    {
        if (known.All(datum => Same(datum!, known[0]!)) && IsAvailable(known[0]!))
        {
            return known[0];
        }

        switch (known[0])
        {
            case ScalarDatum scalar when known.All(datum => datum is ScalarDatum):
                var merged = MergeValues(edges, [.. data.Select(datum => (datum as ScalarDatum)?.Value)]);
                return new ScalarDatum(merged, scalar.Type);
            case ViewDatum view when known.All(datum => datum is ViewDatum other && other.SameMemory(view)):
                view = known.Aggregate(view, (all, datum) => all.Or((ViewDatum)datum!));
                var length = MergeValues(edges, [.. data.Select(datum => (datum as ViewDatum)?.Length)]);
                if (view.Space == Space.Local)
                {
                    return view.With(null, view.Offset, length);
                }

                var sameOffset = known.All(datum => ((ViewDatum)datum!).Offset == view.Offset);
                var addresses = new Value?[edges.Count];
                for (var i = 0; i < edges.Count; i++)
                {
                    if (data[i] is ViewDatum other)
                    {
                        addresses[i] = sameOffset ? other.Address : AddressIn(edges[i].Assign, other);
                    }
                }

                return view.With(MergeValues(edges, addresses), sameOffset ? view.Offset : 0, length);
            default:
                return new AmbiguousDatum();
        }
    }

    // The whole address, computed in front of an assignment.
    private Value AddressIn(AssignNode assign, ViewDatum view)
    {
        if (view.Offset == 0)
        {
            return view.Address!;
        }

        var type = view.Address!.Type;
        var inst = new Inst(Op.Add, Templates.Of(Op.Add, type), [view.Address, _builder.Constant(type, unchecked((ulong)view.Offset))], InstFlags.Pure)
        {
            Block = assign.Block,
            Line = assign.Line,
        };
        inst.Results = [_builder.NewResult(inst, type)];
        var items = assign.Block!.Items;
        items.Insert(items.IndexOf(assign), inst);
        return inst.Results[0];
    }

    private Value MergeValues(List<Edge> edges, Value?[] values)
    {
        var first = values.First(value => value is not null)!;
        if (values.All(value => value is null || value == first) && IsAvailable(first))
        {
            return first;
        }

        var register = _builder.NewRegister(first.Type);
        for (var i = 0; i < values.Length; i++)
        {
            if (values[i] is { } value)
            {
                edges[i].Assign.Moves.Add((register, value));
            }
        }

        return _builder.ReadRegister(register, _builder.Current);
    }

    private static bool Same(Datum a, Datum b) => (a, b) switch
    {
        (ScalarDatum left, ScalarDatum right) => left.Value == right.Value,
        (ViewDatum left, ViewDatum right) => left.SameMemory(right) && left.Address == right.Address && left.Offset == right.Offset
            && left.Length == right.Length,
        _ => false,
    };

    private bool IsAvailable(Datum datum) => datum switch
    {
        ScalarDatum scalar => IsAvailable(scalar.Value),
        ViewDatum view => (view.Address is null || IsAvailable(view.Address)) && IsAvailable(view.Length),
        _ => false,
    };

    private bool IsAvailable(Value value) => value.Block is null || _builder.Current.IsWithin(value.Block);

    private static bool IsSmallAndPure(
        Block then, Block otherwise, Dictionary<Leaf, Datum?> thenChanges, Dictionary<Leaf, Datum?> elseChanges)
    {
        var cost = then.Items.Count + otherwise.Items.Count;
        foreach (var leaf in thenChanges.Keys.Concat(elseChanges.Keys).Distinct())
        {
            var a = thenChanges.TryGetValue(leaf, out var thenDatum) ? thenDatum : leaf.Current;
            var b = elseChanges.TryGetValue(leaf, out var elseDatum) ? elseDatum : leaf.Current;
            if (a is not null && b is not null && !Same(a, b))
            {
                if (!CanSelect(a, b))
                {
                    return false;
                }

                cost += a is ViewDatum ? 2 : 1;
            }
        }

        return cost <= LongestSelect && IsPure(then.Items) && IsPure(otherwise.Items);
    }

    private static bool IsPure(IEnumerable<Node> nodes) => nodes.All(node => node is Inst { IsPure: true, MayFault: false } or AssignNode { Moves.Count: 0 });

    private void MergeBySelect(
        Value condition, Block then, Block otherwise, Dictionary<Leaf, Datum?> thenChanges, Dictionary<Leaf, Datum?> elseChanges)
    {
        Splice(then);
        Splice(otherwise);
        foreach (var leaf in thenChanges.Keys.Concat(elseChanges.Keys).Distinct().OrderBy(leaf => leaf.Birth).ToArray())
        {
            var a = thenChanges.TryGetValue(leaf, out var thenDatum) ? thenDatum : leaf.Current;
            var b = elseChanges.TryGetValue(leaf, out var elseDatum) ? elseDatum : leaf.Current;
            _environment.Set(leaf, SelectDatum(condition, a, b));
        }
    }

    private static bool CanSelect(Datum a, Datum b) => (a, b) switch
    {
        (ScalarDatum, ScalarDatum) => true,
        (ViewDatum left, ViewDatum right) => left.SameMemory(right),
        _ => false,
    };

    private Datum? SelectDatum(Value condition, Datum? a, Datum? b)
    {
        if (a is null || b is null || Same(a, b))
        {
            return a ?? b;
        }

        if (a is ScalarDatum scalar)
        {
            return new ScalarDatum(_builder.Select(condition, scalar.Value, ((ScalarDatum)b).Value), scalar.Type);
        }

        var (left, right) = ((ViewDatum)a, (ViewDatum)b);
        var length = _builder.Select(condition, left.Length, right.Length);
        if (left.Address is null)
        {
            return left.With(null, left.Offset, length);
        }

        var sameOffset = left.Offset == right.Offset;
        var address = _builder.Select(condition, sameOffset ? left.Address : WholeAddress(left), sameOffset ? right.Address! : WholeAddress(right));
        return left.Or(right).With(address, sameOffset ? left.Offset : 0, length);
    }

    private Value WholeAddress(ViewDatum view) => _builder.Add(view.Address!, _builder.Constant(view.Address!.Type, unchecked((ulong)view.Offset)));

    // Early returns of small functions: if every exit is a pure branch of the scope's own block, all become selects.
    private bool TryMergeExitsBySelect(Block block, Region region, Dictionary<Leaf, Datum?> changes)
    {
        var branches = new List<(IfNode Branch, Edge Edge)>();
        var cost = 0;
        foreach (var node in block.Items)
        {
            if (node is IfNode { Else.Items.Count: 0 } branch && branch.Then.Items is [.., AssignNode assign, JumpNode { Condition: null } jump]
                && jump.Target == region.Node && region.Exits.Find(edge => edge.Assign == assign) is { } edge
                && IsPure(branch.Then.Items.Take(branch.Then.Items.Count - 1)))
            {
                branches.Add((branch, edge));
                cost += branch.Then.Items.Count - 2;
            }
            else if (branches.Count > 0)
            {
                if (node is not Inst { IsPure: true, MayFault: false })
                {
                    return false;
                }

                cost++;
            }
        }

        if (branches.Count != region.Exits.Count)
        {
            return false;
        }

        var leaves = region.Exits.SelectMany(edge => edge.Changes.Keys).Concat(changes.Keys).Distinct().OrderBy(leaf => leaf.Birth).ToArray();
        var merged = new List<(Leaf Leaf, Datum?[] Exits, Datum? Last)>();
        foreach (var leaf in leaves)
        {
            var last = changes.TryGetValue(leaf, out var datum) ? datum : leaf.Current;
            var exits = branches.Select(item => item.Edge.Changes.TryGetValue(leaf, out var exit) ? exit : leaf.Current).ToArray();
            if (exits.Append(last).Any(value => value is not null and not ScalarDatum))
            {
                return false;
            }

            cost += exits.Count(exit => exit is not null && last is not null && !Same(exit, last));
            merged.Add((leaf, exits, last));
        }

        if (cost > LongestSelect)
        {
            return false;
        }

        var items = block.Items.ToArray();
        block.Items.Clear();
        block.SplicedInto = _builder.Current;
        foreach (var node in items)
        {
            if (branches.Find(item => item.Branch == node).Branch is { } branch)
            {
                foreach (var inst in branch.Then.Items.OfType<Inst>())
                {
                    Adopt(inst, _builder.Current);
                }
            }
            else
            {
                Adopt(node, _builder.Current);
            }
        }

        foreach (var (leaf, exits, last) in merged)
        {
            var result = last;
            for (var i = exits.Length - 1; i >= 0; i--)
            {
                result = SelectDatum(branches[i].Branch.Condition, exits[i], result);
            }

            _environment.Set(leaf, result);
        }

        return true;
    }

    // Puts the nodes of a closed block at the end of the current one.
    private void Splice(Block block)
    {
        foreach (var node in block.Items)
        {
            Adopt(node, _builder.Current);
        }

        block.Items.Clear();
        block.SplicedInto = _builder.Current;
    }

    private static void Adopt(Node node, Block block)
    {
        node.Block = block;
        switch (node)
        {
            case IfNode branch:
                branch.Then.Parent = block;
                branch.Else.Parent = block;
                break;
            case RegionNode region:
                region.Body.Parent = block;
                break;
        }

        block.Items.Add(node);
    }

    private void AppendAt(SourceLine line, Node node)
    {
        var now = _builder.Line;
        _builder.Line = line;
        _builder.Append(node);
        _builder.Line = now;
    }
}
