// Dot products of rows of x with rows of W [out, in]: the form for few rows, where reading the weights is the cost.
// Every sum has one accumulator register over k, so its bits do not depend on how many rows are computed together; only a single row
// with 16-bit weights takes k in another order, unless bits must not depend on the batch.
namespace Rt.Cpu;

internal sealed unsafe partial class CpuOps<TW, TV>
{
    /// <summary>Rows of x that stay in the second-level cache while a chunk's weights are read again for the next ones.</summary>
    private const int DotRowBlock = 48;

    /// <summary>Most rows of x that take weight rows one by one.</summary>
    private const int MaxStreamingRows = 4;

    /// <summary>Weight rows that one call of a streaming kernel takes.</summary>
    private const int StreamedRows = 64;

    /// <summary>Elements of x that stay in the first-level cache beside a stream of weights.</summary>
    private const int StreamingResident = 4096;

    /// <summary>Longest row of 16-bit weights for which x stays in the first-level cache beside the stream. Measured.</summary>
    private const int LongestUnshared = 2304;

    /// <summary>Bytes of weights per row and step: with four such rows, six rows of x stay in the first-level cache.</summary>
    private const int DotDepthBytes = 2048;

    /// <summary>Elements between weight rows that were widened first.</summary>
    private const int WideStride = DotDepthBytes / sizeof(float) + 16;

    private static long DotScratch(int rows) => (long)Math.Min(rows, DotRowBlock) * 4 * TW.Count + 4 * WideStride;

    /// <summary>Whether widening these weights costs so much that it is done once and not once per group of rows.</summary>
    private static bool WidenFirst<TE>(int rows) => typeof(TE) == typeof(WeightF16) && rows > 4;

    private static void DotBlock<TE>(
        in MatMulPlan plan, in MatMulPart part, int first, int last, float* output, nint stride, bool accumulate, float* scratch)
        where TE : IWeightType
    {
        if (plan.Streams)
        {
            StreamBlock<TE>(plan, part, first, last, output, stride, accumulate);
            return;
        }

        for (var row = 0; row < plan.Rows; row += DotRowBlock)
        {
            var rows = Math.Min(DotRowBlock, plan.Rows - row);
            DotRows<TE>(
                plan, part, first, last, plan.PaddedRows + (long)row * plan.PaddedIn, rows, output + row * stride, stride, accumulate, scratch);
        }
    }

    private static void StreamBlock<TE>(
        in MatMulPlan plan, in MatMulPart part, int first, int last, float* output, nint stride, bool accumulate) where TE : IWeightType
    {
        var sums = stackalloc float[StreamedRows * MaxStreamingRows];
        var x = plan.PaddedRows;
        for (var n = first; n < last; n += StreamedRows)
        {
            var count = Math.Min(StreamedRows, last - n);
            var w = part.Weight + n * part.Stride * TE.Bytes;
            switch (plan.Rows)
            {
                case 1 when !TE.Unzipped: DotStream1<TE>(x, w, w, part.Stride, count, plan.In, sums); break;
                case 1 when plan.UnzippedRow != null:
                    var together = plan.In <= LongestUnshared ? 0 : count / 4 * 4;
                    var rest = w + together * part.Stride * TE.Bytes;
                    DotStream1x4<TE>(plan.UnzippedRow, w, w, part.Stride, together, plan.In, sums);
                    DotStream1<TE>(plan.UnzippedRow, rest, rest, part.Stride, count - together, plan.In, sums + together);
                    break;
                // The sums of more rows: those of the first of two that are the same.
                case 1: DotStream2<TE>(x, 0, w, part.Stride, count, plan.In, sums); break;
                case 2: DotStream2<TE>(x, plan.PaddedIn, w, part.Stride, count, plan.In, sums); break;
                case 3: DotStream3<TE>(x, plan.PaddedIn, w, part.Stride, count, plan.In, sums); break;
                default: DotStream4<TE>(x, plan.PaddedIn, w, part.Stride, count, plan.In, sums); break;
            }

            StoreDots(sums, plan.Rows, count, count, part, n, output + (n - first), stride, accumulate);
        }
    }

