// Tensor-core products and matrix loads against plain matrices, and asynchronous copies.
namespace Rt.Gpu.Simulator.Tests;

public sealed class MatrixTests
{
    private static float Brain(float value) => BitConverter.UInt32BitsToSingle(BitConverter.SingleToUInt32Bits(value) & 0xFFFF0000);

    private static ushort Bits(float value, string type) =>
        type == "f16" ? BitConverter.HalfToUInt16Bits((Half)value) : (ushort)(BitConverter.SingleToUInt32Bits(value) >> 16);

    /// <summary>Loads A [16, 16] and B [16, 8] from shared memory by ldmatrix, multiplies, and adds C.</summary>
    [Theory]
    [InlineData("bf16", true)]
    [InlineData("f16", true)]
    [InlineData("bf16", false)]
    public void Mma_SixteenBitOperandsByLdMatrix_EqualsThePlainProduct(string type, bool transposed)
    {
        var random = new Random(7);
        float[] a = new float[256], b = new float[128], c = new float[128];
        foreach (float[] matrix in new[] { a, b, c })
        {
            for (int i = 0; i < matrix.Length; i++)
            {
                matrix[i] = type == "f16" ? (float)(Half)(random.NextSingle() - 0.5f) : Brain(random.NextSingle() - 0.5f);
            }
        }
        // B lies row-major [16, 8] and is loaded transposed, or column-major [8, 16] and is loaded as it is.
        ushort[] stored = [.. a.Select(v => Bits(v, type)), .. Enumerable.Range(0, 128).Select(i => Bits(transposed ? b[i] : b[(8 * (i % 16)) + (i / 16)], type))];
        using var device = new Device();
        string text = Ptx.Text($$"""
            .shared .align 16 .b8 tile[768];
            {{Ptx.Parameters(3)}}
            mov.u32 %r60, %tid.x;
            mov.u32 %r1, tile;
            // 48 rows of 16 bytes: lanes copy one or two of them.
            mad.lo.u32 %r2, %r60, 16, %r1;
            mad.wide.u32 %rd1, %r60, 16, %rd10;
            cp.async.cg.shared.global [%r2], [%rd1], 16;
            setp.lt.u32 %p1, %r60, 16;
            @%p1 cp.async.ca.shared.global [%r2+512], [%rd1+512], 16;
            cp.async.commit_group;
            cp.async.wait_group 0;
            bar.sync 0;
            // A: rows of 32 bytes; matrices 0 and 1 are rows 0-7 and 8-15 of the left half, 2 and 3 of the right.
            and.b32 %r3, %r60, 15;
            shr.u32 %r4, %r60, 4;
            mad.lo.u32 %r5, %r3, 32, %r1;
            mad.lo.u32 %r5, %r4, 16, %r5;
            ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%r10, %r11, %r12, %r13}, [%r5];
            {{(transposed
                ? "mad.lo.u32 %r6, %r3, 16, %r1;\nldmatrix.sync.aligned.m8n8.x2.trans.shared.b16 {%r14, %r15}, [%r6+512];"
                : "and.b32 %r7, %r3, 7; shr.u32 %r8, %r3, 3; mad.lo.u32 %r6, %r7, 32, %r1; mad.lo.u32 %r6, %r8, 16, %r6;\nldmatrix.sync.aligned.m8n8.x2.shared.b16 {%r14, %r15}, [%r6+512];")}}
            // C and D: lane l holds columns 2 (l % 4) and the next of rows l / 4 and l / 4 + 8.
            mad.wide.u32 %rd2, %r60, 8, %rd11;
            ld.global.v2.f32 {%f0, %f1}, [%rd2];
            ld.global.v2.f32 {%f2, %f3}, [%rd2+256];
            mma.sync.aligned.m16n8k16.row.col.f32.{{type}}.{{type}}.f32 {%f4, %f5, %f6, %f7}, {%r10, %r11, %r12, %r13}, {%r14, %r15}, {%f0, %f1, %f2, %f3};
            mad.wide.u32 %rd3, %r60, 8, %rd12;
            st.global.v2.f32 [%rd3], {%f4, %f5};
            st.global.v2.f32 [%rd3+256], {%f6, %f7};
            """, parameters: 3);
        Assembler.Check(text);
        long result = device.Room<float>(128);
        var counters = device.Run(text, 1, 0, device.Give(stored), device.Give(c), result);
        float[] d = device.Take<float>(result, 128);
        for (int row = 0; row < 16; row++)
        {
            for (int column = 0; column < 8; column++)
            {
                double sum = c[(8 * row) + column];
                for (int k = 0; k < 16; k++)
                {
                    sum += (double)a[(16 * row) + k] * b[(8 * k) + column];
                }
                Assert.Equal(sum, d[(8 * row) + column], 1e-6);
            }
        }
        Assert.Equal(4096, counters.MatrixFlops);
        Assert.Equal(768, counters.AsyncCopyBytes);
    }

