// A model's fingerprint changes with everything that changes what it computes.

namespace Rt.Formats.Tests;

public sealed class ModelIdentityTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public ModelIdentityTests()
    {
        _folder.Write("config.json", "{}");
        _folder.Write("tokenizer.json", "{\"a\":1}");
        Weights(100, _ => { });
    }

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Of_SameFolder_IsTheSame()
    {
        var identity = Identity();
        Assert.Equal(identity, Identity());
        Assert.Matches("^[0-9a-f]{64}$", identity.Model);
        Assert.Matches("^[0-9a-f]{64}$", identity.Tokenizer);
        Assert.NotEqual(identity.Model, Identity(full: true).Model);
    }

    [Fact]
    public void Of_ConfigWeightsOrTokenizerChanged_ChangesTheRightHalf()
    {
        var before = Identity();
        _folder.Write("config.json", "{ }");
        var config = Identity();
        Assert.NotEqual(before.Model, config.Model);
        Assert.Equal(before.Tokenizer, config.Tokenizer);
        _folder.Write("tokenizer.json", "{\"a\":2}");
        Assert.Equal(config.Model, Identity().Model);
        Assert.NotEqual(config.Tokenizer, Identity().Tokenizer);
        Weights(100, data => data[50] ^= 1);
        Assert.NotEqual(config.Model, Identity().Model);
    }

    [Fact]
    public void Of_LargeFile_SeesEndsWhenSampledAndEveryByteWhenFull()
    {
        const int Length = 10_000_000;
        Weights(Length, _ => { });
        var (sampled, full) = (Identity(), Identity(full: true));
        Weights(Length, data => data[^1] ^= 1);
        Assert.NotEqual(sampled.Model, Identity().Model);
        // 64 blocks of 64 KiB leave gaps of about 93 KB; this byte lies in the first one.
        Weights(Length, data => data[100_000] ^= 1);
        Assert.Equal(sampled.Model, Identity().Model);
        Assert.NotEqual(full.Model, Identity(full: true).Model);
    }

    [Fact]
    public void Of_Cancelled_Stops()
    {
        using var checkpoint = Checkpoint.Open(_folder.Path);
        Assert.Throws<OperationCanceledException>(() => ModelIdentity.Of(checkpoint, cancellation: new CancellationToken(true)));
    }

    private ModelIdentity Identity(bool full = false)
    {
        using var checkpoint = Checkpoint.Open(_folder.Path);
        return ModelIdentity.Of(checkpoint, full);
    }

    private void Weights(int length, Action<byte[]> change)
    {
        var data = new byte[length];
        new Random(7).NextBytes(data);
        change(data);
        var writer = new SafetensorsWriter();
        writer.Add("x", Rt.Core.DType.U8, [length], (ReadOnlyMemory<byte>)data);
        writer.Write(_folder["model.safetensors"]);
    }
}
