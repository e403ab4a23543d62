// Loads and stores: numbers by their width, vectors by one instruction.
using Microsoft.CodeAnalysis;
using Rt.Gpu.Compiler.Ir;

namespace Rt.Gpu.Compiler.FrontEnd;

internal sealed partial class Lowering
{
    private static string AddressText(long offset, int operand) => offset == 0 ? $"[%{operand}]" : $"[%{operand}+{offset}]";

    private Datum Load(MemoryPlace place)
    {
        var scalar = Scalars.Of(place.Type);
        if (scalar != Scalar.None)
        {
            var loadType = scalar == Scalar.Half ? IrType.B16 : scalar == Scalar.Bool ? IrType.I32 : Scalars.Register(scalar);
            var value = LoadWords(place, Scalars.MemoryType(scalar), loadType, 1)[0];
            return new ScalarDatum(
                scalar == Scalar.Half ? _builder.ZExt16(value) : scalar == Scalar.Bool ? _builder.Compare("ne", value, _builder.I32(0), false) : value, scalar);
        }

        var length = VectorLength(place.Type, out var element);
        var part = Scalars.Of(element);
        if (length == 0 || part is Scalar.None or Scalar.Bool)
        {
            throw BadElement(place.Type);
        }

        var size = Scalars.Size(part);
        if (size >= 4)
        {
            var suffix = Scalars.MemoryType(part);
            return new AggregateDatum(place.Type, [.. LoadWords(place, suffix, Scalars.Register(part), length).Select(value => new ScalarDatum(value, part))]);
        }

        var bytes = size * length;
        var words = bytes == 2 ? LoadWords(place, "u16", IrType.I32, 1) : LoadWords(place, "b32", IrType.I32, bytes / 4);
        var parts = new Datum[length];
        for (var i = 0; i < length; i++)
        {
            var at = i * size;
            var word = words[at / 4];
            var bits = _builder.Shr(word, _builder.I32(at % 4 * 8), signed: false);
            parts[i] = new ScalarDatum(_builder.Narrow(bits, size * 8, Scalars.IsSigned(part)), part);
        }

        return new AggregateDatum(place.Type, parts);
    }

    private Value[] LoadWords(MemoryPlace place, string suffix, IrType type, int count)
    {
        var space = place.Space == Space.Shared ? "shared" : place.IsConstant ? "global.nc" : "global";
        var results = count == 1 ? "%0" : "{" + string.Join(", ", Enumerable.Range(0, count).Select(i => $"%{i}")) + "}";
        var text = $"ld.{space}{(count == 1 ? string.Empty : $".v{count}")}.{suffix} {results}, {AddressText(place.Offset, count)}";
        IrType[] types = [.. Enumerable.Repeat(type, count)];
        if (place.IsConstant)
        {
            return _builder.PureLoad(text, types, place.Address);
        }

        return _builder.Effect(new Inst(Op.Text, text, [place.Address], InstFlags.Reads) { Source = Uniformity.Thread }, types).Results;
    }

    private void Store(MemoryPlace place, Datum datum)
    {
        var space = place.Space == Space.Shared ? "shared" : "global";
        if (datum is ScalarDatum scalar)
        {
            var (value, suffix) = (scalar.Value, Scalars.MemoryType(scalar.Type));
            if (scalar.Type is Scalar.Half or Scalar.BFloat16 or Scalar.UInt16 && value.Def is { Op: Op.ZExt16 } extended)
            {
                (value, suffix) = (extended.Operands[0], "b16");
            }
            else if (scalar.Type == Scalar.Half)
            {
                suffix = "u16";
            }
            else if (scalar.Type == Scalar.Bool)
            {
                value = _builder.Select(value, _builder.I32(1), _builder.I32(0));
            }

            _builder.Effect($"st.{space}.{suffix} {AddressText(place.Offset, 0)}, #1", InstFlags.Effect, [], place.Address, value);
            return;
        }

        var length = VectorLength(place.Type, out var element);
        var part = Scalars.Of(element);
        if (length == 0 || part is Scalar.None or Scalar.Bool || datum is not AggregateDatum aggregate)
        {
            throw BadElement(place.Type);
        }

        Value[] values = [.. aggregate.Parts.Select(item => ((ScalarDatum)item).Value)];
        var type = Scalars.MemoryType(part);
        if (Scalars.Size(part) < 4)
        {
            (values, type) = Pack(values, Scalars.Size(part));
        }

        var operands = values.Length == 1 ? "#1" : "{" + string.Join(", ", Enumerable.Range(1, values.Length).Select(i => $"#{i}")) + "}";
        var text = $"st.{space}{(values.Length == 1 ? string.Empty : $".v{values.Length}")}.{type} {AddressText(place.Offset, 0)}, {operands}";
        _builder.Effect(text, InstFlags.Effect, [], [place.Address, .. values]);
    }

    // Small elements side by side in 32-bit words.
    private (Value[] Words, string Suffix) Pack(Value[] values, int size)
    {
        if (size == 1)
        {
            var halves = new Value[values.Length / 2];
            for (var i = 0; i < halves.Length; i++)
            {
                var low = _builder.And(values[2 * i], _builder.I32(0xFF));
                var high = _builder.And(_builder.Shl(values[(2 * i) + 1], _builder.I32(8)), _builder.I32(0xFF00));
                halves[i] = _builder.Or(low, high);
            }

            values = halves;
        }

        if (values.Length == 1)
        {
            return (values, "u16");
        }

        var words = new Value[values.Length / 2];
        for (var i = 0; i < words.Length; i++)
        {
            words[i] = _builder.Pack16(values[2 * i], values[(2 * i) + 1]);
        }

        return (words, "b32");
    }

    private KernelException BadElement(ITypeSymbol type) => new(Diagnostics.NotSupported, CurrentLocation,
        $"'{type.ToDisplayString()}' as an element in memory", "use numbers, BFloat16, Half or Vec2, Vec4, Vec8 of them");
}
