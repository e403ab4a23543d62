// The front end: a kernel's operation tree, with everything it calls, to the kernel form.
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;
using Microsoft.CodeAnalysis.Operations;
using Rt.Gpu.Compiler.Ir;

namespace Rt.Gpu.Compiler.FrontEnd;

/// <summary>Lowers one kernel for one list of type arguments: evaluates what is constant, inlines calls, splits structs.</summary>
internal sealed partial class Lowering
{
    private const int InstructionLimit = 60_000;
    private const int StaticSharedLimit = 48 * 1024;

    private readonly MethodBodies _bodies;
    private readonly KernelAttributes _attributes;
    private readonly SourcePaths _paths;
    private readonly Dictionary<(int, object), int> _pathNumbers = [];
    private readonly HashSet<(int, object)> _pinnedArrays;
    private readonly Dictionary<int, Leaf> _leaves = [];
    private readonly List<Region> _regions = [];
    private readonly List<string> _files = [];
    private readonly List<string> _sourcePaths = [];
    private readonly Dictionary<IOperation, SourceLine> _lines = [];
    private readonly List<KernelException> _errors = [];
    private readonly List<IrShared> _shared = [];
    private readonly Dictionary<(int, object), ViewDatum> _sharedViews = [];
    private readonly IrBuilder _builder = new();
    private readonly Environment _environment = new();
    private readonly System.Threading.CancellationToken _cancellation;
    private Frame _frame;
    private IOperation? _position;
    private bool _usesDynamicShared;

    private Lowering(
        MethodBodies bodies, KernelAttributes attributes, SourcePaths paths, HashSet<(int, object)> pinnedArrays, System.Threading.CancellationToken cancellation)
    {
        _bodies = bodies;
        _attributes = attributes;
        _paths = paths;
        _pinnedArrays = pinnedArrays;
        _cancellation = cancellation;
        _frame = new Frame(null, 0, attributes.Method);
    }

    /// <summary>The kernel form, or null and what is wrong.</summary>
    public static KernelIr? Run(
        MethodBodies bodies, KernelAttributes attributes, ITypeSymbol[] typeArguments, string entryName, SourcePaths paths,
        List<KernelException> errors, System.Threading.CancellationToken cancellation)
    {
        var pinned = new HashSet<(int, object)>();
        while (true)
        {
            cancellation.ThrowIfCancellationRequested();
            var lowering = new Lowering(bodies, attributes, paths, pinned, cancellation);
            try
            {
                return lowering.Kernel(typeArguments, entryName, errors);
            }
            catch (RestartException)
            {
                // A local array turned out to be one that hand-written instructions update in place.
            }
        }
    }

    private KernelIr? Kernel(ITypeSymbol[] typeArguments, string entryName, List<KernelException> errors)
    {
        var method = _attributes.Method;
        for (var i = 0; i < typeArguments.Length; i++)
        {
            _frame.TypeArguments[method.TypeParameters[i]] = typeArguments[i];
        }

        var parameters = method.Parameters.Select(AddParameter).ToArray();
        try
        {
            _frame.ReturnRegion = new Region(_builder.Scope, _environment.Mark, _environment.Births);
            LowerBodyOf(method);
        }
        catch (LocalIndexException exception)
        {
            _errors.Add(new KernelException(Diagnostics.LocalIndex, exception.Location));
        }
        catch (KernelException exception)
        {
            _errors.Add(exception);
        }
        catch (AlreadyReportedException)
        {
            return Failed(errors);
        }

        var sharedBytes = _shared.Sum(shared => shared.Bytes);
        if (sharedBytes > StaticSharedLimit)
        {
            _errors.Add(new KernelException(Diagnostics.TooMuchShared, method.Locations[0], method.Name, sharedBytes.ToString()));
        }

        if (_errors.Count > 0)
        {
            return Failed(errors);
        }

        return new KernelIr(
            entryName, _attributes.Target, _attributes.GroupSize, _attributes.MinGroups, _files, _sourcePaths, parameters, _shared, _usesDynamicShared, _builder.Scope);
    }

    private KernelIr? Failed(List<KernelException> errors)
    {
        errors.AddRange(_errors);
        return null;
    }

