// Planted faults of every kind: each must be caught, named, and placed.
namespace Rt.Gpu.Simulator.Tests;

public sealed class FaultTests
{
    private const string Tile = ".shared .align 16 .b8 tile[512];\nmov.u32 %r50, tile;\nmad.lo.u32 %r51, %r60, 4, %r50;\n";

    /// <summary>Runs a kernel with three parameters: 64 ints to read, room for 64 ints that nothing wrote, and 64 zeros.</summary>
    private static SimulatorException Fault(
        string body, int groupSize = 32, int gridX = 1, int sharedBytes = 0, string module = "", SimulatorOptions? options = null)
    {
        using var device = new Device(options ?? new SimulatorOptions { Threads = 1 });
        string text = Ptx.Text($"""
            {Ptx.Parameters(3)}{Ptx.Elements(3, 4)}
            {body}
            ret;
            """, groupSize, 3, module);
        Assembler.Check(text);
        long given = device.Give(Enumerable.Range(0, 64).ToArray());
        long room = device.Room<int>(64);
        long zeros = device.Give(new int[64]);
        return Assert.Throws<SimulatorException>(() => device.Run(text, gridX, sharedBytes, given, room, zeros));
    }

    private static void Caught(SimulatorException fault, string problem, int thread = -1, int group = 0)
    {
        Assert.Contains(problem, fault.Message, StringComparison.Ordinal);
        Assert.Contains("kernels/Sample.cs:7", fault.Message, StringComparison.Ordinal);
        Assert.True(fault.PtxLine > 0);
        if (thread >= 0)
        {
            Assert.Equal(thread, fault.ThreadIndex);
            Assert.Equal(group, fault.GroupIndex);
        }
    }

    [Fact]
    public void Load_PastTheEnd_NamesAllocationAndByte() =>
        Caught(Fault("ld.global.u32 %r1, [%rd20+132];"), "load of 4 bytes out of bounds: byte 256 of allocation 1 of 256 bytes", 31);

    [Fact]
    public void Load_BeforeTheStart_NamesAllocation() =>
        Caught(Fault("ld.global.u32 %r1, [%rd10+-4];"), "4 bytes before allocation 1 of 256 bytes", 0);

    [Fact]
    public void Load_FromNoAllocation_IsOutOfBounds() =>
        Caught(Fault("mov.u64 %rd1, 64; ld.global.u32 %r1, [%rd1];"), "0x40, which is in no allocation", 0);

    [Fact]
    public void Load_AddressNextToAnotherAllocation_DoesNotReachIt() =>
        Caught(Fault("ld.global.u32 %r1, [%rd10+256];"), "byte 256 of allocation 1 of 256 bytes", 0);

    [Fact]
    public void Store_PastTheEnd_IsOutOfBounds() =>
        Caught(Fault("setp.eq.u32 %p1, %r60, 9; @%p1 st.global.v4.u32 [%rd10+256], {%r60, %r60, %r60, %r60};"), "store of 16 bytes out of bounds", 9);

    [Fact]
    public void Load_FromFreedMemory_SaysSo()
    {
        using var device = new Device();
        string text = Ptx.Text($"{Ptx.Parameters(1)} ld.global.u32 %r1, [%rd10];");
        long address = device.Give(1, 2, 3);
        device.Gpu.Free(address);
        Caught(Assert.Throws<SimulatorException>(() => device.Run(text, 1, 0, address)), "which was freed", 0);
    }

    [Fact]
    public void Load_Misaligned_IsCaught() =>
        Caught(Fault("ld.global.v2.u32 {%r1, %r2}, [%rd20];"), "misaligned load: 8 bytes at byte 4 of allocation 1", 1);

    [Fact]
    public void Store_Misaligned_IsCaught() => Caught(Fault("st.global.u32 [%rd12+2], %r60;"), "misaligned store", 0);

