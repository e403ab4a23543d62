// The judge itself, by values worked out by hand: small fractions, written beside the numbers.
using Rt.Core;
using Rt.Cpu.Reference;

namespace Rt.Cpu.Tests;

public sealed class ReferenceDeviceTests
{
    private readonly ReferenceDevice _device = new();

    [Fact]
    public void MatMul_TwoByThree_IsSumOfProducts()
    {
        var x = Tensor([1, 2, 3], 1, 3);
        // Rows (1, 0, -1) and (2, 1/2, 1): 1 - 3 = -2, 2 + 1 + 3 = 6; plus biases 10 and 1/4.
        var weight = Tensor([1, 0, -1, 2, 0.5, 1], 2, 3);
        var y = Tensor([100, 100], 1, 2);
        var linear = new Linear(new LinearPart(weight, Tensor([10, 0.25], 1, 2), false));
        _device.MatMul(x, linear, false, y);
        Assert.Equal([8, 6.25], Read(y));
        _device.MatMul(x, linear, true, y);
        Assert.Equal([16, 12.5], Read(y));
    }

    [Fact]
    public void MatMul_InputMajor_IsTheTranspose()
    {
        var y = Tensor([0, 0], 1, 2);
        // Columns (1, 0, -1) and (2, 1/2, 1), stored [in, out].
        _device.MatMul(Tensor([1, 2, 3], 1, 3), new Linear(new LinearPart(Tensor([1, 2, 0, 0.5, -1, 1], 3, 2), null, true)), false, y);
        Assert.Equal([-2, 6], Read(y));
    }

    [Fact]
    public void Normalize_Layer_HasMeanZeroAndVarianceOne()
    {
        // Mean 2, variance 1 + 0 = 1: (1 - 2, 3 - 2) = (-1, 1); weight (2, 3), bias (1/2, 0).
        var x = Tensor([1, 3], 1, 2);
        _device.Normalize(x, new Norm(NormKind.Layer, Tensor([2, 3], 1, 2), Tensor([0.5, 0], 1, 2), 0), x);
        Assert.Equal([-1.5, 3], Read(x));
    }

    [Fact]
    public void Normalize_RootMeanSquareWithOffset_MultipliesByOnePlusWeight()
    {
        // Mean square (9 + 16 + 0 + 0 + ... ) : (6, 8) has mean square 50, root 5 sqrt 2; with (1, 7) it is 25, root 5.
        var x = Tensor([1, 7], 1, 2);
        _device.Normalize(x, new Norm(NormKind.RootMeanSquare, Tensor([0, 1], 1, 2), null, 0, 1), x);
        Assert.Equal([1 / 5.0, 14 / 5.0], Read(x), Near);
    }

    [Fact]
    public void Attention_EqualScores_AveragesVisibleValues()
    {
        using var cache = new KvCache(_device, 1, 1, 1, 3, 1);
        var rows = new RowBatch(3, 1).Reset(cache);
        rows.Add([0, 0, 0], 0, 0, 0);
        var zero = Heads([0, 0, 0]);
        _device.AppendKv(zero, zero, Heads([3, 6, 30]), rows, 0, null);
        var result = Heads([0, 0, 0]);
        _device.Attention(zero, rows, 0, new AttentionOptions(1), result);
        // Causal means: 3, (3 + 6) / 2, (3 + 6 + 30) / 3.
        Assert.Equal([3, 4.5, 13], Read(result), Near);
        _device.Attention(zero, rows, 0, new AttentionOptions(1, Window: 2), result);
        // With a window of two: 3, (3 + 6) / 2, (6 + 30) / 2.
        Assert.Equal([3, 4.5, 18], Read(result), Near);
    }

    [Fact]
    public void Attention_AlibiOfLogTwo_HalvesWeightPerStep()
    {
        using var cache = new KvCache(_device, 1, 1, 1, 2, 1);
        using var kept = new KvCache(_device, 1, 1, 1, 1, 1);
        _device.Upload([70], kept[0].Value);
        var rows = new RowBatch(2, 1).Reset(cache);
        rows.Add([0, 0], 0, 0, 1, rows.AddPrefix(kept), 1);
        var zero = Heads([0, 0]);
        _device.AppendKv(zero, zero, Heads([7, 14]), rows, 0, null);
        var result = Heads([0, 0]);
        _device.Attention(zero, rows, 0, new AttentionOptions(1, AlibiSlopes: Tensor([Math.Log(2)], 1, 1)), result);
        // Row 0: weights 1/3 of the prefix, 2/3 own: (70 + 14) / 3 = 28. Row 1: 1/7, 2/7, 4/7: (70 + 14 + 56) / 7 = 20.
        Assert.Equal([28, 20], Read(result), Near);
    }

