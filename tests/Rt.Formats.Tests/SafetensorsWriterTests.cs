// What the writer puts on disk, and what it leaves there when it fails.
using System.Buffers.Binary;
using System.Text;
using Rt.Core;

namespace Rt.Formats.Tests;

public sealed class SafetensorsWriterTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Write_MixedTypes_SortsByAlignmentThenNameAndPadsTheHeader()
    {
        var writer = new SafetensorsWriter();
        writer.SetMetadata("b", "zwei");
        writer.SetMetadata("a", "1\n\"");
        writer.Add("u8", DType.U8, [3], (ReadOnlyMemory<byte>)new byte[] { 1, 2, 3 });
        writer.Add("z", DType.F32, [2], (ReadOnlyMemory<float>)new float[] { 1, 2 });
        writer.Add("a", DType.F32, [], (ReadOnlyMemory<float>)new float[] { 3 });
        writer.Add("i", DType.I64, [1], (ReadOnlyMemory<long>)new long[] { 4 });
        writer.Write(_folder["x.safetensors"]);
        var bytes = File.ReadAllBytes(_folder["x.safetensors"]);
        var length = (int)BinaryPrimitives.ReadInt64LittleEndian(bytes);
        Assert.Equal(0, length % 8);
        Assert.StartsWith("""{"__metadata__":{"a":"1\n\"","b":"zwei"},"i":{"dtype":"I64","shape":[1],"data_offsets":[0,8]},"a":{"dtype":"F32","shape":[],"data_offsets":[8,12]},"z":""",
            Encoding.UTF8.GetString(bytes, 8, length), StringComparison.Ordinal);
        using var file = SafetensorsFile.Open(_folder["x.safetensors"]);
        Assert.Equal(["i", "a", "z", "u8"], file.Entries.Keys);
        Assert.Equal([1f, 2f], file.Tensor("z").HostSpan<float>().ToArray());
        Assert.Equal("1\n\"", file.Metadata["a"]);
        Assert.Equal(["x.safetensors"], Directory.GetFiles(_folder.Path).Select(Path.GetFileName));
    }

    [Fact]
    public void Write_StridedTensor_WritesRowsWithoutGaps()
    {
        var whole = HostTensors.Allocate(DType.F32, 2, 3, 4);
        for (var i = 0; i < 24; i++)
        {
            whole.HostSpan<float>()[i] = i;
        }

        var writer = new SafetensorsWriter();
        writer.Add("part", whole.SliceColumns(1, 2).SliceRows(1, 2), 4, 2);
        writer.Write(_folder["x.safetensors"]);
        whole.Storage.Dispose();
        using var file = SafetensorsFile.Open(_folder["x.safetensors"]);
        Assert.Equal([4L, 2L], file.Entry("part").Shape);
        Assert.Equal([5f, 6, 9, 10, 17, 18, 21, 22], file.Tensor("part").HostSpan<float>().ToArray());
    }

    [Fact]
    public void Write_GoldenReadBack_HasTheSameTensors()
    {
        using var source = SafetensorsFile.Open(Fixtures.Path("goldens", "gpt2", "model.safetensors"));
        var writer = new SafetensorsWriter();
        foreach (var entry in source.Entries.Values)
        {
            writer.Add(entry.Name, entry.DType, entry.Shape, stream => stream.Write(source.Bytes(entry.Name, 0, (int)entry.ByteLength)));
        }

        writer.Write(_folder["copy.safetensors"]);
        using var copy = SafetensorsFile.Open(_folder["copy.safetensors"]);
        Assert.Equal(source.Entries.Count, copy.Entries.Count);
        foreach (var entry in source.Entries.Values)
        {
            Assert.Equal(entry.Shape, copy.Entry(entry.Name).Shape);
            Assert.True(source.Bytes(entry.Name, 0, (int)entry.ByteLength).SequenceEqual(copy.Bytes(entry.Name, 0, (int)entry.ByteLength)), entry.Name);
        }
    }

    [Fact]
    public void Write_RandomTensors_RoundTrips()
    {
        var random = new Random(20261122);
        for (var round = 0; round < 50; round++)
        {
            var expected = new Dictionary<string, (DType Type, long[] Shape, byte[] Data)>();
            var writer = new SafetensorsWriter();
            for (var i = random.Next(6); i >= 0; i--)
            {
                var name = new string([.. Enumerable.Range(0, random.Next(8)).Select(_ => (char)random.Next(1, 0xD000))]) + i;
                var shape = Enumerable.Range(0, random.Next(4)).Select(_ => (long)random.Next(4)).ToArray();
                var type = (DType)random.Next(12);
                var data = new byte[shape.Aggregate(1L, (a, b) => a * b) * type.Bytes()];
                random.NextBytes(data);
                expected.Add(name, (type, shape, data));
                writer.Add(name, type, shape, (ReadOnlyMemory<byte>)data);
            }

            writer.Write(_folder["x.safetensors"]);
            using var file = SafetensorsFile.Open(_folder["x.safetensors"]);
            Assert.Equal(expected.Count, file.Entries.Count);
            foreach ((var name, var (type, shape, data)) in expected)
            {
                Assert.Equal(type, file.Entry(name).DType);
                Assert.Equal(shape, file.Entry(name).Shape);
                Assert.Equal(data, file.Bytes(name, 0, data.Length).ToArray());
            }
        }
    }

    [Fact]
    public void Write_OverAMappedFile_LeavesTheOldMappingAsItWas()
    {
        var path = _folder.Safetensors("""{"x":{"dtype":"U8","shape":[2],"data_offsets":[0,2]}}""", 2);
        using var old = SafetensorsFile.Open(path);
        var writer = new SafetensorsWriter();
        writer.Add("x", DType.U8, [2], (ReadOnlyMemory<byte>)new byte[] { 7, 8 });
        writer.Write(path);
        Assert.Equal([0, 1], old.Tensor("x").HostSpan<byte>().ToArray());
        using var now = SafetensorsFile.Open(path);
        Assert.Equal([7, 8], now.Tensor("x").HostSpan<byte>().ToArray());
    }

    [Theory]
    [InlineData(3)]
    [InlineData(5)]
    public void Write_SourceOfAnotherLength_LeavesNothingBehind(int bytes)
    {
        var writer = new SafetensorsWriter();
        writer.Add("x", DType.U8, [4], stream => stream.Write(new byte[bytes]));
        var error = Assert.Throws<InvalidOperationException>(() => writer.Write(_folder["x.safetensors"]));
        Assert.Contains("'x'", error.Message, StringComparison.Ordinal);
        Assert.Empty(Directory.GetFiles(_folder.Path));
    }

    [Fact]
    public void Write_Cancelled_KeepsTheOldFileAndLeavesNothingElse()
    {
        var path = _folder.Safetensors("{}", 0);
        using var cancellation = new CancellationTokenSource();
        var writer = new SafetensorsWriter();
        writer.Add("x", DType.U8, [4], stream =>
        {
            stream.Write([1, 2]);
            cancellation.Cancel();
            stream.Write([3, 4]);
        });
        Assert.Throws<OperationCanceledException>(() => writer.Write(path, cancellation.Token));
        Assert.Equal([path], Directory.GetFiles(_folder.Path));
        using var file = SafetensorsFile.Open(path);
        Assert.Empty(file.Entries);
    }

    [Fact]
    public void Write_FolderMissing_IsABadFile() =>
        BadInput.Refused(() => new SafetensorsWriter().Write(_folder["no/such/x.safetensors"]), "cannot be written");

    [Fact]
    public void Add_TakenReservedOrPackedBadly_IsRefused()
    {
        var writer = new SafetensorsWriter();
        writer.Add("x", DType.U8, [1], _ => { });
        Assert.Throws<ArgumentException>(() => writer.Add("x", DType.U8, [1], _ => { }));
        Assert.Throws<ArgumentException>(() => writer.Add("__metadata__", DType.U8, [1], _ => { }));
        Assert.Throws<ArgumentException>(() => writer.Add("y", DType.F4, [3], _ => { }));
        Assert.Throws<OverflowException>(() => writer.Add("z", DType.F32, [1L << 40, 1L << 40], _ => { }));
    }
}
