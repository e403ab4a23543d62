// MatMul: destination = x Wᵀ + b for weights as they are stored. Which of four forms runs depends on rows and layout:
// [out, in] few rows: dot products; [out, in] many rows: packed tiles; [in, out] likewise as scaled sums of rows, or packed tiles.
using Rt.Core;

namespace Rt.Cpu;

/// <summary>One part of a linear map as the kernels see it.</summary>
internal unsafe struct MatMulPart
{
    public byte* Weight;
    public long Stride;
    public DType Type;
    public bool InputMajor;

    /// <summary>In F32, or null.</summary>
    public float* Bias;

    /// <summary>Outputs of this part, and its first column in the whole map's output.</summary>
    public int Out, Column;

    /// <summary>Outputs that one chunk computes, and the part's first chunk.</summary>
    public int ChunkOut, FirstChunk;

    /// <summary>[slabs, rows, padded columns] sums over slabs of k; null where a chunk sums over all of k.</summary>
    public float* SlabSums;
}

/// <summary>A linear map and its packed argument.</summary>
internal unsafe struct MatMulPlan
{
    public MatMulPart* Parts;
    public int PartCount;
    public int ChunkCount;
    public int Rows, In;

    /// <summary>Whether [out, in] parts run as dot products, and [in, out] parts as sums of rows; else as packed tiles.</summary>
    public bool Dot, RowSums;

    /// <summary>Whether dot products take the weight rows as a single stream.</summary>
    public bool Streams;

    /// <summary>Slabs of k of [in, out] parts; 0 where chunks are made of outputs.</summary>
    public int Slabs;

    /// <summary>x [rows, PaddedIn], zeros after In; for dot products and sums of rows.</summary>
    public float* PaddedRows;
    public int PaddedIn;

    /// <summary>A single row of x, each whole pair of registers as its even and its odd elements; for <see cref="IWeightType.Unzipped"/>
    /// weights, unless sums must be those of more rows.</summary>
    public float* UnzippedRow;

    /// <summary>xᵀ in panels of up to three registers of rows, each [In, lanes]; for packed [out, in].</summary>
    public float* Panels;

    /// <summary>x in sides of eight rows and <see cref="Tile.Depth"/> columns; for packed [in, out].</summary>
    public float* Sides;

    /// <summary>Scratch of the threads, and its bytes per thread.</summary>
    public byte* Scratch;
    public long ScratchStride;

    /// <summary>The part that a chunk belongs to.</summary>
    public readonly ref MatMulPart PartOf(int chunk)
    {
        var p = PartCount - 1;
        while (Parts[p].FirstChunk > chunk)
        {
            p--;
        }

        return ref Parts[p];
    }
}

internal sealed unsafe partial class CpuOps<TW, TV>
{
    /// <summary>Most rows that run as dot products: from here on packing the rows pays.</summary>
    private const int MaxDotRows = 28;

    /// <summary>Sums of weight rows that stay in the first-level cache beside the rows themselves.</summary>
    private const int RowSumsResident = 4096;

    /// <summary>Most rows that run as sums of weight rows for [in, out].</summary>
    private const int MaxSumRows = 28;

    public override void MatMul(Tensor x, Linear linear, bool accumulate, Tensor destination)
    {
        if (x.Rows == 0)
        {
            return;
        }

        var plan = PlanMatMul(linear, x.Rows, scratchFloats: 0);
        PackRows(ref plan, (float*)x.HostPointer(), (nint)x.Stride1);
        var job = new MatMulJob
        {
            Plan = plan,
            Accumulate = accumulate,
            Destination = (float*)destination.HostPointer(),
            DestinationStride = (nint)destination.Stride1,
        };
        if (x.Rows <= MaxStreamingRows)
        {
            ExpectNextProduct(plan);
        }

        pool.Run(ref job, plan.ChunkCount);
        for (var p = 0; p < plan.PartCount; p++)
        {
            if (plan.Parts[p].SlabSums != null)
            {
                StoreSlabs(plan, plan.Parts[p], job.Destination + plan.Parts[p].Column, job.DestinationStride, accumulate);
            }
        }
    }