    [Fact]
    public void Load_OfMemoryNothingWrote_IsCaught() =>
        Caught(Fault("ld.global.u32 %r1, [%rd21];"), "read of memory that nothing wrote: 4 bytes at byte 0 of allocation 2", 0);

    [Fact]
    public void Load_OfOneUnwrittenByteInARun_IsCaught()
    {
        using var device = new Device();
        string text = Ptx.Text($"{Ptx.Parameters(1)}{Ptx.Elements(1, 4)} ld.global.u32 %r1, [%rd20];");
        long address = device.Room<int>(32);
        device.Gpu.Clear(address, 128);
        device.Gpu.MarkUnwritten(address + 77, 1);
        Caught(Assert.Throws<SimulatorException>(() => device.Run(text, 1, 0, address)), "read of memory that nothing wrote", 19);
    }

    [Fact]
    public void SharedMemory_NothingWrote_IsCaught() =>
        Caught(Fault(Tile + "ld.shared.u32 %r1, [%r51];"), "read of memory that nothing wrote: byte 0 of shared variable tile of 512 bytes", 0);

    [Fact]
    public void Register_WrittenOnOnePathOnly_IsCaught() =>
        Caught(Fault("setp.lt.u32 %p1, %r60, 3; @%p1 mov.u32 %r1, 5; add.u32 %r2, %r1, 1;"), "read of register %r1, which nothing wrote", 3);

    [Fact]
    public void Register_WrittenOnThePathTaken_IsNoFault()
    {
        using var device = new Device();
        device.Run(Ptx.Text("mov.u32 %r60, %tid.x; setp.lt.u32 %p1, %r60, 3; @%p1 mov.u32 %r1, 5; @!%p1 mov.u32 %r1, 6; add.u32 %r2, %r1, 1;", parameters: 0));
    }

    [Fact]
    public void Predicate_NothingWrote_IsCaught() => Caught(Fault("@%p5 mov.u32 %r1, 5;"), "read of register %p5, which nothing wrote", 0);

    [Fact]
    public void SharedMemory_PastTheEnd_IsOutOfBounds() =>
        Caught(Fault(Tile + "st.shared.u32 [%r51+388], %r60;"), "out of bounds: byte 512 of shared variable tile of 512 bytes", 31);

    [Fact]
    public void SharedMemory_IntoTheNextVariable_IsOutOfBounds() =>
        Caught(Fault(".shared .align 4 .b8 first[4]; .shared .align 4 .b8 second[4]; setp.eq.u32 %p1, %r60, 0; @%p1 st.shared.u32 [first+4], %r60;"),
            "out of bounds", 0);

    [Fact]
    public void SharedMemory_Misaligned_IsCaught() => Caught(Fault(Tile + "st.shared.v4.u32 [%r50+8], {%r60, %r60, %r60, %r60};"), "misaligned shared store", 0);

    [Fact]
    public void SharedRace_WriteThenReadByAnotherWarp_IsCaught() =>
        Caught(Fault(Tile + "st.shared.u32 [%r51], %r60; bar.sync 0; st.shared.u32 [%r51], %r60; xor.b32 %r2, %r60, 32; mad.lo.u32 %r3, %r2, 4, %r50; ld.shared.u32 %r1, [%r3]; bar.sync 0;", 64),
            "with no barrier between");

    [Fact]
    public void SharedRace_WriteThenReadWithinAWarp_IsCaught() =>
        Caught(Fault(Tile + "st.shared.u32 [%r51], %r60; xor.b32 %r2, %r60, 1; mad.lo.u32 %r3, %r2, 4, %r50; ld.shared.u32 %r1, [%r3];"),
            "race in shared memory: read of byte 4 of shared variable tile of 512 bytes, which thread 1 wrote", 0);

