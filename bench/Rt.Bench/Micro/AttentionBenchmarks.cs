// Attention of one layer: a token after many, a whole prompt, and many queries with and without a shared prefix.
using BenchmarkDotNet.Attributes;
using Rt.Core;
using Rt.Cpu;

namespace Rt.Bench.Micro;

/// <summary>Twelve heads of width 64; 512 entries of context; 32 queries of 16 tokens.</summary>
[MemoryDiagnoser]
public class AttentionBenchmarks
{
    private const int Heads = 12;
    private const int HeadDim = 64;
    private const int Context = 512;
    private const int Queries = 32;
    private const int QueryLength = 16;

    private static readonly AttentionOptions Options = new(0.125);

    private CpuDevice _device = null!;
    private KvCache _prefix = null!;
    private KvCache _single = null!;
    private KvCache _short = null!;
    private KvCache _long = null!;
    private RowBatch _decode = null!;
    private RowBatch _prefill = null!;
    private RowBatch _shared = null!;
    private RowBatch _copied = null!;
    private Tensor _query;
    private Tensor _result;

    /// <summary>Fewer than the query heads: grouped queries.</summary>
    [Params(12, 4)]
    public int KvHeads { get; set; }

    [GlobalSetup]
    public void Setup()
    {
        _device = new CpuDevice(CpuOptions.FromEnvironment());
        _query = Probe.Random(DType.F32, Math.Max(Context, Queries * QueryLength), Heads, HeadDim);
        _result = _device.Allocate(DType.F32, _query.Dim0, Heads, HeadDim);
        _prefix = Cache(1, Context);
        _single = Cache(1, Context + 1);
        _short = Cache(Queries, QueryLength);
        _long = Cache(Queries, Context + QueryLength);

        _decode = new RowBatch(1, 1).Reset(_single);
        _decode.Add(new int[1], 0, Context, 0);
        _prefill = new RowBatch(Context, 1).Reset(_single);
        _prefill.Add(new int[Context], 0, 0, 0);
        _shared = new RowBatch(Queries * QueryLength, Queries).Reset(_short);
        var index = _shared.AddPrefix(_prefix);
        _copied = new RowBatch(Queries * QueryLength, Queries).Reset(_long);
        for (var slot = 0; slot < Queries; slot++)
        {
            _shared.Add(new int[QueryLength], slot, 0, Context, index, Context);
            _copied.Add(new int[QueryLength], slot, Context, 0);
        }
    }

    [GlobalCleanup]
    public void Cleanup()
    {
        foreach (var cache in (KvCache[])[_prefix, _single, _short, _long])
        {
            cache.Dispose();
        }

        _query.Storage.Dispose();
        _result.Storage.Dispose();
        _device.Dispose();
    }

    /// <summary>One token over 512.</summary>
    [Benchmark]
    public void Decode() => Run(_decode);

    /// <summary>512 tokens, causal.</summary>
    [Benchmark]
    public void Prefill() => Run(_prefill);

    /// <summary>Every query over one kept prefix.</summary>
    [Benchmark]
    public void QueriesSharedPrefix() => Run(_shared);

    /// <summary>Every query over its own copy of the prefix.</summary>
    [Benchmark]
    public void QueriesCopiedPrefix() => Run(_copied);

    private void Run(RowBatch rows) =>
        _device.Attention(_query.Slice(0, rows.RowCount), rows, 0, Options, _result.Slice(0, rows.RowCount));

    private KvCache Cache(int slots, int capacity)
    {
        var cache = new KvCache(_device, 1, slots, KvHeads, capacity, HeadDim);
        var random = new Random(slots);
        foreach (var tensor in (Tensor[])[cache[0].Key, cache[0].Value])
        {
            foreach (ref var value in tensor.HostSpan<float>())
            {
                value = random.NextSingle() - 0.5f;
            }
        }

        return cache;
    }
}
