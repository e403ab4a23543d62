// What a sound safetensors file gives.
using System.Text;
using Rt.Core;

namespace Rt.Formats.Tests;

public sealed class SafetensorsFileTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Open_TwoTensors_GivesEntriesMetadataAndViews()
    {
        var path = _folder.Safetensors("""{"__metadata__":{"format":"pt","note":"\u00e9"},"b":{"dtype":"U8","shape":[2,3],"data_offsets":[16,22]},"a":{"dtype":"F32","shape":[4],"data_offsets":[0,16]}}""", 22);
        using var file = SafetensorsFile.Open(path);
        Assert.Equal(["a", "b"], file.Entries.Keys);
        Assert.Equal("é", file.Metadata["note"]);
        Assert.Equal([2L, 3L], file.Entry("b").Shape);
        Assert.Equal((6L, 6L), (file.Entry("b").ByteLength, file.Entry("b").Count));
        var matrix = file.Tensor("b");
        Assert.Equal((1, 2, 3), (matrix.Dim0, matrix.Dim1, matrix.Dim2));
        Assert.Equal([16, 17, 18, 19, 20, 21], matrix.HostSpan<byte>().ToArray());
        Assert.Equal((byte)'{', file.Header[0]);
    }

    [Theory]
    [InlineData("[]", 1, 1, 1)]
    [InlineData("[1]", 1, 1, 1)]
    [InlineData("[0]", 1, 1, 0)]
    [InlineData("[3,0,2]", 3, 0, 2)]
    [InlineData("[1,1,1]", 1, 1, 1)]
    public void Tensor_RankUpToThree_IsSeenWithThreeAxes(string shape, int dim0, int dim1, int dim2)
    {
        var bytes = 4 * dim0 * dim1 * dim2;
        using var file = SafetensorsFile.Open(_folder.Safetensors($$"""{"x":{"dtype":"F32","shape":{{shape}},"data_offsets":[0,{{bytes}}]} }""", bytes));
        var tensor = file.Tensor("x");
        Assert.Equal((dim0, dim1, dim2), (tensor.Dim0, tensor.Dim1, tensor.Dim2));
    }

    [Theory]
    [InlineData("{}", 0)]
    [InlineData("  \t\n{}", 0)]
    [InlineData("{}      ", 0)]
    [InlineData("""{"__metadata__":{}}""", 0)]
    [InlineData("""{"":{"dtype":"U8","shape":[],"data_offsets":[0,1]}}""", 1)]
    [InlineData("""{"x":{"dtype":"F4","shape":[3,2],"data_offsets":[0,3]}}""", 3)]
    [InlineData("""{"x":{"dtype":"F6_E2M3","shape":[4],"data_offsets":[0,3]}}""", 3)]
    [InlineData("""{"x":{"dtype":"C64","shape":[1],"data_offsets":[0,8]}}""", 8)]
    [InlineData("""{"z":{"dtype":"U8","shape":[0],"data_offsets":[1,1]},"y":{"dtype":"U8","shape":[0,9],"data_offsets":[0,0]},"x":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}""", 1)]
    [InlineData("""{"\u0078":{"\u0064type":"\u00558","shape":[1],"data_offsets":[0,1]}}""", 1)]
    public void Open_OddButSound_IsAccepted(string header, int dataBytes)
    {
        using var file = SafetensorsFile.Open(_folder.Safetensors(header, dataBytes));
        Assert.Equal(dataBytes, file.Entries.Values.Sum(entry => entry.ByteLength));
    }

    [Fact]
    public void Open_EveryDType_IsKnown()
    {
        foreach (var type in Enum.GetValues<DType>())
        {
            using var file = SafetensorsFile.Open(_folder.Safetensors($$"""{"x":{"dtype":"{{type}}","shape":[8],"data_offsets":[0,{{type.Bits()}}]} }""", type.Bits()));
            Assert.Equal(type, file.Entry("x").DType);
        }
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(5)]
    public void Tensor_UnalignedData_ReadsTheSameNumbers(int padding)
    {
        var path = _folder["odd.safetensors"];
        var header = Encoding.UTF8.GetBytes("""{"x":{"dtype":"F32","shape":[3],"data_offsets":[0,12]}}""" + new string(' ', padding));
        var bytes = TemporaryFolder.Bytes(header, 12);
        float[] expected = [1.5f, -2, 1e30f];
        System.Runtime.InteropServices.MemoryMarshal.AsBytes(expected.AsSpan()).CopyTo(bytes.AsSpan(8 + header.Length));
        File.WriteAllBytes(path, bytes);
        using var file = SafetensorsFile.Open(path);
        Assert.Equal(expected, file.Tensor("x").HostSpan<float>().ToArray());
    }

    [Fact]
    public void Tensor_BeyondFourGigabytes_IsFound()
    {
        const long Large = 3 * 1_500_000_000L;
        var header = Encoding.UTF8.GetBytes($$"""{"large":{"dtype":"U8","shape":[3,1500000000],"data_offsets":[0,{{Large}}]},"last":{"dtype":"F32","shape":[2],"data_offsets":[{{Large}},{{Large + 8}}]} }""");
        using (var sparse = File.Create(_folder["sparse"]))
        {
            sparse.Write(TemporaryFolder.Bytes(header, 0));
            sparse.Position = 8 + header.Length + Large - 1;
            sparse.Write([9, .. BitConverter.GetBytes(1.5f), .. BitConverter.GetBytes(-2f)]);
        }

        using var file = SafetensorsFile.Open(_folder["sparse"]);
        Assert.Equal([1.5f, -2f], file.Tensor("last").HostSpan<float>().ToArray());
        Assert.Equal([9], file.Bytes("large", Large - 1, 1).ToArray());
        Assert.Equal(9, file.Tensor("large").SliceRows(2, 1).SliceColumns(1_499_999_999, 1).HostSpan<byte>()[0]);
    }

    [Fact]
    public void Tensor_RankFour_IsRefusedByName()
    {
        using var file = SafetensorsFile.Open(_folder.Safetensors("""{"bias":{"dtype":"U8","shape":[1,1,2,2],"data_offsets":[0,4]}}""", 4));
        BadInput.Refused(() => file.Tensor("bias"), "'bias'", "4");
        Assert.Equal([0, 1, 2, 3], file.Bytes("bias", 0, 4).ToArray());
    }

    [Fact]
    public void Tensor_PackedMissingOrHuge_IsRefusedByName()
    {
        using var file = SafetensorsFile.Open(_folder.Safetensors("""{"p":{"dtype":"F4","shape":[2],"data_offsets":[0,1]},"h":{"dtype":"U8","shape":[0,4294967296],"data_offsets":[1,1]}}""", 1));
        BadInput.Refused(() => file.Tensor("p"), "'p'", "F4");
        BadInput.Refused(() => file.Tensor("h"), "'h'", "2147483647");
        BadInput.Refused(() => file.Tensor("q\n"), "'q\\u000a'", "missing");
    }

    [Fact]
    public void Tensor_FileCutAfterOpening_IsAnError()
    {
        var path = _folder.Safetensors("""{"x":{"dtype":"U8","shape":[10000],"data_offsets":[0,10000]}}""", 10000);
        using var file = SafetensorsFile.Open(path);
        file.CheckLength();
        using (var cut = new FileStream(path, FileMode.Open, FileAccess.Write, FileShare.ReadWrite | FileShare.Delete))
        {
            cut.SetLength(100);
        }

        BadInput.Refused(() => file.Tensor("x"), "changed", "100");
    }

    [Fact]
    public void Tensor_AfterDispose_Throws()
    {
        var file = SafetensorsFile.Open(_folder.Safetensors("""{"x":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}""", 1));
        var tensor = file.Tensor("x");
        file.Dispose();
        file.Dispose();
        Assert.Throws<ObjectDisposedException>(() => file.Tensor("x"));
        Assert.Throws<ObjectDisposedException>(() => tensor.HostSpan<byte>().Length);
    }

    [Fact]
    public void Open_Goldens_AreSoundAndPrefetchable()
    {
        var paths = Directory.GetFiles(Fixtures.Path("goldens"), "*.safetensors", SearchOption.AllDirectories);
        Assert.NotEmpty(paths);
        foreach (var path in paths)
        {
            using var file = SafetensorsFile.Open(path);
            file.Prefetch();
            Assert.NotEmpty(file.Entries);
            Assert.All(file.Entries.Values, entry => Assert.Equal(entry.ByteLength, entry.Count * entry.DType.Bits() / 8));
        }
    }
}
