// What an expression has as its value at build time, and where variables keep theirs.
using Microsoft.CodeAnalysis;
using Rt.Gpu.Compiler.Ir;

namespace Rt.Gpu.Compiler.FrontEnd;

/// <summary>A value of the source language: a number, a view, or a struct of them.</summary>
internal abstract class Datum;

internal sealed class ScalarDatum(Value value, Scalar type) : Datum
{
    public Value Value { get; } = value;

    public Scalar Type { get; } = type;
}

/// <summary>A struct, tuple or vector, part by part.</summary>
internal sealed class AggregateDatum(ITypeSymbol type, Datum[] parts) : Datum
{
    public ITypeSymbol Type { get; } = type;

    public Datum[] Parts { get; } = parts;
}

/// <summary>The string given to <c>Ptx.Emit</c>.</summary>
internal sealed class TextDatum(string text) : Datum
{
    public string Text { get; } = text;
}

/// <summary>A view that several paths left in different memories; an error once it is used.</summary>
internal sealed class AmbiguousDatum : Datum;

internal enum Space : byte
{
    Global,
    Shared,
    Local,
}

/// <summary>A view: its memory is known, its address may not be.</summary>
internal sealed class ViewDatum : Datum
{
    public required Space Space { get; init; }

    public required ITypeSymbol Element { get; init; }

    /// <summary>Address without <see cref="Offset"/>: I64 in global memory, I32 in shared memory, null in local memory.</summary>
    public Value? Address { get; init; }

    /// <summary>Bytes beyond the address; elements in local memory.</summary>
    public long Offset { get; init; }

    /// <summary>Elements, I64.</summary>
    public required Value Length { get; init; }

    /// <summary>The parameter's name if it is declared read-only: nothing may be written.</summary>
    public string? ReadOnlyName { get; init; }

    /// <summary>Loads go through the read-only path.</summary>
    public bool IsConstant { get; init; }

    /// <summary>The cells of local memory.</summary>
    public LocalArray? Array { get; init; }

    public ViewDatum With(Value? address, long offset, Value length, ITypeSymbol? element = null) => new()
    {
        Space = Space,
        Element = element ?? Element,
        Address = address,
        Offset = offset,
        Length = length,
        ReadOnlyName = ReadOnlyName,
        IsConstant = IsConstant,
        Array = Array,
    };

    /// <summary>This view where another one of the same memory may take its place.</summary>
    public ViewDatum Or(ViewDatum other) => new()
    {
        Space = Space,
        Element = Element,
        Address = Address,
        Offset = Offset,
        Length = Length,
        ReadOnlyName = ReadOnlyName ?? other.ReadOnlyName,
        IsConstant = IsConstant && other.IsConstant,
        Array = Array,
    };

    /// <summary>Whether the two differ in address and length at most.</summary>
    public bool SameMemory(ViewDatum other) => Space == other.Space && Array == other.Array
        && SymbolEqualityComparer.Default.Equals(Element, other.Element) && (Space != Space.Local || Offset == other.Offset);
}

/// <summary>Local memory: one cell per element.</summary>
internal sealed class LocalArray(Cell[] elements)
{
    public Cell[] Elements { get; } = elements;
}

/// <summary>Where a variable keeps its value.</summary>
internal abstract class Cell
{
    /// <summary>Calls <paramref name="visit"/> on every leaf.</summary>
    public abstract void ForEachLeaf(Action<Leaf> visit);
}

/// <summary>One number or one view.</summary>
/// <param name="scalar">None for a view.</param>
/// <param name="key">The same for the same variable when a loop is lowered again.</param>
/// <param name="birth">Order of creation.</param>
internal sealed class Leaf(Scalar scalar, int key, int birth) : Cell
{
    public Scalar Scalar { get; } = scalar;

    public int Key { get; } = key;

    public int Birth { get; } = birth;

    /// <summary>Null until assigned.</summary>
    public Datum? Current { get; set; }

    /// <summary>Set for elements that hand-written instructions update in place.</summary>
    public Register? Pinned { get; set; }

    public override void ForEachLeaf(Action<Leaf> visit) => visit(this);
}

internal sealed class AggregateCell(ITypeSymbol type, Cell[] parts) : Cell
{
    public ITypeSymbol Type { get; } = type;

    public Cell[] Parts { get; } = parts;

    public override void ForEachLeaf(Action<Leaf> visit)
    {
        foreach (var part in Parts)
        {
            part.ForEachLeaf(visit);
        }
    }
}

/// <summary>Something that can be read and assigned.</summary>
internal abstract class Place;

internal sealed class CellPlace(Cell cell) : Place
{
    public Cell Cell { get; } = cell;
}

/// <summary>An element in global or shared memory.</summary>
internal sealed class MemoryPlace(Space space, Value address, long offset, ITypeSymbol type, string? readOnlyName, bool isConstant) : Place
{
    public Space Space { get; } = space;

    public Value Address { get; } = address;

    public long Offset { get; } = offset;

    public ITypeSymbol Type { get; } = type;

    public string? ReadOnlyName { get; } = readOnlyName;

    /// <summary>Loads go through the read-only path.</summary>
    public bool IsConstant { get; } = isConstant;
}

/// <summary>A value without a place of its own; it can be read only.</summary>
internal sealed class ValuePlace(Datum datum) : Place
{
    public Datum Datum { get; } = datum;
}

/// <summary>The rest of an assignment: <c>_ = x</c>.</summary>
internal sealed class DiscardPlace : Place;
