// A pickle reader that builds plain values and executes nothing: the opcodes and globals of a torch state dict, no others.
// Opcodes: CPython, Lib/pickletools.py. Globals: torch/_utils.py and torch/serialization.py.
using System.Buffers.Binary;
using System.Text;
using Rt.Core;

namespace Rt.Formats;

/// <summary>A name that a pickle refers to, such as collections.OrderedDict.</summary>
internal sealed record PickleGlobal(string Module, string Name)
{
    public override string ToString() => $"{Module}.{Name}";
}

/// <summary>A dict or OrderedDict, in insertion order.</summary>
internal sealed class PickleDict
{
    private List<KeyValuePair<object?, object?>>? _items;

    public IReadOnlyList<KeyValuePair<object?, object?>> Items => _items ?? [];

    public void Add(object? key, object? value) => (_items ??= []).Add(new(key, value));
}

/// <summary>A list; its items are of no use to a state dict and are not kept.</summary>
internal sealed class PickleList;

/// <summary>Runs the stack machine of one pickle.</summary>
/// <remarks>Tuples are object?[], integers long. Every opcode costs at most a bounded number of bytes: the values made, the stack and
/// the memo are counted, so memory is bounded whatever the pickle says. Nothing here recurses.</remarks>
internal ref struct Pickle
{
    /// <summary>Longest pickle accepted, in bytes.</summary>
    public const int MaxLength = 32 << 20;

    private const int MaxValues = 2_000_000;
    private const int MaxStack = 1_000_000;
    private static readonly object Mark = new();

    private readonly string _file;
    private readonly ReadOnlySpan<byte> _bytes;
    private readonly Func<PickleGlobal, object?[], object?> _call;
    private readonly Func<object?, object?> _persistent;
    private readonly List<object?> _stack = [];
    private readonly List<object?> _memo = [];
    private readonly Dictionary<(string, string), PickleGlobal> _globals = [];
    private int _at;
    private int _values;

    private Pickle(string file, ReadOnlySpan<byte> bytes, Func<PickleGlobal, object?[], object?> call, Func<object?, object?> persistent)
    {
        _file = file;
        _bytes = bytes;
        _call = call;
        _persistent = persistent;
    }

    /// <summary>The value that a pickle describes.</summary>
    /// <param name="file">For messages.</param>
    /// <param name="bytes">The pickle.</param>
    /// <param name="call">What a call of a global with arguments stands for; throws for globals that are not allowed.</param>
    /// <param name="persistent">What a persistent id stands for.</param>
    /// <exception cref="BadFileException">The pickle is malformed, too large, or asks for anything a state dict does not need.</exception>
    public static object? Load(string file, ReadOnlySpan<byte> bytes, Func<PickleGlobal, object?[], object?> call, Func<object?, object?> persistent)
    {
        if (bytes.Length > MaxLength)
        {
            throw new BadFileException(file, $"data.pkl: expected at most {MaxLength} bytes, found {bytes.Length}");
        }

        return new Pickle(file, bytes, call, persistent).Run();
    }

    private object? Run()
    {
        while (true)
        {
            var at = _at;
            var opcode = (char)Byte();
            switch (opcode)
            {
                case '\x80': // PROTO
                    if (Byte() is var protocol and > 5)
                    {
                        throw Bad($"pickle protocol {protocol}, expected at most 5");
                    }

                    break;
                case '\x95': Take(8); break; // FRAME
                case '.': return Pop(); // STOP
                case '(': Push(Mark); break;
                case '0': Pop(); break; // POP
                case 'N': Push(null); break;
                case '\x88': Push(true); break;
                case '\x89': Push(false); break;
                case 'K': Push((long)Byte()); break; // BININT1
                case 'M': Push((long)BinaryPrimitives.ReadUInt16LittleEndian(Take(2))); break; // BININT2
                case 'J': Push((long)Int32()); break; // BININT
                case '\x8a': Push(Long(Take(Byte()))); break; // LONG1
                case 'G': Push(BinaryPrimitives.ReadDoubleBigEndian(Take(8))); break; // BINFLOAT
                case 'X': Push(Text(Take(Int32()))); break; // BINUNICODE
                case '\x8c': Push(Text(Take(Byte()))); break; // SHORT_BINUNICODE
                case ')': Push(Array.Empty<object?>()); break;
                case '\x85': Push(PopLast(1)); break; // TUPLE1
                case '\x86': Push(PopLast(2)); break; // TUPLE2
                case '\x87': Push(PopLast(3)); break; // TUPLE3
                case 't': Push(PopToMark()); break; // TUPLE
                case '}': Push(new PickleDict()); break;
                case ']': Push(new PickleList()); break;
                case 'a': Pop(); Top<PickleList>("APPEND"); break;
                case 'e': PopToMark(); Top<PickleList>("APPENDS"); break;
                case 's': SetItems(PopLast(2)); break; // SETITEM
                case 'u': SetItems(PopToMark()); break; // SETITEMS
                case 'c': Push(Global(Line(), Line())); break; // GLOBAL
                case '\x93': PushStackGlobal(); break; // STACK_GLOBAL
                case 'R': Reduce(); break; // REDUCE
                case 'b': Pop(); Top<PickleDict>("BUILD"); break; // attributes of a dict, such as _metadata, carry no tensors
                case 'Q': Push(_persistent(Pop())); break; // BINPERSID
                case 'q': Put(Byte()); break; // BINPUT
                case 'r': Put(Int32()); break; // LONG_BINPUT
                case '\x94': Put(_memo.Count); break; // MEMOIZE
                case 'h': Push(Get(Byte())); break; // BINGET
                case 'j': Push(Get(Int32())); break; // LONG_BINGET
                default:
                    throw Bad($"opcode 0x{(int)opcode:x2} at byte {at} is not one that a state dict needs");
            }
        }
    }

    private void Reduce()
    {
        var arguments = Pop() as object?[] ?? throw Bad("a call without a tuple of arguments");
        Push(Pop() is PickleGlobal function ? _call(function, arguments) : throw Bad("a call of something that is not a name"));
    }

    private void PushStackGlobal()
    {
        var name = Pop() as string;
        var module = Pop() as string;
        Push(module is null || name is null ? throw Bad("a global whose name is not a string") : Global(module, name));
    }

    // One object per name, so that a pickle that repeats a name a million times costs no memory.
    private readonly PickleGlobal Global(string module, string name)
    {
        if (!_globals.TryGetValue((module, name), out var global))
        {
            _globals.Add((module, name), global = new PickleGlobal(module, name));
        }

        return global;
    }

    private readonly void SetItems(object?[] items)
    {
        var dict = Top<PickleDict>("SETITEMS");
        if (items.Length % 2 != 0)
        {
            throw Bad("a key without a value");
        }

        for (var i = 0; i < items.Length; i += 2)
        {
            dict.Add(items[i], items[i + 1]);
        }
    }

    private void Push(object? value)
    {
        if (++_values > MaxValues || _stack.Count == MaxStack)
        {
            throw Bad($"more than {MaxValues:N0} values, or {MaxStack:N0} at once");
        }

        _stack.Add(value);
    }

    private readonly object? Pop()
    {
        if (_stack.Count == 0 || ReferenceEquals(_stack[^1], Mark))
        {
            throw Bad("a value is taken from an empty stack");
        }

        var value = _stack[^1];
        _stack.RemoveAt(_stack.Count - 1);
        return value;
    }

    private readonly object?[] PopLast(int count)
    {
        var values = new object?[count];
        for (var i = count - 1; i >= 0; i--)
        {
            values[i] = Pop();
        }

        return values;
    }

    private readonly object?[] PopToMark()
    {
        var mark = _stack.LastIndexOf(Mark);
        if (mark < 0)
        {
            throw Bad("a mark is missing");
        }

        var values = _stack.GetRange(mark + 1, _stack.Count - mark - 1).ToArray();
        _stack.RemoveRange(mark, _stack.Count - mark);
        return values;
    }

    private readonly T Top<T>(string opcode) where T : class =>
        _stack.Count > 0 && _stack[^1] is T value ? value : throw Bad($"{opcode} does not find the container it fills");

    // Picklers number the memo from zero without gaps; a gap would only serve to blow up memory.
    private readonly void Put(int index)
    {
        var value = _stack.Count > 0 ? _stack[^1] : throw Bad("nothing to remember");
        if (index < 0 || index > _memo.Count || index >= MaxValues)
        {
            throw Bad($"memo index {index}, expected at most {_memo.Count}");
        }

        if (index == _memo.Count)
        {
            _memo.Add(value);
        }
        else
        {
            _memo[index] = value;
        }
    }

    private readonly object? Get(int index) =>
        index >= 0 && index < _memo.Count ? _memo[index] : throw Bad($"memo index {index} was never set");

    private byte Byte() => Take(1)[0];

    private int Int32() => BinaryPrimitives.ReadInt32LittleEndian(Take(4));

    private ReadOnlySpan<byte> Take(int count)
    {
        if (count < 0 || count > _bytes.Length - _at)
        {
            throw Bad($"cut off at byte {_at}");
        }

        _at += count;
        return _bytes.Slice(_at - count, count);
    }

    private string Line()
    {
        var length = _bytes[_at..].IndexOf((byte)'\n');
        var line = Text(Take(length < 0 ? throw Bad($"cut off at byte {_at}") : length));
        _at++;
        return line;
    }

    private readonly string Text(ReadOnlySpan<byte> utf8) => System.Text.Unicode.Utf8.IsValid(utf8)
        ? Encoding.UTF8.GetString(utf8)
        : throw Bad($"the string {MessageText.Quote(utf8)} is not UTF-8");

    private readonly long Long(ReadOnlySpan<byte> littleEndian)
    {
        if (littleEndian.Length > 8)
        {
            throw Bad("an integer of more than 64 bits");
        }

        var value = littleEndian.Length > 0 && littleEndian[^1] >= 0x80 ? -1L : 0L;
        for (var i = littleEndian.Length - 1; i >= 0; i--)
        {
            value = (value << 8) | littleEndian[i];
        }

        return value;
    }

    private readonly BadFileException Bad(string problem) => new(_file, $"data.pkl: {problem}");
}