    [Fact]
    public void Mma_Tf32_IgnoresLowBitsAndEqualsThePlainProduct()
    {
        var random = new Random(11);
        float[] a = [.. Enumerable.Range(0, 128).Select(_ => random.NextSingle() - 0.5f)];
        float[] b = [.. Enumerable.Range(0, 64).Select(_ => random.NextSingle() - 0.5f)];
        using var device = new Device();
        string text = Ptx.Text($$"""
            {{Ptx.Parameters(3)}}
            mov.u32 %r60, %tid.x;
            shr.u32 %r1, %r60, 2;
            and.b32 %r2, %r60, 3;
            mad.lo.u32 %r3, %r1, 8, %r2;
            mad.wide.u32 %rd1, %r3, 4, %rd10;
            ld.global.b32 %r10, [%rd1];
            ld.global.b32 %r11, [%rd1+256];
            ld.global.b32 %r12, [%rd1+16];
            ld.global.b32 %r13, [%rd1+272];
            mad.lo.u32 %r4, %r2, 8, %r1;
            mad.wide.u32 %rd2, %r4, 4, %rd11;
            ld.global.b32 %r14, [%rd2];
            ld.global.b32 %r15, [%rd2+128];
            mov.f32 %f0, 0f00000000;
            mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32 {%f4, %f5, %f6, %f7}, {%r10, %r11, %r12, %r13}, {%r14, %r15}, {%f0, %f0, %f0, %f0};
            mad.wide.u32 %rd3, %r60, 8, %rd12;
            st.global.v2.f32 [%rd3], {%f4, %f5};
            st.global.v2.f32 [%rd3+256], {%f6, %f7};
            """, parameters: 3);
        Assembler.Check(text);
        long result = device.Room<float>(128);
        device.Run(text, 1, 0, device.Give(a), device.Give(b), result);
        float[] d = device.Take<float>(result, 128);
        static float Cut(float value) => BitConverter.UInt32BitsToSingle(BitConverter.SingleToUInt32Bits(value) & 0xFFFFE000);
        for (int row = 0; row < 16; row++)
        {
            for (int column = 0; column < 8; column++)
            {
                double sum = 0;
                for (int k = 0; k < 8; k++)
                {
                    sum += (double)Cut(a[(8 * row) + k]) * Cut(b[(8 * k) + column]);
                }
                Assert.Equal(sum, d[(8 * row) + column], 1e-6);
            }
        }
    }

    [Fact]
    public void CopyAsync_SourceSizeZero_WritesZerosAndReadsNothing()
    {
        using var device = new Device();
        string text = Ptx.Text($$"""
            .shared .align 16 .b8 tile[512];
            {{Ptx.Parameters(2)}}{{Ptx.Elements(2, 16)}}
            mov.u32 %r1, tile;
            mad.lo.u32 %r2, %r60, 16, %r1;
            setp.lt.u32 %p1, %r60, 20;
            selp.u32 %r3, 16, 0, %p1;
            cp.async.cg.shared.global [%r2], [%rd20], 16, %r3;
            cp.async.wait_all;
            ld.shared.v4.u32 {%r4, %r5, %r6, %r7}, [%r2];
            st.global.v4.u32 [%rd21], {%r4, %r5, %r6, %r7};
            """, parameters: 2);
        Assembler.Check(text);
        // The source ends after 20 lanes.
        long source = device.Give(Enumerable.Range(1, 80).ToArray());
        long result = device.Room<int>(128);
        device.Run(text, 1, 0, source, result);
        Assert.Equal(Enumerable.Range(1, 128).Select(i => i <= 80 ? i : 0), device.Take<int>(result, 128));
    }

    [Fact]
    public void CopyAsync_TwoGroupsUnderWay_WaitCountsFromTheNewest()
    {
        using var device = new Device();
        string text = Ptx.Text($$"""
            .shared .align 16 .b8 tile[256];
            {{Ptx.Parameters(2)}}{{Ptx.Elements(2, 4)}}
            mov.u32 %r1, tile;
            mad.lo.u32 %r2, %r60, 4, %r1;
            cp.async.ca.shared.global [%r2], [%rd20], 4;
            cp.async.commit_group;
            cp.async.ca.shared.global [%r2+128], [%rd20+128], 4;
            cp.async.commit_group;
            cp.async.wait_group 1;
            ld.shared.u32 %r3, [%r2];
            cp.async.wait_group 0;
            ld.shared.u32 %r4, [%r2+128];
            add.u32 %r3, %r3, %r4;
            st.global.u32 [%rd21], %r3;
            """, parameters: 2);
        Assembler.Check(text);
        long result = device.Room<int>(32);
        device.Run(text, 1, 0, device.Give(Enumerable.Range(0, 64).ToArray()), result);
        Assert.Equal(Enumerable.Range(0, 32).Select(i => (2 * i) + 32), device.Take<int>(result, 32));
    }
}
