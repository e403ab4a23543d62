// How the addresses of a shared-memory instruction lie to each other: the same each time it runs, as a rule.
using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Rt.Gpu.Simulator.Execution;

/// <summary>A stretch of addresses side by side. Where each is one lane's, the lanes follow each other from <see cref="Lane"/>.</summary>
internal struct AccessRun
{
    /// <summary>From the first lane's address.</summary>
    public int Offset;

    public int Bytes;

    public int Lane;

    /// <summary>Two lanes or more use each address.</summary>
    public bool Several;
}

/// <summary>What follows from the differences between the lanes' addresses: stretches and bank conflicts.</summary>
internal unsafe struct AccessPattern
{
    public fixed uint Offsets[32];
    public uint Mask;
    public int Bytes;
    public int Lowest;
    public int Highest;

    /// <summary>All differences are multiples of the size.</summary>
    public bool Aligned;

    public bool AnySeveral;

    /// <summary>Passes that the request takes, and the least that its size needs.</summary>
    public int Wavefronts;
    public int LeastWavefronts;

    public int RunCount;
    public fixed byte RunBytes[32 * 16];

    public ref AccessRun Run(int n)
    {
        fixed (byte* runs = RunBytes)
        {
            return ref ((AccessRun*)runs)[n];
        }
    }

    /// <summary>Whether the addresses lie as they did; those of lanes outside the mask must equal the first one's.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public readonly bool Matches(uint* addresses, uint mask, int bytes)
    {
        if (mask != Mask || bytes != Bytes)
        {
            return false;
        }
        var first = Vector512.Create(addresses[0]);
        fixed (uint* offsets = Offsets)
        {
            var differs = (Vector512.Load(addresses) - first ^ Vector512.Load(offsets))
                | (Vector512.Load(addresses + 16) - first ^ Vector512.Load(offsets + 16));
            return differs == Vector512<uint>.Zero;
        }
    }

    /// <summary>Works the pattern out.</summary>
    public void Learn(uint* addresses, uint mask, int bytes)
    {
        Mask = mask;
        Bytes = bytes;
        Lowest = int.MaxValue;
        Highest = int.MinValue;
        Aligned = true;
        AnySeveral = false;
        RunCount = 0;
        Span<(int Offset, int Lane)> sorted = stackalloc (int, int)[32];
        int count = 0;
        for (int l = 0; l < 32; l++)
        {
            int offset = (int)(addresses[l] - addresses[0]);
            Offsets[l] = (uint)offset;
            if ((mask >> l & 1) != 0)
            {
                Lowest = Math.Min(Lowest, offset);
                Highest = Math.Max(Highest, offset);
                Aligned &= offset % bytes == 0;
                sorted[count++] = (offset, l);
            }
        }
        sorted[..count].Sort();
        for (int n = 0; n < count;)
        {
            int next = n + 1;
            while (next < count && sorted[next].Offset == sorted[n].Offset)
            {
                next++;
            }
            bool several = next - n > 1;
            AnySeveral |= several;
            bool extends = false;
            if (RunCount > 0)
            {
                ref var last = ref Run(RunCount - 1);
                extends = sorted[n].Offset == last.Offset + last.Bytes && several == last.Several
                    && (several || sorted[n].Lane == last.Lane + (last.Bytes / bytes));
            }
            if (extends)
            {
                Run(RunCount - 1).Bytes += bytes;
            }
            else
            {
                Run(RunCount++) = new AccessRun { Offset = sorted[n].Offset, Bytes = bytes, Lane = sorted[n].Lane, Several = several };
            }
            n = next;
        }
        CountWavefronts(addresses, mask, bytes);
    }

    /// <summary>Banks of 4 bytes, 32 of them; 8-byte accesses go by half warps, 16-byte accesses by quarters. A pass serves one word
    /// of each bank, to any number of lanes.</summary>
    private void CountWavefronts(uint* addresses, uint mask, int bytes)
    {
        int lanesPerPhase = bytes <= 4 ? 32 : bytes == 8 ? 16 : 8;
        Wavefronts = 0;
        LeastWavefronts = 0;
        for (int start = 0; start < 32; start += lanesPerPhase)
        {
            uint phase = mask & (lanesPerPhase == 32 ? Lanes.All : ((1u << lanesPerPhase) - 1) << start);
            if (phase != 0)
            {
                Wavefronts += WavefrontsOf(addresses, phase, bytes);
                LeastWavefronts++;
            }
        }
    }

    /// <summary>The most different words that one bank is asked for.</summary>
    private static int WavefrontsOf(uint* addresses, uint lanes, int bytes)
    {
        Span<uint> words = stackalloc uint[32];
        Span<int> inBank = stackalloc int[32];
        inBank.Clear();
        int distinct = 0;
        int most = 1;
        for (uint rest = lanes; rest != 0; rest &= rest - 1)
        {
            int l = BitOperations.TrailingZeroCount(rest);
            for (uint b = 0; b < bytes; b += 4)
            {
                uint word = (addresses[l] + b) >> 2;
                if (!words[..distinct].Contains(word))
                {
                    words[distinct++] = word;
                    most = Math.Max(most, ++inBank[(int)(word & 31)]);
                }
            }
        }
        return most;
    }
}
