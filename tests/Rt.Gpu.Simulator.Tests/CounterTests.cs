// Counters on known patterns, and their sameness for any number of threads and any order.
namespace Rt.Gpu.Simulator.Tests;

public sealed class CounterTests
{
    private static LaunchCounters Count(string body, int gridX = 1, int groupSize = 32, SimulatorOptions? options = null)
    {
        using var device = new Device(options);
        string text = Ptx.Text($"{Ptx.Parameters(2)}{Ptx.Elements(2, 4)}{body}", groupSize, 2);
        Assembler.Check(text);
        return device.Run(text, gridX, 0, device.Give(new int[8192]), device.Give(new int[8192]));
    }

    [Theory]
    [InlineData("ld.global.u32 %r1, [%rd20];", 4, 4, 128)]
    [InlineData("ld.global.u32 %r1, [%rd20+16];", 5, 4, 128)]
    [InlineData("mad.wide.u32 %rd1, %r60, 8, %rd10; ld.global.u32 %r1, [%rd1];", 8, 4, 128)]
    [InlineData("mad.wide.u32 %rd1, %r60, 32, %rd10; ld.global.u32 %r1, [%rd1];", 32, 4, 128)]
    [InlineData("mad.wide.u32 %rd1, %r60, 16, %rd10; ld.global.v4.u32 {%r1, %r2, %r3, %r4}, [%rd1];", 16, 16, 512)]
    [InlineData("ld.global.u32 %r1, [%rd10];", 1, 1, 4)]
    [InlineData("mad.wide.u32 %rd1, %r60, 2, %rd10; ld.global.u16 %r1, [%rd1];", 2, 2, 64)]
    [InlineData("setp.lt.u32 %p1, %r60, 8; @%p1 ld.global.u32 %r1, [%rd20];", 1, 1, 32)]
    [InlineData("xor.b32 %r2, %r60, 21; mad.wide.u32 %rd1, %r2, 4, %rd10; ld.global.u32 %r1, [%rd1];", 4, 4, 128)]
    public void GlobalLoad_Pattern_TouchesSectors(string body, int sectors, int ideal, int bytes)
    {
        var counters = Count(body);
        Assert.Equal(1, counters.GlobalLoadRequests);
        Assert.Equal(sectors, counters.GlobalLoadSectors);
        Assert.Equal(ideal, counters.GlobalLoadIdealSectors);
        Assert.Equal(bytes, counters.GlobalBytesRead);
    }

    [Theory]
    [InlineData("st.global.u32 [%rd21], %r60;", 4, 4, 128)]
    [InlineData("mad.wide.u32 %rd1, %r60, 64, %rd11; st.global.u32 [%rd1], %r60;", 32, 4, 128)]
    public void GlobalStore_Pattern_TouchesSectors(string body, int sectors, int ideal, int bytes)
    {
        var counters = Count(body);
        Assert.Equal(sectors, counters.GlobalStoreSectors);
        Assert.Equal(ideal, counters.GlobalStoreIdealSectors);
        Assert.Equal(bytes, counters.GlobalBytesWritten);
    }

    /// <summary>Lane l stores at word l times the stride: the degree of the conflict is the stride's power of two.</summary>
    [Theory]
    [InlineData(1, 0)]
    [InlineData(2, 1)]
    [InlineData(4, 3)]
    [InlineData(32, 31)]
    [InlineData(33, 0)]
    [InlineData(3, 0)]
    public void SharedStore_Stride_HasBankConflicts(int stride, int conflicts)
    {
        var counters = Count($".shared .align 16 .b8 tile[4224]; mov.u32 %r1, tile; mad.lo.u32 %r2, %r60, {4 * stride}, %r1; st.shared.u32 [%r2], %r60;");
        Assert.Equal(conflicts, counters.SharedBankConflicts);
        Assert.Equal(1 + conflicts, counters.SharedWavefronts);
        Assert.Equal(1, counters.SharedRequests);
    }

    [Theory]
    [InlineData("mad.lo.u32 %r2, %r60, 16, %r1; st.shared.v4.u32 [%r2], {%r60, %r60, %r60, %r60}; ld.shared.v4.u32 {%r3, %r4, %r5, %r6}, [%r2];", 0, 8)]
    [InlineData("mad.lo.u32 %r2, %r60, 8, %r1; st.shared.v2.u32 [%r2], {%r60, %r60}; ld.shared.v2.u32 {%r3, %r4}, [%r2];", 0, 4)]
    [InlineData("mad.lo.u32 %r2, %r60, 4, %r1; st.shared.u32 [%r2], %r60; bar.warp.sync 0xffffffff; ld.shared.u32 %r3, [%r1];", 0, 2)]
    [InlineData("mad.lo.u32 %r2, %r60, 32, %r1; st.shared.v4.u32 [%r2], {%r60, %r60, %r60, %r60};", 4, 8)]
    public void SharedAccess_WideOrBroadcast_GoesByPhases(string body, int conflicts, int wavefronts)
    {
        var counters = Count($".shared .align 16 .b8 tile[4096]; mov.u32 %r1, tile; {body}");
        Assert.Equal(conflicts, counters.SharedBankConflicts);
        Assert.Equal(wavefronts, counters.SharedWavefronts);
    }

