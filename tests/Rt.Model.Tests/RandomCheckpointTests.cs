// Random checkpoints: the same everywhere, of the promised spread, and models that load.
using Rt.Core;
using Rt.Cpu;
using Rt.Formats;

namespace Rt.Model.Tests;

public sealed class RandomCheckpointTests : IDisposable
{
    private readonly string _root = Directory.CreateTempSubdirectory("rt-random-").FullName;

    public void Dispose() => Directory.Delete(_root, recursive: true);

    [Theory]
    [InlineData("gpt2-tiny")]
    [InlineData("llama-tiny")]
    public void Write_SameSeedTwice_SameBytes(string shape)
    {
        var first = Written(shape, DType.BF16, 3);
        var second = Written(shape, DType.BF16, 3);
        var other = Written(shape, DType.BF16, 4);
        Assert.Equal(Bytes(first), Bytes(second));
        Assert.NotEqual(Bytes(first), Bytes(other));
    }

    [Fact]
    public void Write_InEveryDtype_HoldsTheSameNumbers()
    {
        using var wide = SafetensorsFile.Open(Path.Combine(Written("llama-tiny", DType.F32, 0), "model.safetensors"));
        using var narrow = SafetensorsFile.Open(Path.Combine(Written("llama-tiny", DType.BF16, 0), "model.safetensors"));
        using var half = SafetensorsFile.Open(Path.Combine(Written("llama-tiny", DType.F16, 0), "model.safetensors"));
        Assert.Equal(wide.Entries.Keys.Order(), narrow.Entries.Keys.Order());
        foreach (var name in wide.Entries.Keys)
        {
            var values = Values(wide, name);
            Assert.Equal(values, Values(narrow, name));
            Assert.Equal(values.Select(value => (double)(Half)value), Values(half, name));
        }
    }

    [Fact]
    public void Write_Weights_HaveTheSpreadOfAFreshModel()
    {
        using var file = SafetensorsFile.Open(Path.Combine(Written("llama-tiny", DType.F32, 0), "model.safetensors"));
        Check("model.embed_tokens.weight", 0, 0.02);
        Check("model.layers.1.mlp.down_proj.weight", 0, 0.02 / 2);
        Check("model.layers.0.mlp.up_proj.weight", 0, 0.02);

        void Check(string name, double mean, double deviation)
        {
            var values = Values(file, name);
            var average = values.Average();
            var spread = Math.Sqrt(values.Average(value => (value - average) * (value - average)));
            Assert.InRange(average, mean - 0.05 * deviation, mean + 0.05 * deviation);
            Assert.InRange(spread, 0.97 * deviation, 1.03 * deviation);
            // No two tensors draw the same numbers.
            Assert.True(values.Distinct().Count() > 100);
        }
    }

    [Theory]
    [InlineData("gpt2-tiny")]
    [InlineData("llama-tiny")]
    public void Write_Folder_IsAModelThatComputesFiniteLogits(string shape)
    {
        using var device = new CpuDevice();
        using var model = LanguageModel.Load(Written(shape, DType.BF16, 0), device);
        using var sequence = new Sequence(model, 8);
        var logits = sequence.Append([1, 2, 3, 500])[^1];
        Assert.Empty(model.Warnings);
        Assert.All(logits, logit => Assert.InRange(Math.Abs(logit), 0, 20));
        Assert.True(logits.Max() - logits.Min() > 0.01);
    }

    [Fact]
    public void Write_UnknownShapeOrType_IsAUsageError()
    {
        var unknown = Assert.Throws<UsageException>(() => RandomCheckpoint.Write(_root, "gpt5", DType.F32));
        Assert.Contains("llama-134m", unknown.Message);
        Assert.Throws<UsageException>(() => RandomCheckpoint.Write(_root, "llama-tiny", DType.F64));
        Assert.Empty(Directory.GetFileSystemEntries(_root));
    }

    [Fact]
    public void Write_Cancelled_LeavesNoModel()
    {
        using var source = new CancellationTokenSource();
        source.Cancel();
        Assert.ThrowsAny<OperationCanceledException>(() => RandomCheckpoint.Write(_root, "llama-tiny", DType.F32, cancellation: source.Token));
        Assert.Empty(Directory.GetFiles(_root));
    }

    private string Written(string shape, DType type, ulong seed)
    {
        var folder = Path.Combine(_root, Guid.NewGuid().ToString("N"));
        RandomCheckpoint.Write(folder, shape, type, seed);
        return folder;
    }

    private static byte[] Bytes(string folder) => File.ReadAllBytes(Path.Combine(folder, "model.safetensors"));

    private static double[] Values(SafetensorsFile file, string name) => file.Tensor(name).ToArray();
}
