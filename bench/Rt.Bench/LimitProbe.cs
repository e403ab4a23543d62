// What the machine can do at all: fused multiply-adds in registers, and reads from memory, on as many threads as the device has.
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using Rt.Core;
using Rt.Cpu;

namespace Rt.Bench;

internal static unsafe class LimitProbe
{
    public static void Run(CpuDevice device)
    {
        var threads = device.Options.Threads ?? Environment.ProcessorCount;
        foreach (var count in threads > 1 ? [1, threads] : (int[])[1])
        {
            var time = Probe.Time(() => OnThreads(count, _ => MultiplyAdds(4_000_000)));
            Probe.Report($"limits: F32 multiply-add, {count} threads", time, count * 4_000_000.0 * 24 * Vector512<float>.Count * 2, "GFLOP/s");
        }

        using var memory = new HostMemory(1L << 30);
        foreach (var count in threads > 1 ? [1, threads] : (int[])[1])
        {
            var part = memory.ByteLength / count;
            var time = Probe.Time(() => OnThreads(count, i => Read(memory.Pointer + i * part, part)), 2);
            Probe.Report($"limits: read of 1 GiB, {count} threads", time, memory.ByteLength, "GB/s");
        }
    }

    private static void OnThreads(int count, Action<int> action)
    {
        var others = new Thread[count - 1];
        for (var i = 0; i < others.Length; i++)
        {
            var index = i + 1;
            others[i] = new Thread(() => action(index));
            others[i].Start();
        }

        action(0);
        foreach (var thread in others)
        {
            thread.Join();
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization | MethodImplOptions.NoInlining)]
    private static Vector512<float> MultiplyAdds(int count)
    {
        var x = Vector512.Create(0.999f);
        Vector512<float> a0 = x, a1 = x, a2 = x, a3 = x, a4 = x, a5 = x, a6 = x, a7 = x, a8 = x, a9 = x, a10 = x, a11 = x;
        for (var i = 0; i < count; i++)
        {
            a0 = Step(a0, x); a1 = Step(a1, x); a2 = Step(a2, x); a3 = Step(a3, x); a4 = Step(a4, x); a5 = Step(a5, x);
            a6 = Step(a6, x); a7 = Step(a7, x); a8 = Step(a8, x); a9 = Step(a9, x); a10 = Step(a10, x); a11 = Step(a11, x);
            a0 = Step(a0, x); a1 = Step(a1, x); a2 = Step(a2, x); a3 = Step(a3, x); a4 = Step(a4, x); a5 = Step(a5, x);
            a6 = Step(a6, x); a7 = Step(a7, x); a8 = Step(a8, x); a9 = Step(a9, x); a10 = Step(a10, x); a11 = Step(a11, x);
        }

        return a0 + a1 + a2 + a3 + a4 + a5 + a6 + a7 + a8 + a9 + a10 + a11;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<float> Step(Vector512<float> a, Vector512<float> x) => Vector512.FusedMultiplyAdd(a, x, x);

    [MethodImpl(MethodImplOptions.AggressiveOptimization | MethodImplOptions.NoInlining)]
    private static Vector512<long> Read(byte* from, long bytes)
    {
        Vector512<long> a = default, b = default, c = default, d = default;
        for (var end = from + bytes - 256; from <= end; from += 256)
        {
            a ^= Vector512.Load((long*)from);
            b ^= Vector512.Load((long*)(from + 64));
            c ^= Vector512.Load((long*)(from + 128));
            d ^= Vector512.Load((long*)(from + 192));
        }

        return a ^ b ^ c ^ d;
    }
}
