// The index type that list patterns are compiled to; netstandard2.0 lacks it.
namespace System;

/// <summary>A position from the start or the end of a list.</summary>
internal readonly struct Index(int value, bool fromEnd = false)
{
    private readonly int _value = value;
    private readonly bool _fromEnd = fromEnd;

    /// <summary>The position in a list of this length.</summary>
    public int GetOffset(int length) => _fromEnd ? length - _value : _value;
}