    [Theory]
    [InlineData(16, 1)]
    [InlineData(32, 2)]
    [InlineData(128, 8)]
    [InlineData(144, 1)]
    public void MatrixLoad_RowStride_HasBankConflicts(int stride, int wavefronts)
    {
        var counters = Count($$"""
            .shared .align 16 .b8 tile[4608];
            mov.u32 %r1, tile;
            mad.lo.u32 %r2, %r60, {{stride}}, %r1;
            st.shared.v4.u32 [%r2], {%r60, %r60, %r60, %r60};
            bar.warp.sync 0xffffffff;
            ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%r3, %r4, %r5, %r6}, [%r2];
            """);
        // The store goes by the same quarters.
        Assert.Equal(2 * 4 * wavefronts, counters.SharedWavefronts);
    }

    [Fact]
    public void Arithmetic_Counted_ByKindAndThreads()
    {
        var counters = Count("""
            mov.f32 %f1, 0f3F800000;
            fma.rn.f32 %f2, %f1, %f1, %f1;
            mul.rn.f32 %f3, %f2, %f1;
            ex2.approx.f32 %f4, %f3;
            setp.lt.u32 %p1, %r60, 8;
            @%p1 add.rn.f32 %f5, %f3, %f3;
            bar.sync 0;
            """, gridX: 3, groupSize: 64);
        Assert.Equal(6 * 4, counters.OfKind(InstructionKind.Float) + counters.OfKind(InstructionKind.SpecialFunction));
        Assert.Equal(3 * ((64 * 3) + 8), counters.Flops);
        Assert.Equal(3 * 64, counters.SpecialFunctions);
        Assert.Equal(6, counters.Barriers);
        Assert.Equal(3, counters.Groups);
    }

    [Fact]
    public void Counters_AnyThreadsAndSeeds_AreTheSame()
    {
        const string Body = """
            mov.u32 %r1, %ctaid.x;
            and.b32 %r2, %r1, 7;
            mov.u32 %r3, 0;
            LOOP:
            add.u32 %r3, %r3, 1;
            setp.lt.u32 %p1, %r3, %r2;
            @%p1 bra LOOP;
            mad.lo.u32 %r4, %r1, 64, %r60;
            mad.wide.u32 %rd1, %r4, 4, %rd11;
            ld.global.u32 %r5, [%rd20];
            add.u32 %r5, %r5, %r4;
            st.global.u32 [%rd1], %r5;
            """;
        var one = Count(Body, 100, 64, new SimulatorOptions { Threads = 1, Seed = 1 });
        foreach (var options in new[] { new SimulatorOptions { Threads = 4, Seed = 1 }, new SimulatorOptions { Threads = 3, Seed = 99 } })
        {
            var other = Count(Body, 100, 64, options);
            Assert.Equal(one.ToString(), other.ToString());
            Assert.Equal(one.WarpInstructions, other.WarpInstructions);
            Assert.Equal(one.ThreadInstructions, other.ThreadInstructions);
            Assert.Equal(one.GlobalLoadSectors, other.GlobalLoadSectors);
        }
        Assert.Equal(200, one.OfKind(InstructionKind.StoreGlobal));
    }

    [Fact]
    public void Trace_OfOneThread_GivesInstructionsAndValues()
    {
        var lines = new List<string>();
        var options = new SimulatorOptions { Trace = new TraceRequest("k", 1, 37, 100, lines.Add) };
        Count("""
            mov.u32 %r1, %ctaid.x;
            setp.eq.u32 %p1, %r60, 37;
            mov.f32 %f1, 0f3FC00000;
            @%p1 add.rn.f32 %f2, %f1, %f1;
            @!%p1 mul.rn.f32 %f2, %f1, %f1;
            """, gridX: 2, groupSize: 64, options: options);
        Assert.Contains(lines, line => line.Contains("setp.eq.u32 %p1, %r60, 37  [%r60 = 0x25 -> %p1 = true]", StringComparison.Ordinal));
        Assert.Contains(lines, line => line.Contains("[%f1 = 1.5, %p1 = true -> %f2 = 3] kernels/Sample.cs:7", StringComparison.Ordinal));
        Assert.DoesNotContain(lines, line => line.Contains("mul.rn.f32", StringComparison.Ordinal));
    }

    [Fact]
    public void Counters_AsText_NameWhatHappened()
    {
        string text = Count("ld.global.u32 %r1, [%rd20+16]; bar.sync 0;", gridX: 2).ToString();
        Assert.Matches(@"global load sectors\s+10 \(ideal 8\)", text);
        Assert.Matches(@"  LoadGlobal\s+2\n", text);
        Assert.Matches(@"\nbarriers\s+2\n", text);
        Assert.DoesNotContain("Matrix", text, StringComparison.Ordinal);
    }
}