    [Fact]
    public void SharedRace_ExchangeWithinAWarpAroundABarrier_IsNoFault()
    {
        using var device = new Device();
        string text = Ptx.Text($"""
            mov.u32 %r60, %tid.x;
            {Tile}
            st.shared.u32 [%r51], %r60;
            bar.warp.sync 0xffffffff;
            xor.b32 %r2, %r60, 1;
            mad.lo.u32 %r3, %r2, 4, %r50;
            ld.shared.u32 %r1, [%r3];
            bar.warp.sync 0xffffffff;
            st.shared.u32 [%r51], %r1;
            """, 64, 0);
        Assembler.Check(text);
        device.Run(text);
    }

    [Fact]
    public void SharedRace_ReadThenWriteByAnotherThread_IsCaught() =>
        Caught(Fault(Tile + "st.shared.u32 [%r51], %r60; bar.sync 0; ld.shared.u32 %r1, [%r50]; setp.eq.u32 %p1, %r60, 0; @%p1 st.shared.u32 [%r50], %r1;", 64),
            "read with no barrier between", 0);

    [Fact]
    public void SharedRace_TwoThreadsWriteOnePlace_IsCaught() =>
        Caught(Fault(Tile + "st.shared.u32 [%r50], %r60;"), "write of byte 0 of shared variable tile of 512 bytes, which thread 0 wrote", 1);

    [Fact]
    public void SharedRace_ReadAfterOthersAtomics_IsCaught() =>
        Caught(Fault(Tile + """
            mov.u32 %r2, 0;
            setp.eq.u32 %p1, %r60, 0;
            @%p1 st.shared.u32 [%r50], %r2;
            bar.sync 0;
            atom.shared.add.u32 %r3, [%r50], 1;
            ld.shared.u32 %r4, [%r50];
            """), "race in shared memory");

    [Fact]
    public void GlobalRace_TwoGroupsWriteOnePlace_IsCaught() =>
        Caught(Fault("st.global.u32 [%rd22], %r60;", gridX: 2), "race in global memory: write of byte 0 of allocation 3, which group");

    [Fact]
    public void GlobalRace_OneGroupReadsWhatAnotherWrites_IsCaught() =>
        Caught(Fault("""
            mov.u32 %r1, %ctaid.x;
            setp.eq.u32 %p1, %r1, 0;
            @%p1 st.global.u32 [%rd22], %r60;
            @!%p1 ld.global.u32 %r2, [%rd22];
            """, gridX: 2), "race in global memory");

    [Fact]
    public void GlobalRace_BytesOfOneWord_AreToldApart()
    {
        using var device = new Device();
        string text = Ptx.Text($"""
            {Ptx.Parameters(1)}
            mov.u32 %r1, %ctaid.x;
            mov.u32 %r60, %tid.x;
            mad.lo.u32 %r1, %r1, 32, %r60;
            mad.wide.u32 %rd1, %r1, 1, %rd10;
            st.global.u8 [%rd1], %r1;
            """);
        Assembler.Check(text);
        long address = device.Room<byte>(3 * 32);
        device.Run(text, 3, 0, address);
        Assert.Equal(Enumerable.Range(0, 96).Select(i => (byte)i), device.Take<byte>(address, 96));
    }

    [Fact]
    public void GlobalRace_BetweenThreadsOfAGroup_IsCaught() =>
        Caught(Fault("st.global.u32 [%rd22], %r60; xor.b32 %r2, %r60, 1; mad.wide.u32 %rd1, %r2, 4, %rd12; ld.global.u32 %r1, [%rd1];"),
            "race in global memory: read of byte 4 of allocation 3, which thread 1 of the group wrote", 0);

    [Fact]
    public void GlobalRace_ReadThenWriteByAnotherThread_IsCaught() =>
        Caught(Fault("ld.global.u32 %r1, [%rd12]; st.global.u32 [%rd22], %r1;"), "write of byte 0 of allocation 3, which other threads of the group read");