    /// <summary>Chooses the form, lays the parts out in chunks and reserves scratch.</summary>
    /// <param name="linear">The map.</param>
    /// <param name="rows">Rows of the argument.</param>
    /// <param name="scratchFloats">F32 elements per thread that the caller wants at the start of each thread's scratch.</param>
    /// <param name="chunkOut">Outputs per chunk where the caller fixes them, else 0.</param>
    private MatMulPlan PlanMatMul(Linear linear, int rows, long scratchFloats, int chunkOut = 0)
    {
        var plan = new MatMulPlan
        {
            PartCount = linear.Parts.Length,
            Rows = rows,
            In = linear.In,
            Dot = batchInvariant || rows <= MaxDotRows,
            RowSums = rows <= MaxSumRows,
            PaddedIn = (linear.In + TW.Count - 1) / TW.Count * TW.Count,
            // Packed rows would sum the same outputs in another order.
            Slabs = !batchInvariant && chunkOut == 0 ? SlabsOf(rows, linear) : 0,
        };
        // A few rows wait for memory, which is fastest as one stream; more rows, or rows too long to stay in the first-level cache
        // beside the stream, share each load among four weight rows.
        plan.Streams = rows == 1 || (rows <= MaxStreamingRows && rows * plan.PaddedIn <= StreamingResident);
        var (biasFloats, slabFloats) = (0L, 0L);
        foreach (var part in linear.Parts)
        {
            biasFloats += part.Bias is null ? 0 : part.Out;
            slabFloats += part.InputMajor ? SlabFloats(plan, part.Out) : 0;
        }

        var partBytes = (sizeof(MatMulPart) * plan.PartCount + 63) & ~63;
        var memory = workspace.Parts.Bytes(partBytes + (biasFloats + slabFloats) * sizeof(float));
        plan.Parts = (MatMulPart*)memory;
        var slabSums = (float*)(memory + partBytes);
        var biases = slabSums + slabFloats;
        var column = 0;
        var scratch = 0L;
        for (var p = 0; p < plan.PartCount; p++)
        {
            ref readonly var source = ref linear.Parts[p];
            ref var part = ref plan.Parts[p];
            part = new MatMulPart
            {
                Weight = source.Weight.HostPointer(),
                Stride = source.Weight.Stride1,
                Type = source.Weight.DType,
                InputMajor = source.InputMajor,
                Out = source.Out,
                Column = column,
                FirstChunk = plan.ChunkCount,
            };
            if (source.Bias is { } bias)
            {
                part.Bias = AsF32(bias, biases);
                biases += part.Out;
            }

            if (part.InputMajor && plan.Slabs > 0)
            {
                part.SlabSums = slabSums;
                slabSums += SlabFloats(plan, part.Out);
                part.ChunkOut = SlabOutputs(plan, part.Out);
            }
            else
            {
                part.ChunkOut = chunkOut > 0 ? chunkOut : ChunkOutputs(plan, part.InputMajor, linear.Out);
            }

            plan.ChunkCount += (part.Out + part.ChunkOut - 1) / part.ChunkOut * (part.SlabSums == null ? 1 : plan.Slabs);
            scratch = Math.Max(scratch, BlockScratchFloats(plan, part));
            column += part.Out;
        }

        // A head's block of logits comes first; the forms' own scratch follows it.
        plan.Scratch = workspace.PerWorker((scratchFloats + scratch) * sizeof(float), out plan.ScratchStride)
            + scratchFloats * sizeof(float);
        return plan;
    }

    /// <summary>Outputs per chunk: enough chunks to share evenly, few enough that each streams its weights.</summary>
    private int ChunkOutputs(in MatMulPlan plan, bool inputMajor, int totalOut)
    {
        int Share(int perThread, int unit, int most)
        {
            var wanted = totalOut / (pool.Threads * perThread);
            return Math.Clamp((wanted + unit - 1) / unit * unit, unit, most);
        }

        return inputMajor
            ? plan.RowSums ? Share(2, 64, Math.Clamp(RowSumsResident / plan.Rows / 64 * 64, 64, 1024)) : Share(6, PanelLanes, 2 * PanelLanes)
            : plan.Dot ? Share(8, Tile.Rows, 128) : Share(6, Tile.Rows, PackedOutputs);
    }

    private long BlockScratchFloats(in MatMulPlan plan, in MatMulPart part) => part.InputMajor
        ? plan.RowSums ? RowSumsScratch(plan.Rows, part.ChunkOut) : PackedInputMajorScratch(plan.Rows)
        : plan.Dot ? DotScratch(plan.Rows) : PackedScratch(plan.Rows);

