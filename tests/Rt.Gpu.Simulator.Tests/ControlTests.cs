// Divergence, exchanges within a warp, barriers and atomic operations.
namespace Rt.Gpu.Simulator.Tests;

public sealed class ControlTests
{
    /// <summary>Runs a kernel that leaves its result in %r1 and gives the result of each thread.</summary>
    private static int[] Run(string body, int groupSize = 32, string module = "", int sharedBytes = 0)
    {
        using var device = new Device();
        string text = Ptx.Text($"""
            {Ptx.Parameters(1)}{Ptx.Elements(1, 4)}
            {body}
            st.global.u32 [%rd20], %r1;
            ret;
            """, groupSize, module: module);
        Assembler.Check(text);
        long result = device.Room<int>(groupSize);
        device.Run(text, 1, sharedBytes, result);
        return device.Take<int>(result, groupSize);
    }

    [Fact]
    public void Branches_Nested_EveryLaneTakesItsPath()
    {
        int[] found = Run("""
            mov.u32 %r1, 0;
            and.b32 %r2, %r60, 1;
            and.b32 %r3, %r60, 2;
            setp.eq.s32 %p1, %r2, 0;
            setp.eq.s32 %p2, %r3, 0;
            @%p1 bra EVEN;
            @%p2 bra ODD_LOW;
            add.s32 %r1, %r1, 300;
            bra ODD_END;
            ODD_LOW:
            add.s32 %r1, %r1, 200;
            ODD_END:
            add.s32 %r1, %r1, 1;
            bra END;
            EVEN:
            @!%p2 bra END;
            add.s32 %r1, %r1, 100;
            END:
            vote.sync.ballot.b32 %r4, %p1, 0xffffffff;
            popc.b32 %r4, %r4;
            add.s32 %r1, %r1, %r4;
            """);
        for (int l = 0; l < 32; l++)
        {
            Assert.Equal(16 + ((l & 1) == 0 ? (l & 2) == 0 ? 100 : 0 : (l & 2) == 0 ? 201 : 301), found[l]);
        }
    }

    [Fact]
    public void Loops_DifferentTripCountsBreakContinue_AsInCSharp()
    {
        int[] found = Run("""
            mov.u32 %r1, 0;
            mov.u32 %r2, 0;
            LOOP:
            setp.ge.u32 %p1, %r2, %r60;
            @%p1 bra DONE;
            add.u32 %r2, %r2, 1;
            and.b32 %r3, %r2, 3;
            setp.eq.u32 %p2, %r3, 0;
            @%p2 bra LOOP;
            setp.gt.u32 %p3, %r1, 60;
            @%p3 bra DONE;
            add.u32 %r1, %r1, %r2;
            bra LOOP;
            DONE:
            shfl.sync.idx.b32 %r4, %r1, 5, 31, 0xffffffff;
            add.u32 %r1, %r1, %r4;
            """);
        int Plain(int lane)
        {
            int sum = 0;
            for (int i = 0; i < lane;)
            {
                i++;
                if ((i & 3) == 0)
                {
                    continue;
                }
                if (sum > 60)
                {
                    break;
                }
                sum += i;
            }
            return sum;
        }
        for (int l = 0; l < 32; l++)
        {
            Assert.Equal(Plain(l) + Plain(5), found[l]);
        }
    }

    [Fact]
    public void Return_SomeLanesEarly_OthersGoOn()
    {
        using var device = new Device();
        string text = Ptx.Text($"""
            {Ptx.Parameters(1)}{Ptx.Elements(1, 4)}
            setp.lt.u32 %p1, %r60, 10;
            @%p1 ret;
            setp.lt.u32 %p2, %r60, 20;
            @%p2 bra MIDDLE;
            mov.u32 %r1, 2;
            st.global.u32 [%rd20], %r1;
            ret;
            MIDDLE:
            mov.u32 %r1, 1;
            st.global.u32 [%rd20], %r1;
            """);
        Assembler.Check(text);
        long result = device.Give(new int[32]);
        device.Run(text, 1, 0, result);
        Assert.Equal(Enumerable.Range(0, 32).Select(l => l < 10 ? 0 : l < 20 ? 1 : 2), device.Take<int>(result, 32));
    }

    [Fact]
    public void Return_UnderACondition_LetsTheOthersMeetAgain()
    {
        // No lane returns, so all 32 meet for the vote after it.
        int[] found = Run("""
            setp.lt.u32 %p1, %r60, 10;
            setp.gt.u32 %p2, %r60, 100;
            @!%p1 bra MEET;
            @%p2 ret;
            MEET:
            vote.sync.ballot.b32 %r1, %p1, 0xffffffff;
            """);
        Assert.All(found, value => Assert.Equal(1023, value));
    }

