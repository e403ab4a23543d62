// Views: parts of them, other element types, and memory of their own.
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.Operations;
using Rt.Gpu.Compiler.Ir;

namespace Rt.Gpu.Compiler.FrontEnd;

internal sealed partial class Lowering
{
    private ViewDatum ViewOf(IOperation operation) => Lower(operation) is ViewDatum view ? view : throw Ambiguous(operation);

    private Datum ViewMethod(IInvocationOperation call, IMethodSymbol method)
    {
        var view = ViewOf(call.Instance!);
        if (method.Name == "Cast")
        {
            if (view.Space == Space.Local)
            {
                throw new KernelException(Diagnostics.NotSupported, call.Syntax.GetLocation(), "Cast of local memory", "convert the elements one by one");
            }

            var element = Substitute(method.TypeArguments[0]);
            var (from, to) = (SizeOf(view.Element), SizeOf(element));
            var length = from == to ? view.Length
                : from > to && from % to == 0 ? _builder.Mul(view.Length, _builder.I64(from / to))
                : to % from == 0 ? _builder.Div(view.Length, _builder.I64(to / from), signed: false)
                : _builder.Div(_builder.Mul(view.Length, _builder.I64(from)), _builder.I64(to), signed: false);
            return view.With(view.Address, view.Offset, length, element);
        }

        var arguments = Arguments(call);
        var index = arguments[0];
        var count = arguments.Length > 1
            ? arguments[1].Type == IrType.I32 ? _builder.SExt(arguments[1]) : arguments[1]
            : _builder.Sub(view.Length, index.Type == IrType.I32 ? _builder.SExt(index) : index);
        if (view.Space == Space.Local)
        {
            if (!index.IsConst)
            {
                throw new LocalIndexException(call.Syntax.GetLocation());
            }

            return view.With(null, view.Offset + (index.Type == IrType.I32 ? index.Int32 : index.Int64), count);
        }

        var (address, offset) = ElementAddress(view, index, SizeOf(view.Element));
        return view.With(address, offset, count);
    }

    private Datum Allocation(IInvocationOperation call, IMethodSymbol method)
    {
        var element = Substitute(method.TypeArguments[0]);
        if (method.Name == "GetDynamic")
        {
            _usesDynamicShared = true;
            var dynamicAddress = _builder.Pure(Op.SharedAddress, IrType.I32, "mov.u32 %0, dynamic_shared");
            var bytes = _builder.Pure(Op.Special, IrType.I32, "mov.u32 %0, %dynamic_smem_size");
            return new ViewDatum
            {
                Space = Space.Shared,
                Element = element,
                Address = dynamicAddress,
                Length = _builder.Div(_builder.SExt(bytes), _builder.I64(SizeOf(element)), signed: false),
            };
        }

        var extent = Arguments(call)[0];
        if (!extent.IsConst || extent.Int32 < 0)
        {
            throw new KernelException(Diagnostics.LengthNotConstant, call.Syntax.GetLocation(), $"{method.ContainingType.Name}.Allocate");
        }

        var key = (_frame.Path, (object)call);
        var length = _builder.I64(extent.Int32);
        if (method.ContainingType.Name == "LocalMemory")
        {
            return new ViewDatum
            {
                Space = Space.Local,
                Element = element,
                Length = length,
                Array = NewLocalArray(element, extent.Int32, key),
            };
        }

        if (!_sharedViews.TryGetValue(key, out var view))
        {
            var shared = new IrShared($"shared_{_shared.Count}", extent.Int32 * SizeOf(element));
            _shared.Add(shared);
            _sharedViews[key] = view = new ViewDatum
            {
                Space = Space.Shared,
                Element = element,
                Address = _builder.Pure(Op.SharedAddress, IrType.I32, $"mov.u32 %0, {shared.Name}"),
                Length = length,
            };
        }

        return view;
    }

    private LocalArray NewLocalArray(ITypeSymbol element, int length, (int, object) key)
    {
        var cells = new Cell[length];
        var path = PathOf(key.Item1, key.Item2);
        for (var i = 0; i < length; i++)
        {
            cells[i] = NewCell(element, PathOf(path, i));
            if (_pinnedArrays.Contains(PinKey(key)))
            {
                cells[i].ForEachLeaf(leaf => leaf.Pinned = _builder.NewRegister(Scalars.Register(leaf.Scalar), pinned: true));
            }
        }

        var array = new LocalArray(cells);
        _arrayKeys[array] = key;
        return array;
    }

    // Path numbers differ from run to run; the operation and its chain of calls do not.
    private (int, object) PinKey((int Path, object Call) key) => (0, key.Call);
}
