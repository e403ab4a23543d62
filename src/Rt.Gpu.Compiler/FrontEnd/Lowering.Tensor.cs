// Tensor cores, matrix loads, asynchronous copies, and instructions written by hand.
using System.Text;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.Operations;
using Rt.Gpu.Compiler.Ir;

namespace Rt.Gpu.Compiler.FrontEnd;

internal sealed partial class Lowering
{
    private readonly Dictionary<LocalArray, (int Path, object Call)> _arrayKeys = [];

    private Datum? TensorMethod(IInvocationOperation call, IMethodSymbol method, string type)
    {
        switch (type)
        {
            case "Mma" when method.Name == "ToTf32":
                return new ScalarDatum(_builder.Convert(IrType.I32, "cvt.rna.tf32.f32", Arguments(call)[0]), Scalar.UInt32);
            case "Mma":
                Multiply(call, method);
                return null;
            case "LdMatrix":
                LoadMatrices(call, method);
                return null;
            default:
                Copy(call, method);
                return null;
        }
    }

    private void Multiply(IInvocationOperation call, IMethodSymbol method)
    {
        var arguments = call.Arguments.OrderBy(argument => argument.Parameter!.Ordinal).ToArray();
        var places = arguments.Take(4).Select(argument => LowerPlace(argument.Value)).ToArray();
        var operands = arguments.Skip(4).Select(argument => LowerValue(argument.Value)).ToList();
        for (var i = 0; i < 4; i++)
        {
            operands.Add(ValueOf(ReadPlace(places[i], arguments[i].Value), arguments[i].Value));
        }

        string shape;
        if (method.Name == "M16N8K16")
        {
            var element = Substitute(method.TypeArguments[0]);
            var name = Scalars.Of(element) switch
            {
                Scalar.BFloat16 => "bf16",
                Scalar.Half => "f16",
                _ => throw new KernelException(Diagnostics.NotSupported, call.Syntax.GetLocation(), $"Mma.M16N8K16 of '{element.Name}'", "use BFloat16 or Half"),
            };
            shape = $"m16n8k16.row.col.f32.{name}.{name}.f32";
        }
        else
        {
            shape = "m16n8k8.row.col.f32.tf32.tf32.f32";
        }

        var text = $"mma.sync.aligned.{shape} {{%0, %1, %2, %3}}, {{%4, %5, %6, %7}}, {{%8, %9}}, {{%10, %11, %12, %13}}";
        var inst = new Inst(Op.Text, text, [.. operands], InstFlags.Reads | InstFlags.WarpConvergent) { Display = $"Mma.{method.Name}", Source = Uniformity.Thread };
        var results = _builder.Effect(inst, [IrType.F32, IrType.F32, IrType.F32, IrType.F32]).Results;
        for (var i = 0; i < 4; i++)
        {
            WritePlace(places[i], new ScalarDatum(results[i], Scalar.Single), arguments[i].Value);
        }
    }

    private void LoadMatrices(IInvocationOperation call, IMethodSymbol method)
    {
        var arguments = call.Arguments.OrderBy(argument => argument.Parameter!.Ordinal).ToArray();
        var (address, offset) = StartOf(arguments[0].Value, Space.Shared, call);
        var count = method.Name.StartsWith("X4", StringComparison.Ordinal) ? 4 : 2;
        var transposed = method.Name.EndsWith("Transposed", StringComparison.Ordinal) ? ".trans" : string.Empty;
        var registers = string.Join(", ", Enumerable.Range(0, count).Select(i => $"%{i}"));
        var text = $"ldmatrix.sync.aligned.m8n8.x{count}{transposed}.shared.b16 {{{registers}}}, {AddressText(offset, count)}";
        var inst = new Inst(Op.Text, text, [address], InstFlags.Reads | InstFlags.WarpConvergent) { Display = $"LdMatrix.{method.Name}", Source = Uniformity.Thread };
        var results = _builder.Effect(inst, [.. Enumerable.Repeat(IrType.I32, count)]).Results;
        for (var i = 0; i < count; i++)
        {
            WritePlace(LowerPlace(arguments[i + 1].Value), new ScalarDatum(results[i], Scalar.UInt32), arguments[i + 1].Value);
        }
    }

    private void Copy(IInvocationOperation call, IMethodSymbol method)
    {
        var arguments = call.Arguments.OrderBy(argument => argument.Parameter!.Ordinal).ToArray();
        switch (method.Name)
        {
            case "Commit":
                _builder.Effect("cp.async.commit_group", InstFlags.Effect, []);
                return;
            case "Wait":
                var pending = LowerValue(arguments[0].Value);
                if (!pending.IsConst)
                {
                    throw new KernelException(Diagnostics.LengthNotConstant, call.Syntax.GetLocation(), "AsyncCopy.Wait");
                }

                _builder.Effect($"cp.async.wait_group {pending.Int32}", InstFlags.Effect, []);
                return;
        }

        var bytes = method.Name == "Copy16" ? 16 : 4;
        var (destination, to) = StartOf(arguments[0].Value, Space.Shared, call);
        var (source, from) = StartOf(arguments[1].Value, Space.Global, call);
        var valid = LowerValue(arguments[2].Value);
        var cache = bytes == 16 ? "cg" : "ca";
        var text = $"cp.async.{cache}.shared.global {AddressText(to, 0)}, {AddressText(from, 1)}, {bytes}";
        if (valid.IsConst && valid.Bits != 0)
        {
            _builder.Effect(text, InstFlags.Effect, [], destination, source);
            return;
        }

        var size = _builder.Select(valid, _builder.I32(bytes), _builder.I32(0));
        _builder.Effect(text + ", %2", InstFlags.Effect, [], destination, source, size);
    }

