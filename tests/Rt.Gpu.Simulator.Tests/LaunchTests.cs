// Limits of launches, refused text, and the host's view of device memory.
namespace Rt.Gpu.Simulator.Tests;

public sealed class LaunchTests
{
    private static string Refused(string body, string module = "", int groupSize = 32) =>
        Assert.Throws<SimulatorException>(() => PtxModule.Parse(Ptx.Text(body, groupSize, 1, module))).Message;

    [Theory]
    [InlineData("sin.approx.f32 %f1, %f2;", "instruction sin.approx.f32 is not known")]
    [InlineData("add.f32 %f1, %f2, %f3;", "instruction add.f32 is not known")]
    [InlineData("mul.rn.ftz.f32 %f1, %f2, %f3;", "instruction mul.rn.ftz.f32 is not known")]
    [InlineData("ld.local.u32 %r1, [%rd1];", "instruction ld.local.u32 is not known")]
    [InlineData("ld.u32 %r1, [%rd1];", "instruction ld.u32 is not known")]
    [InlineData("ld.global.cg.u32 %r1, [%rd1];", "instruction ld.global.cg.u32 is not known")]
    [InlineData("cvt.f32.s32 %f1, %r1;", "instruction cvt.f32.s32 is not known")]
    [InlineData("cvt.rna.f32.f64 %f1, %d1;", "instruction cvt.rna.f32.f64 is not known")]
    [InlineData("mma.sync.aligned.m8n8k4.row.col.f32.f16.f16.f32 {%f1}, {%r1}, {%r1}, {%f1};", "is not known")]
    [InlineData("add.u32 %r1, %r2;", "expected 3 operands, found 2")]
    [InlineData("add.u32 %rd1, %r2, %r3;", "register %rd1 has 64 bits, expected 32")]
    [InlineData("add.u32 %r1, %r2, %r99;", "register %r99 is not declared")]
    [InlineData("bra NOWHERE;", "label NOWHERE is not there")]
    [InlineData("bar.sync 1;", "only barrier 0")]
    [InlineData("ld.param.u64 %rd1, [p0+4];", "passes the end of the parameter")]
    [InlineData("ld.param.u32 %r1, [q];", "parameter q is not declared")]
    [InlineData("ld.shared.u32 %r1, [nothing];", "nothing is no variable of shared memory")]
    [InlineData("mov.u32 %r1, %clock;", "register %clock is not declared")]
    [InlineData("mov.u32 %r1, 5", "expected ';'")]
    public void Text_NotKnown_IsRefusedByNameAndLine(string body, string problem)
    {
        string message = Refused(body);
        Assert.Contains(problem, message, StringComparison.Ordinal);
        Assert.StartsWith("PTX line 1", message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("")]
    [InlineData(".version 7.0\n.target sm_80\n.address_size 64\n")]
    [InlineData(".version 7.0\n.visible .entry k(")]
    [InlineData(".version 7.0\n.visible .entry k() .reqntid 32 {")]
    [InlineData(".version 7.0\n.visible .entry k() .reqntid 99999999999 { }")]
    [InlineData("\0\0\0")]
    [InlineData("/* no end")]
    [InlineData(".file 1 \"no end")]
    [InlineData(".global .b8 g[4];")]
    public void Text_CutShortOrStrange_IsRefused(string text) => Assert.Throws<SimulatorException>(() => PtxModule.Parse(text));

    private static SimulatorException Launch(int x = 1, int y = 1, int z = 1, int sharedBytes = 0, int argumentBytes = 8, string body = "ret;", string module = "", int groupSize = 32)
    {
        using var gpu = new SimulatedGpu();
        var parsed = PtxModule.Parse(Ptx.Text(body, groupSize, 1, module));
        return Assert.Throws<SimulatorException>(() => gpu.Launch(parsed, "k", x, y, z, sharedBytes, new byte[argumentBytes]));
    }

    [Fact]
    public void Launch_PastALimit_IsRefused()
    {
        Assert.Contains("y and z at most 65535", Launch(y: 65536).Message, StringComparison.Ordinal);
        Assert.Contains("y and z at most 65535", Launch(z: 65536).Message, StringComparison.Ordinal);
        Assert.Contains("each side is at least 1", Launch(x: 0).Message, StringComparison.Ordinal);
        Assert.Contains("1056 threads per group; at most 1024", Launch(groupSize: 1056).Message, StringComparison.Ordinal);
        Assert.Contains("4 bytes of arguments, expected 8", Launch(argumentBytes: 4).Message, StringComparison.Ordinal);
        Assert.Contains("the entry declares none", Launch(sharedBytes: 16).Message, StringComparison.Ordinal);
        const string Dynamic = ".extern .shared .align 16 .b8 dynamic[];";
        Assert.Contains("the launch gives none", Launch(module: Dynamic).Message, StringComparison.Ordinal);
        Assert.Contains("a group may have 232448", Launch(sharedBytes: 232449, module: Dynamic).Message, StringComparison.Ordinal);
        Assert.Contains("a group may have 232448", Launch(sharedBytes: 230000, module: Dynamic, body: ".shared .align 16 .b8 s[8192]; ret;").Message, StringComparison.Ordinal);
    }

    [Fact]
    public void DynamicSharedMemory_OfTheLaunch_EndsWhereItSays()
    {
        using var device = new Device();
        string text = Ptx.Text("""
            mov.u32 %r1, dynamic;
            mov.u32 %r60, %tid.x;
            mad.lo.u32 %r2, %r60, 4, %r1;
            st.shared.u32 [%r2], %r60;
            """, 64, 0, ".extern .shared .align 16 .b8 dynamic[];");
        Assembler.Check(text);
        device.Run(text, 1, 256);
        var fault = Assert.Throws<SimulatorException>(() => device.Run(text, 1, 252));
        Assert.Contains("byte 252 of shared variable dynamic of 252 bytes", fault.Message, StringComparison.Ordinal);
        Assert.Equal(63, fault.ThreadIndex);
    }

    [Fact]
    public void Memory_OfTheHost_IsChecked()
    {
        using var gpu = new SimulatedGpu(new SimulatorOptions { MemoryBytes = 1000 });
        long a = gpu.Allocate(600);
        Assert.Contains("asked for 500 bytes, free 400", Assert.Throws<SimulatorException>(() => gpu.Allocate(500)).Message, StringComparison.Ordinal);
        Assert.Contains("byte 590 of allocation 1", Assert.Throws<SimulatorException>(() => gpu.Upload(new byte[20], a + 590)).Message, StringComparison.Ordinal);
        Assert.Contains("nothing wrote: byte 8", Assert.Throws<SimulatorException>(() =>
        {
            gpu.Clear(a, 8);
            gpu.Download(a, new byte[9]);
        }).Message, StringComparison.Ordinal);
        Assert.Throws<SimulatorException>(() => gpu.Copy(a, a + 4, 16));
        Assert.Throws<SimulatorException>(() => gpu.Free(a + 1));
        gpu.Free(a);
        Assert.Throws<SimulatorException>(() => gpu.Free(a));
        Assert.Throws<SimulatorException>(() => gpu.Clear(a, 1));
        Assert.Equal(0, gpu.AllocatedBytes);
    }

    [Fact]
    public void Copy_OfPartlyWrittenMemory_KeepsWhatIsWritten()
    {
        using var gpu = new SimulatedGpu();
        long a = gpu.Allocate(64), b = gpu.Allocate(64);
        gpu.Upload([1, 2, 3], a + 5);
        gpu.Copy(a, b + 1, 20);
        byte[] found = new byte[3];
        gpu.Download(b + 6, found);
        Assert.Equal([1, 2, 3], found);
        Assert.Throws<SimulatorException>(() => gpu.Download(b + 5, found));
    }

    [Fact]
    public void Parameters_OfEveryType_LieAsInACStruct()
    {
        using var gpu = new SimulatedGpu();
        string text = """
            .version 7.0
            .target sm_80
            .address_size 64
            .visible .entry k(.param .u8 flag, .param .align 8 .b8 view[16], .param .b32 n, .param .f64 x)
            .reqntid 32
            {
            .reg .b32 %r<8>;
            .reg .b64 %rd<8>;
            .reg .pred %p<2>;
            ld.param.u8 %r1, [flag];
            ld.param.u64 %rd1, [view];
            ld.param.u64 %rd2, [view+8];
            ld.param.u32 %r2, [n];
            ld.param.b64 %rd3, [x];
            mov.u32 %r3, %tid.x;
            setp.ne.u32 %p1, %r3, 0;
            @%p1 ret;
            st.global.u32 [%rd1], %r1;
            st.global.u32 [%rd1+4], %r2;
            st.global.u64 [%rd1+8], %rd2;
            st.global.b64 [%rd1+16], %rd3;
            }
            """;
        Assembler.Check(text);
        long memory = gpu.Allocate(24);
        byte[] arguments = new byte[40];
        arguments[0] = 1;
        BitConverter.TryWriteBytes(arguments.AsSpan(8), memory);
        BitConverter.TryWriteBytes(arguments.AsSpan(16), 77L);
        BitConverter.TryWriteBytes(arguments.AsSpan(24), -5);
        BitConverter.TryWriteBytes(arguments.AsSpan(32), 2.5);
        gpu.Launch(PtxModule.Parse(text), "k", 1, 1, 1, 0, arguments);
        byte[] found = new byte[24];
        gpu.Download(memory, found);
        Assert.Equal(1, BitConverter.ToInt32(found));
        Assert.Equal(-5, BitConverter.ToInt32(found, 4));
        Assert.Equal(77, BitConverter.ToInt64(found, 8));
        Assert.Equal(2.5, BitConverter.ToDouble(found, 16));
    }
}