    [Fact]
    public void GlobalMemory_ExchangedAroundABarrier_IsNoFault()
    {
        using var device = new Device();
        string text = Ptx.Text($"""
            {Ptx.Parameters(1)}{Ptx.Elements(1, 4)}
            st.global.u32 [%rd20], %r60;
            bar.sync 0;
            xor.b32 %r2, %r60, 33;
            mad.wide.u32 %rd1, %r2, 4, %rd10;
            ld.global.u32 %r1, [%rd1];
            bar.sync 0;
            st.global.u32 [%rd20], %r1;
            """, 64);
        Assembler.Check(text);
        long address = device.Room<int>(64);
        device.Run(text, 1, 0, address);
        Assert.Equal(Enumerable.Range(0, 64).Select(i => i ^ 33), device.Take<int>(address, 64));
    }

    [Fact]
    public void CachedLoad_OfMemoryTheLaunchWrites_IsCaught()
    {
        Caught(Fault("ld.global.nc.u32 %r1, [%rd22]; add.u32 %r1, %r1, 1; st.global.u32 [%rd22], %r1;"),
            "write of memory that this launch reads with ld.global.nc", 0);
        Caught(Fault("st.global.u32 [%rd22], %r60; ld.global.nc.u32 %r1, [%rd22];"), "ld.global.nc of memory that this launch writes", 0);
    }

    [Fact]
    public void Barrier_UnderADivergentCondition_IsCaught() =>
        Caught(Fault("setp.lt.u32 %p1, %r60, 7; @%p1 bra SKIP; bar.sync 0; SKIP: mov.u32 %r1, 0;"),
            "barrier not reached by all threads of the group: thread 0 of the same warp is on another path", 7);

    [Fact]
    public void Barrier_AfterSomeThreadsReturned_IsCaught()
    {
        Caught(Fault("setp.lt.u32 %p1, %r60, 7; @%p1 ret; bar.sync 0;"), "thread 0 of the same warp has returned", 7);
        Caught(Fault("setp.lt.u32 %p1, %r60, 32; @%p1 ret; bar.sync 0;", 64), "warp 0 has returned", 32);
    }

    [Fact]
    public void Barriers_DifferentOnesPerWarp_AreCaught() =>
        Caught(Fault("setp.lt.u32 %p1, %r60, 32; @%p1 bra FIRST; bar.sync 0; bra END; FIRST: bar.sync 0; END: mov.u32 %r1, 0;", 64),
            "barrier not reached by all threads of the group: warp");

    [Theory]
    [InlineData("shfl.sync.idx.b32 %r1, %r60, 0, 31, 0xffffffff;")]
    [InlineData("vote.sync.any.pred %p2, %p1, 0xffffffff;")]
    [InlineData("redux.sync.add.u32 %r1, %r60, 0xffffffff;")]
    [InlineData("bar.warp.sync 0xffffffff;")]
    public void Exchange_WithLanesOnAnotherPath_IsCaught(string instruction) =>
        Caught(Fault($"setp.lt.u32 %p1, %r60, 4; @%p1 bra SKIP; {instruction} SKIP: mov.u32 %r1, 0;"),
            "the member mask 0xffffffff names lanes 0xf, which do not take part", 4);

    [Fact]
    public void Shuffle_FromALaneThatTakesNoPart_IsCaught() =>
        Caught(Fault("setp.lt.u32 %p1, %r60, 4; @%p1 bra SKIP; shfl.sync.idx.b32 %r1, %r60, 2, 31, 0xfffffff0; SKIP: mov.u32 %r1, 0;"),
            "shuffle from lane 2, which does not take part", 4);