    [Theory]
    [InlineData("idx", "3", 31, 3)]
    [InlineData("up", "4", 0, -4)]
    [InlineData("down", "5", 31, 5)]
    [InlineData("bfly", "16", 31, 16)]
    public void Shuffle_EachMode_MovesValuesAndTellsRange(string mode, string by, int clamp, int number)
    {
        int[] found = Run($"""
            mul.lo.u32 %r2, %r60, 7;
            shfl.sync.{mode}.b32 %r1|%p1, %r2, {by}, {clamp}, 0xffffffff;
            @%p1 add.u32 %r1, %r1, 1000;
            """);
        for (int l = 0; l < 32; l++)
        {
            int source = mode switch
            {
                "idx" => number,
                "bfly" => l ^ number,
                _ => l + number,
            };
            Assert.Equal(source is >= 0 and < 32 ? (7 * source) + 1000 : 7 * l, found[l]);
        }
    }

    [Fact]
    public void Shuffle_Segments_StayWithin()
    {
        int[] found = Run("shfl.sync.idx.b32 %r1, %r60, 1, 0x181f, 0xffffffff;");
        Assert.Equal(Enumerable.Range(0, 32).Select(l => (l / 8 * 8) + 1), found);
    }

    [Fact]
    public void Votes_OnAPredicate_CountLanes()
    {
        int[] found = Run("""
            setp.lt.u32 %p1, %r60, 5;
            vote.sync.ballot.b32 %r1, !%p1, 0xffffffff;
            vote.sync.any.pred %p2, %p1, 0xffffffff;
            vote.sync.all.pred %p3, %p1, 0xffffffff;
            @%p2 add.u32 %r1, %r1, 1;
            @%p3 add.u32 %r1, %r1, 2;
            """);
        Assert.All(found, value => Assert.Equal(unchecked((int)0xFFFFFFE1), value));
    }

    [Theory]
    [InlineData("add.s32", 496)]
    [InlineData("max.s32", 31)]
    [InlineData("min.u32", 0)]
    [InlineData("or.b32", 31)]
    [InlineData("and.b32", 0)]
    [InlineData("xor.b32", 0)]
    public void Redux_OverTheWarp_GivesAllLanesTheResult(string operation, int wanted) =>
        Assert.All(Run($"redux.sync.{operation} %r1, %r60, 0xffffffff;"), value => Assert.Equal(wanted, value));

    [Fact]
    public void Barriers_WithReductions_SeeAllWarps()
    {
        int[] found = Run("""
            setp.lt.u32 %p1, %r60, 40;
            bar.red.popc.u32 %r1, 0, %p1;
            bar.red.and.pred %p2, 0, %p1;
            bar.red.or.pred %p3, 0, !%p1;
            @%p2 add.u32 %r1, %r1, 1000;
            @%p3 add.u32 %r1, %r1, 2000;
            """, 96);
        Assert.All(found, value => Assert.Equal(2040, value));
    }

    [Fact]
    public void SharedMemory_AcrossWarpsWithABarrier_Exchanges()
    {
        int[] found = Run("""
            .shared .align 16 .b8 tile[512];
            mov.u32 %r2, tile;
            shl.b32 %r3, %r60, 2;
            add.u32 %r4, %r2, %r3;
            st.shared.u32 [%r4], %r60;
            bar.sync 0;
            sub.u32 %r5, 508, %r3;
            add.u32 %r5, %r5, %r2;
            ld.shared.u32 %r1, [%r5];
            """, 128);
        Assert.Equal(Enumerable.Range(0, 128).Reverse(), found);
    }

    [Fact]
    public void Atomics_OnSharedAndGlobal_GiveEachThreadItsTurn()
    {
        int[] found = Run("""
            .shared .align 4 .b8 counter[4];
            mov.u32 %r2, 0;
            setp.eq.u32 %p1, %r60, 0;
            @%p1 st.shared.u32 [counter], %r2;
            bar.sync 0;
            atom.shared.add.u32 %r1, [counter], 1;
            bar.sync 0;
            ld.shared.u32 %r3, [counter];
            mad.lo.u32 %r1, %r3, 1000, %r1;
            """, 64);
        Assert.Equal(Enumerable.Range(64000, 64), found.Order());
    }

    [Theory]
    [InlineData("add.u32", 5u, 7u, 12u)]
    [InlineData("max.s32", 0xFFFFFFFFu, 7u, 7u)]
    [InlineData("max.u32", 0xFFFFFFFFu, 7u, 0xFFFFFFFFu)]
    [InlineData("min.s32", 0xFFFFFFFFu, 7u, 0xFFFFFFFFu)]
    [InlineData("min.u32", 0xFFFFFFFFu, 7u, 7u)]
    [InlineData("or.b32", 5u, 8u, 13u)]
    [InlineData("and.b32", 5u, 12u, 4u)]
    [InlineData("exch.b32", 5u, 12u, 12u)]
    public void Atomic_OnGlobalMemory_ReturnsTheOldValue(string operation, uint old, uint value, uint wanted)
    {
        using var device = new Device();
        string text = Ptx.Text($"""
            {Ptx.Parameters(2)}{Ptx.Elements(2, 4)}
            atom.global.{operation} %r1, [%rd20], {value};
            st.global.u32 [%rd21], %r1;
            """, parameters: 2);
        Assembler.Check(text);
        long memory = device.Give(Enumerable.Repeat(old, 32).ToArray());
        long result = device.Room<uint>(32);
        device.Run(text, 1, 0, memory, result);
        Assert.All(device.Take<uint>(memory, 32), found => Assert.Equal(wanted, found));
        Assert.All(device.Take<uint>(result, 32), found => Assert.Equal(old, found));
    }