    private static void DotRows<TE>(
        in MatMulPlan plan, in MatMulPart part, int first, int last, float* x, int rows, float* output, nint stride, bool accumulate, float* scratch)
        where TE : IWeightType
    {
        var sums = stackalloc float[4 * 6];
        var wide = WidenFirst<TE>(rows);
        var widened = scratch + (long)rows * 4 * TW.Count;
        // Six rows and four weight rows of one depth fit the first-level cache: all rows pass over it before the next.
        var depth = DotDepthBytes / (wide ? sizeof(float) : TE.Bytes);
        int columns;
        for (var n = first; n < last; n += columns)
        {
            // The last rows of W one by one, as four times the same one.
            columns = n + 4 <= last ? 4 : 1;
            var wStride = columns == 4 ? part.Stride : 0;
            var w = part.Weight + n * part.Stride * TE.Bytes;
            for (var k = 0; k < plan.In; k += depth)
            {
                var count = Math.Min(depth, plan.In - k);
                var ends = k + count == plan.In;
                for (var i = 0; wide && i < 4; i++)
                {
                    Widening.Copy<TW, TV, TE>(w, i * wStride + k, count, widened + i * WideStride);
                }

                // While these rows pass, the same depth of the next four weight rows comes in.
                var upcoming = new UpcomingRows(
                    w + (4 * part.Stride + k) * TE.Bytes, part.Stride * TE.Bytes, n + 8 <= last ? 4 : 0, count * TE.Bytes);
                for (var row = 0; row < rows;)
                {
                    var taken = TakeRows(rows - row);
                    upcoming.Ask(row, row + taken, rows);
                    var from = x + (nint)row * plan.PaddedIn + k;
                    var lanes = scratch + row * 4 * TW.Count;
                    if (wide)
                    {
                        Dots<WeightF32>(
                            taken, from, plan.PaddedIn, (byte*)widened, WideStride, count, ends ? sums : null, lanes, k > 0);
                    }
                    else
                    {
                        Dots<TE>(
                            taken, from, plan.PaddedIn, w + (long)k * TE.Bytes, wStride, count, ends ? sums : null, lanes, k > 0);
                    }

                    if (ends)
                    {
                        StoreDots(sums, taken, 4, columns, part, n, output + row * stride + (n - first), stride, accumulate);
                    }

                    row += taken;
                }
            }
        }
    }

    private static void StoreDots(
        float* sums, int rows, int sumStride, int columns, in MatMulPart part, int n, float* output, nint stride, bool accumulate)
    {
        for (var i = 0; i < rows; i++)
        {
            for (var j = 0; j < columns; j++)
            {
                var sum = sums[i * sumStride + j];
                sum = part.Bias == null ? sum : sum + part.Bias[n + j];
                output[i * stride + j] = accumulate ? output[i * stride + j] + sum : sum;
            }
        }
    }

    /// <summary>How many of the rows left the registers take at once.</summary>
    private static int TakeRows(int rows) => TW.ManyRegisters
        ? rows switch { 1 or 2 or 3 or 4 or 6 => rows, 5 or 7 or 8 => 4, _ => 6 }
        : Math.Min(rows, 2);

    private static void Dots<TE>(
        int rows, float* x, nint xStride, byte* w, long wStride, int k, float* sums, float* lanes, bool resume) where TE : IWeightType
    {
        switch (rows)
        {
            case 1: Dot1x4<TE>(x, xStride, w, wStride, k, sums, lanes, resume); break;
            case 2: Dot2x4<TE>(x, xStride, w, wStride, k, sums, lanes, resume); break;
            case 3: Dot3x4<TE>(x, xStride, w, wStride, k, sums, lanes, resume); break;
            case 4: Dot4x4<TE>(x, xStride, w, wStride, k, sums, lanes, resume); break;
            default: Dot6x4<TE>(x, xStride, w, wStride, k, sums, lanes, resume); break;
        }
    }

    /// <summary>The last elements of weight rows, zeros behind them; nothing past a row is read, for a mapped file may end there.
    /// Called before a kernel's sums exist: across a call they would have to leave their registers.</summary>
    private static void LoadTails<TE>(byte* weights, long stride, int rows, nint first, int k, float* tails) where TE : IWeightType
    {
        for (var row = 0; row < rows; row++)
        {
            for (var i = 0; i < 16; i++)
            {
                tails[row * 16 + i] = first + i < k ? TE.LoadOne(weights, row * stride + first + i) : 0f;
            }
        }
    }
}
