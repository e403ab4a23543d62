// The machine's limits, measured in moments between repetitions: read bandwidth beyond the caches and FP32 multiply-adds.
using System.Diagnostics;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using Rt.Core;

namespace Rt.Cli.Bench;

/// <summary>One look at the machine.</summary>
/// <param name="ReadGBps">GB/s that all threads together read from memory; 1 GB = 1e9 bytes.</param>
/// <param name="FmaGflops">GFLOP/s of FP32 fused multiply-adds on all threads.</param>
public readonly record struct ProbeReading(double ReadGBps, double FmaGflops);

/// <summary>Measures what the machine can do right now, with the widest vectors that .NET accelerates.</summary>
/// <remarks>Takes a buffer of 1 GiB. A reading takes about a fifth of a second; each of its two figures is the better of two
/// trials; the two reads differ: each thread reads one stream, then four at once.</remarks>
public sealed class HardwareProbe : IDisposable
{
    private const int BufferFloats = 1 << 28;
    private const int FmaIterations = 4_000_000;
    private const int Accumulators = 12;

    private readonly int _threads;
    private readonly Tensor _buffer;
    private readonly float[] _sums;

    /// <param name="threads">Threads that measure together.</param>
    /// <exception cref="DeviceException">There is no memory for the buffer.</exception>
    public HardwareProbe(int threads)
    {
        _threads = threads;
        _sums = new float[threads];
        _buffer = HostTensors.Allocate(DType.F32, 1, 1, BufferFloats);
        // Pages of zeros may share one physical page until they are written.
        _buffer.HostSpan<float>().Fill(0.5f);
    }

    private static int Lanes => Vector512.IsHardwareAccelerated ? 16 : Vector256.IsHardwareAccelerated ? 8 : 4;

    /// <summary>Measures both limits.</summary>
    public ProbeReading Read()
    {
        var read = double.PositiveInfinity;
        var fma = double.PositiveInfinity;
        for (var trial = 0; trial < 2; trial++)
        {
            var streams = trial == 0 ? 1 : 4;
            read = Math.Min(read, Together(thread => ReadSlice(thread, streams)));
            fma = Math.Min(fma, Together(MultiplyAdd));
        }

        return new ProbeReading(
            BufferFloats * 4.0 / read / 1e9,
            2.0 * Lanes * Accumulators * FmaIterations * _threads / fma / 1e9);
    }

    /// <inheritdoc/>
    public void Dispose() => _buffer.Storage.Dispose();

    /// <summary>Runs <paramref name="work"/> on all threads at once; seconds from the common start to the last end.</summary>
    private double Together(Action<int> work)
    {
        var arrived = 0;
        var starts = new long[_threads];
        var ends = new long[_threads];
        var threads = Enumerable.Range(0, _threads).Select(thread => new Thread(() =>
        {
            // Spinning, so that all begin at once; threads that are too many for the processors give way to one another.
            Interlocked.Increment(ref arrived);
            var wait = new SpinWait();
            while (Volatile.Read(ref arrived) < _threads)
            {
                wait.SpinOnce(sleep1Threshold: -1);
            }

            starts[thread] = Stopwatch.GetTimestamp();
            work(thread);
            ends[thread] = Stopwatch.GetTimestamp();
        })).ToArray();
        Array.ForEach(threads, thread => thread.Start());
        Array.ForEach(threads, thread => thread.Join());
        return Stopwatch.GetElapsedTime(starts.Min(), ends.Max()).TotalSeconds;
    }

    private void ReadSlice(int thread, int streams)
    {
        var length = BufferFloats / _threads / 256 * 256;
        var slice = _buffer.HostSpan<float>().Slice(thread * length, length);
        var lanes = Lanes;
        // Four loads per turn: side by side, or each from its own quarter.
        var (end, step, apart) = streams == 1 ? (length, 4 * lanes, lanes) : (length / 4, lanes, length / 4);
        // Kept, so that the loads cannot be left out.
        _sums[thread] = lanes switch
        {
            16 => Sum512(slice, (nuint)end, (nuint)step, (nuint)apart),
            8 => Sum256(slice, (nuint)end, (nuint)step, (nuint)apart),
            _ => Sum128(slice, (nuint)end, (nuint)step, (nuint)apart),
        };
    }

