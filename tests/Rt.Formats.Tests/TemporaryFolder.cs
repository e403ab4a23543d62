// A folder for the files of one test, removed when the test ends.
using System.Buffers.Binary;
using System.Text;

namespace Rt.Formats.Tests;

/// <summary>A temporary folder, and the malformed files that tests put into it.</summary>
internal sealed class TemporaryFolder : IDisposable
{
    public TemporaryFolder() => Path = Directory.CreateTempSubdirectory("rt-formats-").FullName;

    public string Path { get; }

    public string this[string name] => System.IO.Path.Combine(Path, name);

    public string Write(string name, byte[] bytes)
    {
        File.WriteAllBytes(this[name], bytes);
        return this[name];
    }

    public string Write(string name, string text) => Write(name, Encoding.UTF8.GetBytes(text));

    /// <summary>A safetensors file with this header and so many bytes of data counting up from zero.</summary>
    public string Safetensors(string header, int dataBytes, string name = "model.safetensors") =>
        Write(name, Bytes(Encoding.UTF8.GetBytes(header), dataBytes));

    public static byte[] Bytes(ReadOnlySpan<byte> header, int dataBytes)
    {
        var bytes = new byte[8 + header.Length + dataBytes];
        BinaryPrimitives.WriteInt64LittleEndian(bytes, header.Length);
        header.CopyTo(bytes.AsSpan(8));
        for (var i = 0; i < dataBytes; i++)
        {
            bytes[8 + header.Length + i] = (byte)i;
        }

        return bytes;
    }

    public void Dispose() => Directory.Delete(Path, recursive: true);
}