    private IrParameter AddParameter(IParameterSymbol parameter)
    {
        var type = Substitute(parameter.Type);
        var name = parameter.Name + "_" + parameter.Ordinal;
        var key = PathOf(0, parameter);
        Cell cell;
        string declaration;
        if (IsView(type, out var element))
        {
            var leaf = NewLeaf(Scalar.None, key);
            var address = _builder.Pure(Op.Param, IrType.I64, $"ld.param.u64 %0, [{name}]");
            var length = _builder.Pure(Op.Param, IrType.I64, $"ld.param.u64 %0, [{name}+8]");
            leaf.Current = new ViewDatum
            {
                Space = Space.Global,
                Element = element,
                Address = address,
                Length = length,
                ReadOnlyName = _attributes.ReadOnlyViews.Contains(parameter.Ordinal) ? parameter.Name : null,
                IsConstant = _attributes.ReadOnlyViews.Contains(parameter.Ordinal),
            };
            cell = leaf;
            declaration = $".param .align 8 .b8 {name}[16]";
        }
        else
        {
            var scalar = Scalars.Of(type);
            var leaf = NewLeaf(scalar, key);
            var (size, load) = scalar switch
            {
                Scalar.Bool => (".u8", "ld.param.u8"),
                Scalar.Int64 or Scalar.UInt64 => (".b64", "ld.param.u64"),
                Scalar.Single => (".f32", "ld.param.f32"),
                Scalar.Double => (".f64", "ld.param.f64"),
                _ => (".b32", "ld.param.u32"),
            };
            var loaded = _builder.Pure(Op.Param, scalar == Scalar.Bool ? IrType.I32 : Scalars.Register(scalar), $"{load} %0, [{name}]");
            leaf.Current = new ScalarDatum(scalar == Scalar.Bool ? _builder.Compare("ne", loaded, _builder.I32(0), false) : loaded, scalar);
            cell = leaf;
            declaration = $".param {size} {name}";
        }

        _frame.Variables[parameter] = new CellPlace(cell);
        return new IrParameter(name, declaration);
    }

    private Leaf NewLeaf(Scalar scalar, int key)
    {
        var leaf = _environment.NewLeaf(scalar, key);
        _leaves[key] = leaf;
        return leaf;
    }

    private int PathOf(int path, object step)
    {
        if (!_pathNumbers.TryGetValue((path, step), out var number))
        {
            _pathNumbers[(path, step)] = number = _pathNumbers.Count + 1;
        }

        return number;
    }

    private Cell NewCell(ITypeSymbol type, int key)
    {
        if (IsView(type, out _))
        {
            return NewLeaf(Scalar.None, key);
        }

        var scalar = Scalars.Of(type);
        if (scalar != Scalar.None)
        {
            return NewLeaf(scalar, key);
        }

        var parts = PartTypes(type);
        return new AggregateCell(type, [.. parts.Select((part, index) => NewCell(part, PathOf(key, index)))]);
    }

    private Location CurrentLocation => _position?.Syntax.GetLocation() ?? _attributes.Method.Locations[0];

    private void SetLocation(IOperation operation)
    {
        _position = operation;
        if (!_lines.TryGetValue(operation, out var line))
        {
            _lines[operation] = line = LineOf(operation);
        }

        _builder.Line = line;
        if (_builder.InstructionCount > InstructionLimit)
        {
            throw new KernelException(Diagnostics.Budget, _attributes.Method.Locations[0], _attributes.Method.Name, InstructionLimit.ToString());
        }

        _cancellation.ThrowIfCancellationRequested();
    }

    private SourceLine LineOf(IOperation operation)
    {
        var span = operation.Syntax.SyntaxTree.GetLineSpan(operation.Syntax.Span);
        var file = _sourcePaths.IndexOf(span.Path);
        if (file < 0)
        {
            file = _files.Count;
            _files.Add(_paths.Relative(span.Path));
            _sourcePaths.Add(span.Path);
        }

        return new SourceLine(file, span.StartLinePosition.Line + 1, span.StartLinePosition.Character + 1);
    }

    private static readonly Block Abandoned = new(null, 0) { Open = false };

    /// <summary>A point to which lowering can go back.</summary>
    private sealed class Checkpoint(Lowering lowering)
    {
        private readonly int _mark = lowering._environment.Mark;
        private readonly Flow _flow = lowering._environment.Flow;
        private readonly Region? _target = lowering._environment.Target;
        private readonly Block _block = lowering._builder.Current;
        private readonly int _items = lowering._builder.Current.Items.Count;
        private readonly Frame _frame = lowering._frame;
        private readonly int _loops = lowering._frame.Loops.Count;
        private readonly SourceLine _line = lowering._builder.Line;
        private readonly int _errors = lowering._errors.Count;
        private readonly int[] _exits = [.. lowering._regions.Select(region => region.Exits.Count)];

        public void Restore(Lowering target)
        {
            target._environment.Undo(_mark);
            target._environment.Flow = _flow;
            target._environment.Target = _target;
            target._builder.AbandonTo(_block);
            for (var i = _block.Items.Count - 1; i >= _items; i--)
            {
                if (_block.Items[i] is not Inst { IsPure: true })
                {
                    _block.Items[i].Block = Abandoned;
                    _block.Items.RemoveAt(i);
                }
            }

            target._regions.RemoveRange(_exits.Length, target._regions.Count - _exits.Length);
            for (var i = 0; i < _exits.Length; i++)
            {
                var exits = target._regions[i].Exits;
                exits.RemoveRange(_exits[i], exits.Count - _exits[i]);
            }

            target._frame = _frame;
            while (_frame.Loops.Count > _loops)
            {
                _frame.Loops.Pop();
            }

            target._builder.Line = _line;
            target._errors.RemoveRange(_errors, target._errors.Count - _errors);
        }
    }
}