    private void MultiplyAdd(int thread) => _sums[thread] =
        Lanes == 16 ? Fma512() : Lanes == 8 ? Fma256() : Fma128();

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static float Sum512(ReadOnlySpan<float> values, nuint end, nuint step, nuint apart)
    {
        ref var first = ref MemoryMarshal.GetReference(values);
        Vector512<float> a = default, b = default, c = default, d = default;
        for (nuint i = 0; i < end; i += step)
        {
            a += Vector512.LoadUnsafe(ref first, i);
            b += Vector512.LoadUnsafe(ref first, i + apart);
            c += Vector512.LoadUnsafe(ref first, i + 2 * apart);
            d += Vector512.LoadUnsafe(ref first, i + 3 * apart);
        }

        return Vector512.Sum(a + b + c + d);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static float Sum256(ReadOnlySpan<float> values, nuint end, nuint step, nuint apart)
    {
        ref var first = ref MemoryMarshal.GetReference(values);
        Vector256<float> a = default, b = default, c = default, d = default;
        for (nuint i = 0; i < end; i += step)
        {
            a += Vector256.LoadUnsafe(ref first, i);
            b += Vector256.LoadUnsafe(ref first, i + apart);
            c += Vector256.LoadUnsafe(ref first, i + 2 * apart);
            d += Vector256.LoadUnsafe(ref first, i + 3 * apart);
        }

        return Vector256.Sum(a + b + c + d);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static float Sum128(ReadOnlySpan<float> values, nuint end, nuint step, nuint apart)
    {
        ref var first = ref MemoryMarshal.GetReference(values);
        Vector128<float> a = default, b = default, c = default, d = default;
        for (nuint i = 0; i < end; i += step)
        {
            a += Vector128.LoadUnsafe(ref first, i);
            b += Vector128.LoadUnsafe(ref first, i + apart);
            c += Vector128.LoadUnsafe(ref first, i + 2 * apart);
            d += Vector128.LoadUnsafe(ref first, i + 3 * apart);
        }

        return Vector128.Sum(a + b + c + d);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static float Fma512()
    {
        var x = Vector512.Create(0.999f);
        var y = Vector512.Create(0.001f);
        Vector512<float> a = y, b = y, c = y, d = y, e = y, f = y, g = y, h = y, i = y, j = y, k = y, l = y;
        for (var n = 0; n < FmaIterations; n++)
        {
            a = Vector512.FusedMultiplyAdd(a, x, y);
            b = Vector512.FusedMultiplyAdd(b, x, y);
            c = Vector512.FusedMultiplyAdd(c, x, y);
            d = Vector512.FusedMultiplyAdd(d, x, y);
            e = Vector512.FusedMultiplyAdd(e, x, y);
            f = Vector512.FusedMultiplyAdd(f, x, y);
            g = Vector512.FusedMultiplyAdd(g, x, y);
            h = Vector512.FusedMultiplyAdd(h, x, y);
            i = Vector512.FusedMultiplyAdd(i, x, y);
            j = Vector512.FusedMultiplyAdd(j, x, y);
            k = Vector512.FusedMultiplyAdd(k, x, y);
            l = Vector512.FusedMultiplyAdd(l, x, y);
        }

        return Vector512.Sum(a + b + c + d + e + f + g + h + i + j + k + l);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static float Fma256()
    {
        var x = Vector256.Create(0.999f);
        var y = Vector256.Create(0.001f);
        Vector256<float> a = y, b = y, c = y, d = y, e = y, f = y, g = y, h = y, i = y, j = y, k = y, l = y;
        for (var n = 0; n < FmaIterations; n++)
        {
            a = Vector256.FusedMultiplyAdd(a, x, y);
            b = Vector256.FusedMultiplyAdd(b, x, y);
            c = Vector256.FusedMultiplyAdd(c, x, y);
            d = Vector256.FusedMultiplyAdd(d, x, y);
            e = Vector256.FusedMultiplyAdd(e, x, y);
            f = Vector256.FusedMultiplyAdd(f, x, y);
            g = Vector256.FusedMultiplyAdd(g, x, y);
            h = Vector256.FusedMultiplyAdd(h, x, y);
            i = Vector256.FusedMultiplyAdd(i, x, y);
            j = Vector256.FusedMultiplyAdd(j, x, y);
            k = Vector256.FusedMultiplyAdd(k, x, y);
            l = Vector256.FusedMultiplyAdd(l, x, y);
        }

        return Vector256.Sum(a + b + c + d + e + f + g + h + i + j + k + l);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static float Fma128()
    {
        var x = Vector128.Create(0.999f);
        var y = Vector128.Create(0.001f);
        Vector128<float> a = y, b = y, c = y, d = y, e = y, f = y, g = y, h = y, i = y, j = y, k = y, l = y;
        for (var n = 0; n < FmaIterations; n++)
        {
            a = Vector128.FusedMultiplyAdd(a, x, y);
            b = Vector128.FusedMultiplyAdd(b, x, y);
            c = Vector128.FusedMultiplyAdd(c, x, y);
            d = Vector128.FusedMultiplyAdd(d, x, y);
            e = Vector128.FusedMultiplyAdd(e, x, y);
            f = Vector128.FusedMultiplyAdd(f, x, y);
            g = Vector128.FusedMultiplyAdd(g, x, y);
            h = Vector128.FusedMultiplyAdd(h, x, y);
            i = Vector128.FusedMultiplyAdd(i, x, y);
            j = Vector128.FusedMultiplyAdd(j, x, y);
            k = Vector128.FusedMultiplyAdd(k, x, y);
            l = Vector128.FusedMultiplyAdd(l, x, y);
        }

        return Vector128.Sum(a + b + c + d + e + f + g + h + i + j + k + l);
    }
}
