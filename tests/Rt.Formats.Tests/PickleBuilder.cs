// Writes the pickle of a state dict, sound or faulty, as torch.save does (protocol 2).
using System.Buffers.Binary;
using System.Globalization;
using System.Text;

namespace Rt.Formats.Tests;

/// <summary>Builds a dict of tensors that all view one storage.</summary>
internal sealed class PickleBuilder(string type = "torch.FloatStorage", int elements = 4, string key = "0")
{
    private readonly List<(string Name, string View)> _tensors = [];

    /// <param name="name">Key of the tensor.</param>
    /// <param name="view">Offset, sizes and strides, as "0 (2 2) (2 1)".</param>
    public PickleBuilder Tensor(string name, string view)
    {
        _tensors.Add((name, view));
        return this;
    }

    public byte[] Bytes(int? elements = null)
    {
        var bytes = new List<byte> { 0x80, 2, (byte)'}', (byte)'(' };
        foreach ((var name, var view) in _tensors)
        {
            Text(bytes, name);
            bytes.AddRange("ctorch._utils\n_rebuild_tensor_v2\n(("u8);
            Text(bytes, "storage");
            var dot = type.LastIndexOf('.');
            bytes.AddRange(Encoding.ASCII.GetBytes($"c{type[..dot]}\n{type[(dot + 1)..]}\n"));
            Text(bytes, key);
            Text(bytes, "cpu");
            Number(bytes, elements ?? ElementCount);
            bytes.AddRange("tQ"u8);
            foreach (var token in view.Replace("(", "( ", StringComparison.Ordinal).Replace(")", " )", StringComparison.Ordinal).Split(' ', StringSplitOptions.RemoveEmptyEntries))
            {
                if (token is "(" or ")")
                {
                    bytes.Add((byte)(token == "(" ? '(' : 't'));
                }
                else
                {
                    Number(bytes, int.Parse(token, CultureInfo.InvariantCulture));
                }
            }

            bytes.Add(0x89);
            bytes.AddRange("ccollections\nOrderedDict\n)RtR"u8);
        }

        bytes.AddRange("u."u8);
        return [.. bytes];
    }

    private int ElementCount => elements;

    private static void Text(List<byte> bytes, string text)
    {
        bytes.Add((byte)'X');
        bytes.AddRange(BitConverter.GetBytes(text.Length));
        bytes.AddRange(Encoding.ASCII.GetBytes(text));
    }

    private static void Number(List<byte> bytes, int number)
    {
        bytes.Add((byte)'J');
        Span<byte> value = stackalloc byte[4];
        BinaryPrimitives.WriteInt32LittleEndian(value, number);
        bytes.AddRange(value);
    }
}