    [Fact]
    public void Atomic_CompareAndSwap_OneLaneWins()
    {
        using var device = new Device();
        string text = Ptx.Text($"""
            {Ptx.Parameters(2)}{Ptx.Elements(2, 4)}
            atom.global.cas.b32 %r1, [%rd10], 0, %r60;
            st.global.u32 [%rd21], %r1;
            """, parameters: 2);
        long memory = device.Give(0);
        long result = device.Room<int>(32);
        device.Run(text, 1, 0, memory, result);
        // Lane 0 swaps 0 for 0, lane 1 is the first to change it.
        Assert.Equal(1, device.Take<int>(memory, 1)[0]);
        Assert.Equal(Enumerable.Range(0, 32).Select(l => l < 2 ? 0 : 1), device.Take<int>(result, 32));
    }

    [Fact]
    public void LastGroup_AfterFenceAndAtomic_MayReadWhatTheOthersWrote()
    {
        using var device = new Device();
        string text = Ptx.Text($"""
            {Ptx.Parameters(3)}{Ptx.Elements(3, 4)}
            mov.u32 %r10, %ctaid.x;
            mad.lo.u32 %r11, %r10, 32, %r60;
            mad.wide.u32 %rd1, %r11, 4, %rd10;
            st.global.u32 [%rd1], %r11;
            membar.gl;
            bar.sync 0;
            setp.eq.u32 %p1, %r60, 0;
            mov.u32 %r12, 0;
            @%p1 atom.global.add.u32 %r12, [%rd11], 1;
            shfl.sync.idx.b32 %r12, %r12, 0, 31, 0xffffffff;
            setp.ne.u32 %p2, %r12, 7;
            @%p2 bra END;
            membar.gl;
            mov.u32 %r1, 0;
            mov.u32 %r2, 0;
            LOOP:
            mad.lo.u32 %r3, %r2, 32, %r60;
            mad.wide.u32 %rd1, %r3, 4, %rd10;
            ld.global.u32 %r4, [%rd1];
            add.u32 %r1, %r1, %r4;
            add.u32 %r2, %r2, 1;
            setp.lt.u32 %p3, %r2, 8;
            @%p3 bra LOOP;
            st.global.u32 [%rd22], %r1;
            END:
            ret;
            """, parameters: 3);
        Assembler.Check(text);
        long result = device.Room<int>(32);
        device.Run(text, 8, 0, device.Room<int>(256), device.Give(0), result);
        Assert.Equal(Enumerable.Range(0, 32).Select(l => (8 * l) + (32 * 28)), device.Take<int>(result, 32));
    }

    [Fact]
    public void Registers_OfInnerScopes_HideOuterOnes()
    {
        int[] found = Run("""
            mov.u32 %r1, 5;
            {
            .reg .b32 t, %r1;
            mov.u32 %r1, 9;
            mov.u32 t, %r1;
            mov.b64 %rd1, {t, %r1};
            }
            mov.b64 {%r3, %r4}, %rd1;
            add.u32 %r1, %r1, %r3;
            """);
        Assert.All(found, value => Assert.Equal(14, value));
    }

    [Fact]
    public void Registers_OfALongProgram_ShareFewPlacesAndKeepTheirValues()
    {
        // 499 places hold the constants. Each of 500 registers lives for two steps, in a loop and on diverged paths; %r1 lives throughout.
        string chain = string.Concat(Enumerable.Range(1, 499).Select(n => $"add.u32 %x{n}, %x{n - 1}, {n};\n"));
        string text = Ptx.Text($"""
            .reg .b32 %x<500>;
            {Ptx.Parameters(1)}{Ptx.Elements(1, 4)}
            mov.u32 %r1, %r60;
            mov.u32 %r2, 0;
            LOOP:
            and.b32 %r3, %r60, 1;
            setp.eq.u32 %p1, %r3, 0;
            @%p1 bra EVEN;
            mov.u32 %x0, %r1;
            {chain}
            mov.u32 %r4, %x499;
            bra MEET;
            EVEN:
            mov.u32 %r4, 7;
            MEET:
            add.u32 %r1, %r1, %r4;
            add.u32 %r2, %r2, 1;
            setp.lt.u32 %p2, %r2, 3;
            @%p2 bra LOOP;
            st.global.u32 [%rd20], %r1;
            """);
        Assembler.Check(text);
        Assert.InRange(PtxModule.Parse(text).Program("k").RegisterBytes, 0, (499 + 40) * 128);
        using var device = new Device();
        long result = device.Room<int>(32);
        device.Run(text, 1, 0, result);
        int Plain(int lane)
        {
            int value = lane;
            for (int n = 0; n < 3; n++)
            {
                value += (lane & 1) == 0 ? 7 : value + (499 * 500 / 2);
            }
            return value;
        }
        Assert.Equal(Enumerable.Range(0, 32).Select(Plain), device.Take<int>(result, 32));
    }
}
