// Reading and converting torch files; the fixtures and the script that makes them are in fixtures/torch.
using System.IO.Compression;
using Rt.Core;

namespace Rt.Formats.Tests;

public sealed class TorchCheckpointTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Convert_EveryType_KeepsTypesShapesAndNumbers()
    {
        using var checkpoint = Converted("types");
        Assert.Equal([0f, 1, 2, 3, 4, 5], checkpoint.Tensor("f32").HostSpan<float>().ToArray());
        Assert.Equal([10, 11, 12, 13, 14, 15], checkpoint.Tensor("f16").HostSpan<Half>().ToArray().Select(x => (int)x));
        Assert.Equal([20, 21, 22, 23, 24, 25], Numbers(checkpoint, "bf16"));
        Assert.Equal([30, 31, 32, 33, 34, 35], checkpoint.Tensor("f64").HostSpan<double>().ToArray());
        Assert.Equal([40, 41, 42], checkpoint.Tensor("i64").HostSpan<long>().ToArray());
        Assert.Equal([50, 51, 52], checkpoint.Tensor("i32").HostSpan<int>().ToArray());
        Assert.Equal([60, 61, 62], checkpoint.Tensor("i16").HostSpan<short>().ToArray());
        Assert.Equal([70, 71, 72], checkpoint.Tensor("i8").HostSpan<sbyte>().ToArray());
        Assert.Equal([80, 81, 82], checkpoint.Tensor("u8").HostSpan<byte>().ToArray());
        Assert.Equal([1, 0, 1], checkpoint.Tensor("bool").HostSpan<byte>().ToArray());
        Assert.Equal(DType.BOOL, checkpoint.Entry("bool").DType);
        Assert.Empty(checkpoint.Entry("scalar").Shape);
        Assert.Equal(-10000f, checkpoint.Tensor("scalar").HostSpan<float>()[0]);
        Assert.Equal([0L, 4L], checkpoint.Entry("empty").Shape);
        Assert.Equal([1L, 1L, 2L, 2L], checkpoint.Entry("rank4").Shape);
        Assert.Equal("pt", checkpoint.Files[0].Metadata["format"]);
    }

    [Fact]
    public void Convert_StridedViews_AreWrittenInRowMajorOrder()
    {
        using var checkpoint = Converted("views");
        Assert.Equal([6L, 4L], checkpoint.Entry("transposed").Shape);
        Assert.Equal(Enumerable.Range(0, 24).Select(i => (double)(i % 4 * 6 + i / 4)), Numbers(checkpoint, "transposed"));
        Assert.Equal(Enumerable.Range(0, 24).Select(i => (double)(i % 4 * 6 + i / 4)), Numbers(checkpoint, "half"));
        Assert.Equal([1, 3, 5, 7, 9, 11, 13, 15, 17, 19, 21, 23], Numbers(checkpoint, "columns"));
        Assert.Equal([12, 13, 14, 15, 16, 17], Numbers(checkpoint, "row"));
        Assert.Equal([7, 8, 9], Numbers(checkpoint, "parameter"));
        Assert.Equal([4L, 2L, 3L], checkpoint.Entry("permuted").Shape);
        // permuted[k, i, j] is element [i, j, k] of [2, 3, 4].
        Assert.Equal(from k in Enumerable.Range(0, 4) from i in Enumerable.Range(0, 2) from j in Enumerable.Range(0, 3) select (double)(i * 12 + j * 4 + k), Numbers(checkpoint, "permuted"));
    }

    [Fact]
    public void Convert_TiedHead_IsLeftOutAndOtherSharedTensorsAreKept()
    {
        using var checkpoint = Converted("tied", out var conversion);
        Assert.Equal(["lm_head.weight"], conversion.Tied);
        Assert.Equal(["transformer.ln_1.weight", "transformer.ln_2.weight", "transformer.wte.weight"], checkpoint.Names.Order(StringComparer.Ordinal));
        Assert.Equal(Numbers(checkpoint, "transformer.ln_1.weight"), Numbers(checkpoint, "transformer.ln_2.weight"));
        Assert.Equal((3, 2 * 8 + 40), (conversion.Tensors, conversion.ByteLength));
    }

    [Fact]
    public void Convert_ConfigSaysUntied_KeepsTheHead()
    {
        _folder.Write("config.json", """{"tie_word_embeddings":false}""");
        using var checkpoint = Converted("tied", out var conversion);
        Assert.Empty(conversion.Tied);
        Assert.Equal(Numbers(checkpoint, "transformer.wte.weight"), Numbers(checkpoint, "lm_head.weight"));
    }

    [Fact]
    public void Convert_Shards_BecomeOneFile()
    {
        var seen = new List<ByteProgress>();
        Fixtures.Copy(Fixtures.Path("torch", "sharded"), _folder.Path);
        TorchConversion.Convert(_folder.Path, progress: new Listener(seen));
        using var checkpoint = Checkpoint.Open(_folder.Path);
        Assert.Equal([1, 2, 3, 4], Numbers(checkpoint, "a"));
        Assert.Equal([5, 6, 7], Numbers(checkpoint, "b"));
        Assert.Equal(new ByteProgress("b", 22, 22), seen[^1]);
    }

    [Fact]
    public void Convert_ShardMissingOrElsewhere_IsRefused()
    {
        Fixtures.Copy(Fixtures.Path("torch", "sharded"), _folder.Path);
        File.Move(_folder["pytorch_model-00002-of-00002.bin"], _folder["b.bin"]);
        BadInput.Refused(() => TorchConversion.Convert(_folder.Path), "pytorch_model.bin.index.json", "'pytorch_model-00002-of-00002.bin' is missing");
        _folder.Write("pytorch_model.bin.index.json", """{"weight_map":{"a":"../x.bin"}}""");
        BadInput.Refused(() => TorchConversion.Convert(_folder.Path), "'../x.bin'");
        _folder.Write("pytorch_model.bin.index.json", """{"weight_map":{"c":"b.bin"}}""");
        BadInput.Refused(() => TorchConversion.Convert(_folder.Path), "'c'");
        Assert.False(File.Exists(_folder["model.safetensors"]));
    }

    [Fact]
    public void Convert_AlreadyThereOrNothingThere_IsRefused()
    {
        BadInput.Refused(() => TorchConversion.Convert(_folder.Path), "pytorch_model.bin");
        _folder.Safetensors("{}", 0);
        Assert.Equal(2, Assert.Throws<UsageException>(() => TorchConversion.Convert(_folder.Path)).ExitCode);
    }

    [Fact]
    public void Convert_Cancelled_LeavesNothingBehind()
    {
        Fixtures.Copy(Fixtures.Path("torch", "types"), _folder.Path);
        Assert.Throws<OperationCanceledException>(() => TorchConversion.Convert(_folder.Path, new CancellationToken(true)));
        Assert.Equal(["pytorch_model.bin"], Directory.GetFiles(_folder.Path).Select(Path.GetFileName));
    }

    [Theory]
    [InlineData("attack", "'posix.system'", "nothing was executed")]
    [InlineData("legacy", "before torch 1.6", "load and save")]
    [InlineData("training", "entry 'epoch': expected a tensor", "")]
    public void Open_RefusedFixture_SaysWhy(string fixture, string expected, string also) =>
        BadInput.Refused(() => TorchCheckpoint.Open(Fixtures.Path("torch", fixture, "pytorch_model.bin")).Dispose(), expected, also);

    // Pickles of one tensor "w" with a fault each. S is the storage of 4 floats, kept as memo 0.
    [Theory]
    [InlineData("0 (2 3) (3 1)", "does not fit its 4 elements")]
    [InlineData("1 (4) (1)", "does not fit its 4 elements")]
    [InlineData("4 () ()", "begins at element 4 of 4")]
    [InlineData("0 (2) (4)", "does not fit its 4 elements")]
    [InlineData("0 (100) (0)", "does not fit its 4 elements")]
    [InlineData("0 (2 2) (2)", "not described as torch does")]
    [InlineData("-1 (2) (1)", "not described as torch does")]
    [InlineData("0 (-2) (1)", "not described as torch does")]
    [InlineData("0 (2) (-1)", "not described as torch does")]
    [InlineData("0 (2147483647 2147483647 2147483647) (2147483647 2147483647 2147483647)", "does not fit")]
    [InlineData("0 (2147483647 2147483647 0) (1 1 1)", "does not fit")]
    public void Open_TensorOutsideItsStorage_IsRefused(string view, string expected) =>
        BadInput.Refused(() => TorchCheckpoint.Open(Archive(new PickleBuilder().Tensor("w", view).Bytes())).Dispose(), expected);

    [Theory]
    [InlineData("0 (2 2) (2 1)", 4)]
    [InlineData("3 () ()", 1)]
    [InlineData("0 (0 4) (4 1)", 0)]
    [InlineData("1 (3) (1)", 3)]
    public void Open_TensorInsideItsStorage_IsAccepted(string view, int count)
    {
        using var checkpoint = TorchCheckpoint.Open(Archive(new PickleBuilder().Tensor("w", view).Bytes()));
        Assert.Equal(count, checkpoint.Tensors.Single().Count);
    }

    [Fact]
    public void Open_BadPickles_AreRefused()
    {
        Refused([0x80, 9, (byte)'.'], "pickle protocol 9");
        Refused([0x80, 2], "cut off at byte 2");
        Refused([0x80, 2, .. "N."u8], "expected a dict of tensors");
        Refused([0x80, 2, .. "}K\x01K\x02s."u8], "expected names as keys, found '1'");
        Refused([0x80, 2, .. "i__builtin__\neval\n."u8], "opcode 0x69");
        Refused([0x80, 2, .. "cbuiltins\neval\n)R."u8], "'builtins.eval'");
        Refused([0x80, 2, .. "ccollections\nOrderedDict\nN"u8, 0x85, (byte)'R', (byte)'.'], "'collections.OrderedDict'");
        Refused([0x80, 2, .. "R."u8], "empty stack");
        Refused([0x80, 2, .. "u."u8], "a mark is missing");
        Refused([0x80, 2, .. "}(K"u8], "cut off");
        Refused([0x80, 2, (byte)'h', 7, (byte)'.'], "memo index 7 was never set");
        Refused([0x80, 2, (byte)'N', (byte)'r', 0xff, 0xff, 0xff, 0x7f, (byte)'.'], "memo index 2147483647");
        Refused([0x80, 2, (byte)'X', 0xff, 0xff, 0xff, 0x7f, (byte)'.'], "cut off");
        Refused([0x80, 2, (byte)'X', 1, 0, 0, 0, 0xff, (byte)'.'], "UTF-8");
        Refused([0x80, 2, .. "NQ."u8], "a storage is not described");
        Refused(new PickleBuilder().Tensor("w", "0 (4) (1)").Tensor("w", "0 (4) (1)").Bytes(), "entry 'w' appears twice");
        Refused(new PickleBuilder("torch.FancyStorage").Tensor("w", "0 (4) (1)").Bytes(), "'torch.FancyStorage'");
        Refused(new PickleBuilder(elements: 5).Tensor("w", "0 (4) (1)").Bytes(), "5 elements of F32 do not fit its 16 bytes");
        Refused(new PickleBuilder(key: "../0").Tensor("w", "0 (4) (1)").Bytes(), "'archive/data/../0' is missing");
    }

    [Theory]
    [InlineData('}')]
    [InlineData(']')]
    [InlineData('(')]
    [InlineData(')')]
    [InlineData('N')]
    public void Open_PickleOfManyValues_IsRefusedWithoutMuchMemory(char opcode)
    {
        var pickle = new byte[30_000_000];
        pickle.AsSpan().Fill((byte)opcode);
        var path = Archive([0x80, 2, .. pickle]);
        BadInput.Refused(() => TorchCheckpoint.Open(path).Dispose(), "1,000,000");
    }

    [Fact]
    public void Convert_ManyTensorsOverOneStorage_IsRefused()
    {
        var pickle = new PickleBuilder();
        for (var i = 0; i < 3000; i++)
        {
            pickle.Tensor($"w{i}", "0 (100000) (1)");
        }

        Archive(pickle.Bytes(elements: 100_000), storageBytes: 400_000, name: "pytorch_model.bin");
        BadInput.Refused(() => TorchConversion.Convert(_folder.Path), "share their data so often");
    }

    [Fact]
    public void Open_BadArchives_AreRefused()
    {
        BadInput.Refused(() => TorchCheckpoint.Open(_folder.Write("x.bin", "not a zip")), "expected a zip archive");
        BadInput.Refused(() => TorchCheckpoint.Open(_folder.Write("x.bin", "PK")), "no end of a zip directory");
        var whole = File.ReadAllBytes(Fixtures.Path("torch", "types", "pytorch_model.bin"));
        BadInput.Refused(() => TorchCheckpoint.Open(_folder.Write("x.bin", whole[..^100])), "no end of a zip directory");
        BadInput.Refused(() => TorchCheckpoint.Open(Zip(("archive/version", "3"))), "NAME/data.pkl, found 0");
        BadInput.Refused(() => TorchCheckpoint.Open(Zip(("archive/data.pkl", "N."), ("other/data.pkl", "N."))), "found 2");
        BadInput.Refused(() => TorchCheckpoint.Open(Zip(("archive/data.pkl", "N."), ("archive/constants.pkl", "N."))), "TorchScript");
        BadInput.Refused(() => TorchCheckpoint.Open(Zip(("archive/data.pkl", "N."), ("archive/byteorder", "big"))), "little endian");
        BadInput.Refused(() => TorchCheckpoint.Open(Zip(("archive/data.pkl", "N."), ("archive/data.pkl", "N."))), "appears twice");
        BadInput.Refused(() => TorchCheckpoint.Open(Zip(CompressionLevel.Optimal, ("archive/data.pkl", new string('N', 1000)))), "compressed");
    }

    private static double[] Numbers(Checkpoint checkpoint, string name)
    {
        var tensor = checkpoint.Tensor(name);
        unsafe
        {
            var first = (nint)tensor.HostPointer();
            return [.. Enumerable.Range(0, (int)tensor.Count).Select(i => HostTensors.Load((byte*)first, i, tensor.DType))];
        }
    }

    private Checkpoint Converted(string fixture) => Converted(fixture, out _);

    private Checkpoint Converted(string fixture, out TorchConversion conversion)
    {
        Fixtures.Copy(Fixtures.Path("torch", fixture), _folder.Path);
        conversion = TorchConversion.Convert(_folder.Path);
        return Checkpoint.Open(_folder.Path);
    }

    private void Refused(byte[] pickle, string expected)
    {
        var path = Archive(pickle);
        BadInput.Refused(() => TorchCheckpoint.Open(path).Dispose(), expected);
    }

    private string Archive(byte[] pickle, int storageBytes = 16, string name = "x.bin")
    {
        using (var zip = new ZipArchive(File.Create(_folder[name]), ZipArchiveMode.Create))
        {
            Add(zip, "archive/data.pkl", pickle, CompressionLevel.NoCompression);
            Add(zip, "archive/data/0", new byte[storageBytes], CompressionLevel.NoCompression);
        }

        return _folder[name];
    }

    private string Zip(params (string Name, string Text)[] entries) => Zip(CompressionLevel.NoCompression, entries);

    private string Zip(CompressionLevel level, params (string Name, string Text)[] entries)
    {
        using (var zip = new ZipArchive(File.Create(_folder["x.bin"]), ZipArchiveMode.Create))
        {
            foreach ((var name, var text) in entries)
            {
                Add(zip, name, System.Text.Encoding.ASCII.GetBytes(text), level);
            }
        }

        return _folder["x.bin"];
    }

    private static void Add(ZipArchive zip, string name, byte[] bytes, CompressionLevel level)
    {
        using var stream = zip.CreateEntry(name, level).Open();
        stream.Write(bytes);
    }

    private sealed class Listener(List<ByteProgress> seen) : IProgress<ByteProgress>
    {
        public void Report(ByteProgress value) => seen.Add(value);
    }
}