    // Address of a view's first element, in the memory the instruction needs.
    private (Value Address, long Offset) StartOf(IOperation operation, Space space, IOperation call)
    {
        var view = ViewOf(operation);
        if (view.Space != space)
        {
            throw new KernelException(Diagnostics.AmbiguousView, call.Syntax.GetLocation(), operation.Syntax.ToString(),
                $"this needs a view of {space.ToString().ToLowerInvariant()} memory");
        }

        return (view.Address!, view.Offset);
    }

    private Datum? EmitMethod(IInvocationOperation call, IMethodSymbol method)
    {
        var arguments = call.Arguments.OrderBy(argument => argument.Parameter!.Ordinal).ToArray();
        var hasResult = method.Name == "EmitTo";
        var operandCount = arguments.Length - 1;
        if (Unwrapped(arguments[0].Value).ConstantValue is not { HasValue: true, Value: string text })
        {
            throw new KernelException(Diagnostics.EmitText, arguments[0].Value.Syntax.GetLocation(), method.Name, "is not constant", (operandCount - 1).ToString());
        }

        var resultType = hasResult ? Scalars.Of(Substitute(method.TypeArguments[0])) : Scalar.None;
        var operands = new List<Value>();
        var registers = new List<Register>();
        var placeholders = new List<string>();
        var first = hasResult ? 1 : 0;
        var lowered = arguments.Skip(1 + first).Select(argument => (argument.Value, Datum: Lower(argument.Value))).ToArray();
        var scalarCount = lowered.Count(item => item.Datum is not ViewDatum { Space: Space.Local });
        if (hasResult)
        {
            placeholders.Add("%0");
        }

        foreach (var (operation, datum) in lowered)
        {
            switch (datum)
            {
                case ViewDatum { Space: Space.Local } view:
                    var names = PinnedRegisters(view).Select(register =>
                    {
                        registers.Add(register);
                        return $"%{first + scalarCount + registers.Count - 1}";
                    });
                    placeholders.Add("{" + string.Join(", ", names) + "}");
                    break;
                case ViewDatum view:
                    placeholders.Add($"%{first + operands.Count}");
                    operands.Add(view.Offset == 0 ? view.Address! : _builder.Add(view.Address!, _builder.Constant(view.Address!.Type, unchecked((ulong)view.Offset))));
                    break;
                default:
                    // A constant is an immediate, as instructions with constant operands need it.
                    placeholders.Add($"#{first + operands.Count}");
                    operands.Add(ValueOf(datum, operation));
                    break;
            }
        }

        var template = Fill(text, placeholders, arguments[0].Value, method.Name);
        var exchanges = template.Contains(".sync") || template.StartsWith("bar", StringComparison.Ordinal) || template.Contains("mma");
        var inst = new Inst(Op.Text, template, [.. operands], InstFlags.Effect | (exchanges ? InstFlags.WarpConvergent : InstFlags.None))
        {
            InPlace = [.. registers],
            Source = Uniformity.Thread,
            Display = $"Ptx.{method.Name}",
        };
        var results = _builder.Effect(inst, hasResult ? [Scalars.Register(resultType)] : []).Results;
        if (hasResult)
        {
            WritePlace(LowerPlace(arguments[1].Value), new ScalarDatum(results[0], resultType), arguments[1].Value);
        }

        return null;
    }

    // Puts the operands' placeholders in; a % before a letter is a register of PTX.
    private static string Fill(string text, List<string> placeholders, IOperation operation, string method)
    {
        var filled = new StringBuilder();
        for (var i = 0; i < text.Length; i++)
        {
            if (text[i] != '%' || i + 1 == text.Length || !char.IsDigit(text[i + 1]))
            {
                filled.Append(text[i]);
                continue;
            }

            var number = 0;
            while (i + 1 < text.Length && char.IsDigit(text[i + 1]))
            {
                number = (number * 10) + (text[++i] - '0');
            }

            if (number >= placeholders.Count)
            {
                throw new KernelException(Diagnostics.EmitText, operation.Syntax.GetLocation(), method, $"names operand %{number}, which is not given",
                    (placeholders.Count - 1).ToString());
            }

            filled.Append(placeholders[number]);
        }

        return filled.ToString().Trim().TrimEnd(';');
    }

    private IEnumerable<Register> PinnedRegisters(ViewDatum view)
    {
        var registers = new List<Register>();
        var pinned = true;
        for (var i = view.Offset; i < view.Array!.Elements.Length; i++)
        {
            view.Array.Elements[i].ForEachLeaf(leaf =>
            {
                pinned &= leaf.Pinned is not null;
                if (leaf.Pinned is { } register)
                {
                    registers.Add(register);
                }
            });
        }

        if (!pinned)
        {
            _pinnedArrays.Add(PinKey(_arrayKeys[view.Array]));
            throw new RestartException();
        }

        return view.Length.IsConst ? registers.Take((int)view.Length.Int64) : registers;
    }
}