    [Fact]
    public void MatrixInstructions_WithLanesOnAnotherPath_AreCaught()
    {
        Caught(Fault(Tile + "setp.lt.u32 %p1, %r60, 4; @%p1 bra SKIP; ldmatrix.sync.aligned.m8n8.x1.shared.b16 {%r1}, [%r50]; SKIP: mov.u32 %r1, 0;"),
            "all 32 lanes must take part; only 0xfffffff0 do", 4);
        Caught(Fault("""
            mov.f32 %f0, 0f00000000;
            setp.lt.u32 %p1, %r60, 4;
            @%p1 bra SKIP;
            mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%f0, %f0, %f0, %f0}, {%r60, %r60, %r60, %r60}, {%r60, %r60}, {%f0, %f0, %f0, %f0};
            SKIP: mov.u32 %r1, 0;
            """), "all 32 lanes must take part", 4);
    }

    private const string Copy = Tile + "cp.async.ca.shared.global [%r51], [%rd20], 4; cp.async.commit_group;\n";

    [Fact]
    public void CopyAsync_UsedBeforeItsWait_IsCaught() =>
        Caught(Fault(Copy + "ld.shared.u32 %r1, [%r51];"), "the destination of a cp.async of this thread, which has not waited for it", 0);

    [Fact]
    public void CopyAsync_WaitedForTheWrongGroup_IsCaught() =>
        Caught(Fault(Copy + "cp.async.wait_group 1; ld.shared.u32 %r1, [%r51];"), "which has not waited for it", 0);

    [Fact]
    public void CopyAsync_OfAnotherThreadWithoutABarrier_IsCaught()
    {
        Caught(Fault(Copy + "cp.async.wait_group 0; xor.b32 %r2, %r60, 1; mad.lo.u32 %r3, %r2, 4, %r50; ld.shared.u32 %r1, [%r3];"),
            "race in shared memory: read of byte 4", 0);
        Caught(Fault(Copy + "bar.sync 0; xor.b32 %r2, %r60, 1; mad.lo.u32 %r3, %r2, 4, %r50; ld.shared.u32 %r1, [%r3];"),
            "the destination of a cp.async of thread 1, which has not waited for it", 0);
    }

    [Fact]
    public void CopyAsync_DestinationOverwrittenUnderWay_IsCaught()
    {
        Caught(Fault(Copy + "st.shared.u32 [%r51], %r60;"), "shared write at byte 0 of shared variable tile of 512 bytes, the destination of a cp.async", 0);
        Caught(Fault(Copy + "cp.async.ca.shared.global [%r51], [%rd20], 4;"), "the destination of a cp.async", 0);
    }

    [Fact]
    public void CopyAsync_SourceOverwrittenUnderWay_IsCaught() =>
        Caught(Fault(Copy + "add.u32 %r1, %r60, 1; st.global.u32 [%rd20], %r1; cp.async.wait_group 0;"), "the source of a cp.async was overwritten before its wait", 0);

    [Fact]
    public void CopyAsync_SourceOutOfBounds_IsCaught() =>
        Caught(Fault(Tile + "cp.async.ca.shared.global [%r51], [%rd20+200], 4;"), "copy of 4 bytes out of bounds", 14);

    [Fact]
    public void Division_ByZero_IsCaught() => Caught(Fault("div.s32 %r1, %r60, %r60;"), "division of an integer by zero", 0);

    [Fact]
    public void Loop_WithoutEnd_IsStopped() =>
        Caught(Fault("LOOP: add.u32 %r60, %r60, 1; bra LOOP;", options: new SimulatorOptions { Threads = 1, InstructionBudget = 100_000 }),
            "the launch passed its budget of 100000 warp instructions");

    [Fact]
    public void Fault_OfSeveralGroups_IsTheSameForAnyNumberOfThreads()
    {
        const string Body = "mov.u32 %r1, %ctaid.x; setp.lt.u32 %p1, %r1, 40; @%p1 bra END; ld.global.u32 %r2, [%rd21]; END: mov.u32 %r3, 0;";
        var one = Fault(Body, gridX: 64, options: new SimulatorOptions { Threads = 1, Seed = 5 });
        var four = Fault(Body, gridX: 64, options: new SimulatorOptions { Threads = 4, Seed = 5 });
        Assert.Equal(one.Message, four.Message);
    }
}
