// Barriers, exchanges, votes, fences and atomics.
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.Operations;
using Rt.Gpu.Compiler.Ir;

namespace Rt.Gpu.Compiler.FrontEnd;

internal sealed partial class Lowering
{
    private const InstFlags GroupWide = InstFlags.Effect | InstFlags.GroupConvergent;
    private const InstFlags WarpWide = InstFlags.Effect | InstFlags.WarpConvergent;

    private Datum? ThreadMethod(IInvocationOperation call, IMethodSymbol method, string type)
    {
        var display = $"{type}.{method.Name}";
        switch (display)
        {
            case "Group.Barrier":
                Exchange(display, "bar.sync 0", GroupWide, []);
                return null;
            case "Group.BarrierAnd" or "Group.BarrierOr":
                var and = method.Name == "BarrierAnd" ? "and" : "or";
                return new ScalarDatum(
                    Exchange(display, $"bar.red.{and}.pred %0, 0, %1", GroupWide, [IrType.Pred], Uniformity.Group, Arguments(call))[0], Scalar.Bool);
            case "Group.BarrierPopCount":
                return new ScalarDatum(
                    Exchange(display, "bar.red.popc.u32 %0, 0, %1", GroupWide, [IrType.I32], Uniformity.Group, Arguments(call))[0], Scalar.Int32);
            case "Warp.Barrier":
                Exchange(display, "bar.warp.sync -1", WarpWide, []);
                return null;
            case "Warp.All" or "Warp.Any":
                var vote = method.Name == "All" ? "all" : "any";
                return new ScalarDatum(
                    Exchange(display, $"vote.sync.{vote}.pred %0, %1, -1", WarpWide, [IrType.Pred], Uniformity.Warp, Arguments(call))[0], Scalar.Bool);
            case "Warp.Ballot":
                return new ScalarDatum(
                    Exchange(display, "vote.sync.ballot.b32 %0, %1, -1", WarpWide, [IrType.I32], Uniformity.Warp, Arguments(call))[0], Scalar.UInt32);
            case "MemoryFence.GroupLevel":
                _builder.Effect("membar.cta", InstFlags.Effect, []);
                return null;
            case "MemoryFence.DeviceLevel":
                _builder.Effect("membar.gl", InstFlags.Effect, []);
                return null;
            default:
                return Shuffle(call, method, display);
        }
    }

    private Value[] Exchange(string display, string text, InstFlags flags, IrType[] types, Uniformity? uniformity = null, params Value[] operands) =>
        _builder.Effect(
            new Inst(Op.Text, text, operands, flags) { Display = display, Fixed = uniformity, Source = uniformity ?? Uniformity.Thread }, types).Results;

    private Datum Shuffle(IInvocationOperation call, IMethodSymbol method, string display)
    {
        var type = Scalars.Of(Substitute(method.TypeArguments[0]));
        if (type is Scalar.None)
        {
            throw new KernelException(Diagnostics.NotSupported, call.Syntax.GetLocation(), $"{display} of '{method.TypeArguments[0]}'", "exchange numbers one by one");
        }

        var arguments = Arguments(call);
        var (value, lane) = (arguments[0], arguments[1]);
        var mode = method.Name switch { "ShuffleDown" => "down", "ShuffleUp" => "up", "ShuffleXor" => "bfly", _ => "idx" };
        var isUniform = method.Name == "Broadcast";
        if (value.Type == IrType.Pred)
        {
            var word = ShuffleWord(_builder.Select(value, _builder.I32(1), _builder.I32(0)));
            return new ScalarDatum(_builder.Compare("ne", word, _builder.I32(0), false), type);
        }

        if (value.Type is IrType.I64 or IrType.F64)
        {
            var halves = _builder.PureInst(
                Op.Text, "mov.b64 {%0, %1}, %2", [IrType.I32, IrType.I32], InstFlags.Pure, Uniformity.Group, value);
            var joined = _builder.Pure(Op.Text, value.Type, "mov.b64 %0, {%1, %2}", ShuffleWord(halves[0]), ShuffleWord(halves[1]));
            return new ScalarDatum(joined, type);
        }

        return new ScalarDatum(ShuffleWord(value), type);

        Value ShuffleWord(Value word)
        {
            var inst = new Inst(Op.Text, $"shfl.sync.{mode}.b32 %0, %1, #2, {(mode == "up" ? 0 : 31)}, -1", [word, lane], WarpWide)
            {
                Display = display,
                Source = isUniform ? Uniformity.Group : mode == "idx" ? Uniformity.Group : Uniformity.Thread,
                Fixed = isUniform ? Uniformity.Warp : null,
                UniformOperand = mode == "idx" && !isUniform ? 1 : -1,
            };
            return _builder.Effect(inst, [word.Type]).Results[0];
        }
    }

    private Datum AtomicMethod(IInvocationOperation call, IMethodSymbol method)
    {
        var target = call.Arguments.First(argument => argument.Parameter!.Ordinal == 0);
        if (LowerPlace(target.Value) is not MemoryPlace place)
        {
            throw new KernelException(Diagnostics.NotSupported, call.Syntax.GetLocation(), $"Atomic.{method.Name} on a variable", "use an element of shared or global memory");
        }

        if (place.ReadOnlyName is { } name)
        {
            throw new KernelException(Diagnostics.ReadOnlyWrite, call.Syntax.GetLocation(), name);
        }

        var operands = new List<Value> { place.Address };
        operands.AddRange(call.Arguments.Where(argument => argument.Parameter!.Ordinal > 0)
            .OrderBy(argument => argument.Parameter!.Ordinal).Select(argument => LowerValue(argument.Value)));
        var type = Scalars.Of(method.ReturnType);
        var suffix = method.Name switch
        {
            "Or" or "And" => "b32",
            "Exchange" or "CompareExchange" => "b32",
            _ => type == Scalar.UInt32 ? "u32" : "s32",
        };
        var operation = method.Name switch { "CompareExchange" => "cas", "Exchange" => "exch", _ => method.Name.ToLowerInvariant() };
        var space = place.Space == Space.Shared ? "shared" : "global";
        var rest = string.Join(", ", Enumerable.Range(2, operands.Count - 1).Select(i => $"#{i}"));
        var inst = new Inst(Op.Text, $"atom.{space}.{operation}.{suffix} %0, {AddressText(place.Offset, 1)}, {rest}", [.. operands], InstFlags.Effect)
        {
            Source = Uniformity.Thread,
        };
        return new ScalarDatum(_builder.Effect(inst, [IrType.I32]).Results[0], type);
    }
}