    [Fact]
    public void LinearAttention_BothForms_WeighValuesByScores()
    {
        using var cache = new KvCache(_device, 1, 1, 1, 2, 1);
        var rows = new RowBatch(2, 1).Reset(cache);
        rows.Add([0, 0], 0, 0, 0);
        _device.AppendKv(Heads([2, 3]), Heads([1, -1]), Heads([5, 7]), rows, 0, null);
        foreach (var form in Enum.GetValues<LinearAttentionForm>())
        {
            var result = Heads([0, 0]);
            _device.LinearAttention(Heads([2, 3]), rows, 0, 0.5, form, result);
            // Row 0: 1/2 * 5 * (1 * 2) = 5. Row 1: 1/2 * (5 * 3 + 7 * -3) = -3.
            Assert.Equal([5, -3], Read(result), Near);
        }
    }

    [Fact]
    public void AppendKv_QuarterTurn_RotatesPairs()
    {
        using var cache = new KvCache(_device, 1, 1, 1, 1, 4);
        var rows = new RowBatch(1, 1).Reset(cache);
        rows.Add([0], 0, 0, 1);
        // Position 1 turns both pairs by a quarter: (a, b) -> (-b, a).
        var table = new RotaryTable(Tensor([1, 1, 0, 0], 2, 2), Tensor([0, 0, 1, 1], 2, 2), 4, false);
        var query = new Tensor(Tensor([1, 2, 3, 4], 1, 4).Storage, DType.F64, 0, 1, 1, 4);
        _device.AppendKv(query, query, query, rows, 0, table);
        Assert.Equal([-3, -4, 1, 2], Read(query));
        Assert.Equal([-3, -4, 1, 2], Read(cache[0].Key));
        var interleaved = new Tensor(Tensor([1, 2, 3, 4], 1, 4).Storage, DType.F64, 0, 1, 1, 4);
        _device.AppendKv(interleaved, interleaved, interleaved, rows, 0, table with { Interleaved = true });
        Assert.Equal([-2, 1, -4, 3], Read(interleaved));
    }

    [Fact]
    public void AccumulateMetaGradient_TwoSteps_FollowsMomentum()
    {
        KvLayer Layer(double key, double value) => new(Tensor([key], 1, 1), Tensor([value], 1, 1));
        var kept = Layer(1, 0);
        var velocity = Layer(0, 0);
        var norms = Tensor([0, 0], 1, 2);
        var step = new MetaGradientStep(0.5, 0.25, DType.F64);
        _device.AccumulateMetaGradient(Layer(3, 4), kept, velocity, step, norms);
        // G = 2 and 4; M = G; kept = 1 + 2/2 = 2 and 0 + 4/2 = 2.
        Assert.Equal([4, 16], Read(norms));
        Assert.Equal([2], Read(kept.Key));
        Assert.Equal([2], Read(kept.Value));
        _device.AccumulateMetaGradient(Layer(3, 4), kept, velocity, step with { UpdateValue = false }, norms);
        // G = 1 and 2; M = 1 + 2/4 = 3/2; kept key = 2 + 3/4; the value stays.
        Assert.Equal([1, 4], Read(norms));
        Assert.Equal([1.5], Read(velocity.Key));
        Assert.Equal([2.75], Read(kept.Key));
        Assert.Equal([2], Read(kept.Value));
    }

    [Fact]
    public void LogProbabilities_LogitsOfLogs_AreLogsOfFractions()
    {
        // Logits ln 1, ln 3, ln 4: probabilities 1/8, 3/8, 4/8.
        var head = new Linear(new LinearPart(Tensor([0, Math.Log(3), Math.Log(4)], 3, 1), null, false));
        var values = new double[2];
        _device.LogProbabilities(Tensor([1], 1, 1), head, 0, [new(0, 1), new(0, 2)], values);
        Assert.Equal([Math.Log(3 / 8.0), Math.Log(1 / 2.0)], values, Near);
    }

    [Theory]
    [InlineData(Activation.Relu, -2, 0)]
    [InlineData(Activation.Relu, 2, 2)]
    [InlineData(Activation.Silu, 0, 0)]
    [InlineData(Activation.Gelu, 1, 0.8413447460685429)] // Φ(1), tables of the normal distribution
    [InlineData(Activation.Gelu, -1, -0.15865525393145707)]
    [InlineData(Activation.GeluTanh, 0, 0)]
    public void Activate_KnownPoint_HasKnownValue(Activation activation, double x, double expected)
    {
        var tensor = Tensor([x], 1, 1);
        _device.Activate(tensor, activation, tensor);
        Assert.Equal(expected, Read(tensor)[0], 1e-14);
    }

    private static bool Near(double a, double b) => Math.Abs(a - b) <= 1e-14 * Math.Max(1, Math.Abs(a));

    private Tensor Tensor(double[] values, int rows, int columns)
    {
        var tensor = _device.Allocate(DType.F64, 1, rows, columns);
        _device.Upload(values, tensor);
        return tensor;
    }

    /// <summary>[rows, 1, 1].</summary>
    private Tensor Heads(double[] values) => new(Tensor(values, values.Length, 1).Storage, DType.F64, 0, values.Length, 1, 1);

    private double[] Read(Tensor tensor)
    {
        var values = new double[tensor.Count];
        _device.Download(tensor, values);
        return values;
    }
}