    /// <summary>Lays x out as the plan's forms read it, on all threads.</summary>
    private void PackRows(ref MatMulPlan plan, float* x, nint stride)
    {
        var padded = false;
        var unzipped = false;
        var panels = false;
        var sides = false;
        for (var p = 0; p < plan.PartCount; p++)
        {
            ref readonly var part = ref plan.Parts[p];
            var takesUnzipped = !part.InputMajor && plan.Rows == 1 && !batchInvariant && part.Type != DType.F32;
            unzipped |= takesUnzipped;
            padded |= part.InputMajor ? plan.RowSums : plan.Dot && !takesUnzipped;
            panels |= !part.InputMajor && !plan.Dot;
            sides |= part.InputMajor && !plan.RowSums;
        }

        var paddedSize = padded ? (long)plan.Rows * plan.PaddedIn : 0;
        var unzippedSize = unzipped ? (long)plan.PaddedIn : 0;
        var panelSize = panels ? (long)PanelRows(plan.Rows) * plan.In : 0;
        var sideSize = sides ? SidesSize(plan) : 0;
        // Each region starts on a cache line.
        paddedSize = (paddedSize + 15) & ~15L;
        unzippedSize = (unzippedSize + 15) & ~15L;
        panelSize = (panelSize + 15) & ~15L;
        var memory = workspace.PackedRows.Floats(paddedSize + unzippedSize + panelSize + sideSize);
        plan.PaddedRows = padded ? memory : null;
        plan.UnzippedRow = unzipped ? memory + paddedSize : null;
        plan.Panels = panels ? memory + paddedSize + unzippedSize : null;
        plan.Sides = sides ? memory + paddedSize + unzippedSize + panelSize : null;
        if (padded)
        {
            CopyPadded(plan, x, stride);
        }

        if (unzipped)
        {
            CopyUnzipped(plan, x);
        }

        if (panels)
        {
            var job = new PackPanelsJob { Plan = plan, X = x, Stride = stride };
            pool.Run(ref job, job.Chunks);
        }

        if (sides)
        {
            var job = new PackSidesJob { Plan = plan, X = x, Stride = stride };
            pool.Run(ref job, job.Chunks);
        }
    }

    private static void CopyPadded(in MatMulPlan plan, float* x, long stride)
    {
        for (var row = 0; row < plan.Rows; row++)
        {
            CopyPadded(x + row * stride, plan.In, plan.PaddedRows + (long)row * plan.PaddedIn, plan.PaddedIn);
        }
    }

    private static void CopyUnzipped(in MatMulPlan plan, float* x)
    {
        var pairs = InPairs(plan.In);
        for (nint i = 0; i < pairs; i += 2 * TW.Count)
        {
            TW.Unzip(TW.Load(x + i), TW.Load(x + i + TW.Count), out var even, out var odd);
            TW.Store(even, plan.UnzippedRow + i);
            TW.Store(odd, plan.UnzippedRow + i + TW.Count);
        }

        CopyPadded(x + pairs, (int)(plan.In - pairs), plan.UnzippedRow + pairs, (int)(plan.PaddedIn - pairs));
    }

    private static void CopyPadded(float* x, int count, float* padded, int paddedCount)
    {
        var target = new Span<float>(padded, paddedCount);
        new ReadOnlySpan<float>(x, count).CopyTo(target);
        target[count..].Clear();
    }

    /// <summary>Outputs [first, last) of one part for all rows, into out[row * stride + output - first].</summary>
    private static void MatMulBlock(
        in MatMulPlan plan, in MatMulPart part, int first, int last, float* output, nint stride, bool accumulate, int worker)
    {
        var scratch = (float*)(plan.Scratch + worker * plan.ScratchStride);
        switch (part.Type)
        {
            case DType.F32: MatMulBlock<WeightF32>(plan, part, first, last, output, stride, accumulate, scratch); break;
            case DType.F16: MatMulBlock<WeightF16>(plan, part, first, last, output, stride, accumulate, scratch); break;
            case DType.BF16: MatMulBlock<WeightBF16>(plan, part, first, last, output, stride, accumulate, scratch); break;
            default: throw new ShapeException($"the cpu device does not compute with {part.Type} weights");
        }
    }

    private static void MatMulBlock<TE>(
        in MatMulPlan plan, in MatMulPart part, int first, int last, float* output, nint stride, bool accumulate, float* scratch)
        where TE : IWeightType
    {
        if (part.InputMajor)
        {
            if (plan.RowSums)
            {
                RowSumsBlock<TE>(plan, part, first, last, output, stride, accumulate, scratch);
            }
            else
            {
                PackedInputMajorBlock<TE>(plan, part, first, last, output, stride, accumulate, scratch);
            }
        }
        else if (plan.Dot)
        {
            DotBlock<TE>(plan, part, first, last, output, stride, accumulate, scratch);
        }
        else
        {
            PackedBlock<TE>(plan, part, first, last, output, stride, accumulate, scratch);
        }
    }

    private struct MatMulJob : IJob
    {
        public MatMulPlan Plan;
        public float* Destination;
        public nint DestinationStride;
        public bool Accumulate;

        public void Run(int chunk, int worker)
        {
            ref var part = ref Plan.PartOf(chunk);
            if (part.SlabSums != null)
            {
                SumSlab(Plan, part, chunk - part.FirstChunk, worker);
                return;
            }

            var first = (chunk - part.FirstChunk) * part.ChunkOut;
            var last = Math.Min(part.Out, first + part.ChunkOut);
            MatMulBlock(
                Plan, part, first, last, Destination + part.Column + first, DestinationStride, Accumulate, worker);
        }
    }
}
