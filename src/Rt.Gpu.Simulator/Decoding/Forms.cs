// Instructions with fixed operands: opcode, widths of result and operands, and what runs them.
// Source: PTX ISA, chapter "Instruction Set".
using Rt.Gpu.Simulator.Execution;
using unsafe Handler = delegate*<Rt.Gpu.Simulator.Execution.Worker, Rt.Gpu.Simulator.Execution.Instruction*, uint, void>;

namespace Rt.Gpu.Simulator.Decoding;

/// <summary>One opcode.</summary>
internal sealed unsafe class Form(Handler handler, int result, int[] operands, InstructionKind kind, int flops)
{
    public Handler Handler { get; } = handler;

    /// <summary>Bits of the result.</summary>
    public int Result { get; } = result;

    /// <summary>Bits of the operands A, B, C.</summary>
    public int[] Operands { get; } = operands;

    public InstructionKind Kind { get; } = kind;

    public int Flops { get; } = flops;
}

/// <summary>All opcodes with fixed operands, by their full name.</summary>
internal static unsafe class Forms
{
    private static readonly Dictionary<string, Form> All = Build();

    public static Form? Find(string opcode) => All.GetValueOrDefault(opcode);

    private static Dictionary<string, Form> Build()
    {
        var forms = new Dictionary<string, Form>();
        AddIntegers(forms);
        AddBits(forms);
        AddFloats(forms);
        AddHalves(forms);
        return forms;
    }

    private static void Add(
        Dictionary<string, Form> forms, string opcodes, Handler handler, int result, int[] operands,
        InstructionKind kind = InstructionKind.Integer, int flops = 0)
    {
        foreach (string opcode in opcodes.Split(' '))
        {
            forms.Add(opcode, new Form(handler, result, operands, kind, flops));
        }
    }

    private static void AddIntegers(Dictionary<string, Form> forms)
    {
        int[] two16 = [16, 16], two32 = [32, 32], two64 = [64, 64], three32 = [32, 32, 32], three64 = [64, 64, 64];
        Add(forms, "add.s32 add.u32", &Lanes.Binary<Add<int>, int>, 32, two32);
        Add(forms, "add.s64 add.u64", &Lanes.Binary<Add<long>, long>, 64, two64);
        Add(forms, "add.s16 add.u16", &Lanes.Binary<Unsigned16<Add<uint>>, uint>, 16, two16);
        Add(forms, "sub.s32 sub.u32", &Lanes.Binary<Subtract<int>, int>, 32, two32);
        Add(forms, "sub.s64 sub.u64", &Lanes.Binary<Subtract<long>, long>, 64, two64);
        Add(forms, "sub.s16 sub.u16", &Lanes.Binary<Unsigned16<Subtract<uint>>, uint>, 16, two16);
        Add(forms, "mul.lo.s32 mul.lo.u32", &Lanes.Binary<Multiply<int>, int>, 32, two32);
        Add(forms, "mul.lo.s64 mul.lo.u64", &Lanes.Binary<Multiply<long>, long>, 64, two64);
        Add(forms, "mul.lo.s16 mul.lo.u16", &Lanes.Binary<Unsigned16<Multiply<uint>>, uint>, 16, two16);
        Add(forms, "mul.hi.s32", &Lanes.Map<MultiplyHigh32, int, int, int>, 32, two32);
        Add(forms, "mul.hi.u32", &Lanes.Map<MultiplyHighUnsigned32, uint, uint, uint>, 32, two32);
        Add(forms, "mul.hi.s64", &Lanes.Map<MultiplyHigh64, long, long, long>, 64, two64);
        Add(forms, "mul.hi.u64", &Lanes.Map<MultiplyHighUnsigned64, ulong, ulong, ulong>, 64, two64);
        Add(forms, "mul.wide.s16", &Lanes.Map<MultiplyWide16, uint, uint, int>, 32, two16);
        Add(forms, "mul.wide.u16", &Lanes.Map<MultiplyWideUnsigned16, uint, uint, uint>, 32, two16);
        Add(forms, "mul.wide.s32", &Lanes.Map<MultiplyWide32, int, int, long>, 64, two32);
        Add(forms, "mul.wide.u32", &Lanes.Map<MultiplyWideUnsigned32, uint, uint, ulong>, 64, two32);
        Add(forms, "mad.lo.s32 mad.lo.u32", &Lanes.Ternary<MultiplyAdd<int>, int>, 32, three32);
        Add(forms, "mad.lo.s64 mad.lo.u64", &Lanes.Ternary<MultiplyAdd<long>, long>, 64, three64);
        Add(forms, "mad.hi.s32", &Lanes.Map<MultiplyAddHigh32, int, int, int, int>, 32, three32);
        Add(forms, "mad.hi.u32", &Lanes.Map<MultiplyAddHighUnsigned32, uint, uint, uint, uint>, 32, three32);
        Add(forms, "mad.wide.s32", &Lanes.Map<MultiplyAddWide32, int, int, long, long>, 64, [32, 32, 64]);
        Add(forms, "mad.wide.u32", &Lanes.Map<MultiplyAddWideUnsigned32, uint, uint, ulong, ulong>, 64, [32, 32, 64]);
        Add(forms, "div.s32", &Lanes.Divide<Quotient32, int>, 32, two32);
        Add(forms, "div.u32", &Lanes.Divide<QuotientUnsigned32, uint>, 32, two32);
        Add(forms, "div.s64", &Lanes.Divide<Quotient64, long>, 64, two64);
        Add(forms, "div.u64", &Lanes.Divide<QuotientUnsigned64, ulong>, 64, two64);
        Add(forms, "rem.s32", &Lanes.Divide<Remainder32, int>, 32, two32);
        Add(forms, "rem.u32", &Lanes.Divide<RemainderUnsigned32, uint>, 32, two32);
        Add(forms, "rem.s64", &Lanes.Divide<Remainder64, long>, 64, two64);
        Add(forms, "rem.u64", &Lanes.Divide<RemainderUnsigned64, ulong>, 64, two64);
        Add(forms, "neg.s32", &Lanes.Unary<Negate<int>, int>, 32, [32]);
        Add(forms, "neg.s64", &Lanes.Unary<Negate<long>, long>, 64, [64]);
        Add(forms, "neg.s16", &Lanes.Unary<Signed16Unary<Negate<int>>, int>, 16, [16]);
        Add(forms, "abs.s32", &Lanes.Unary<Magnitude<int>, int>, 32, [32]);
        Add(forms, "abs.s64", &Lanes.Unary<Magnitude<long>, long>, 64, [64]);
        Add(forms, "abs.s16", &Lanes.Unary<Signed16Unary<Magnitude<int>>, int>, 16, [16]);
        Add(forms, "min.s32", &Lanes.Binary<Lesser<int>, int>, 32, two32);
        Add(forms, "min.u32", &Lanes.Binary<Lesser<uint>, uint>, 32, two32);
        Add(forms, "min.s64", &Lanes.Binary<Lesser<long>, long>, 64, two64);
        Add(forms, "min.u64", &Lanes.Binary<Lesser<ulong>, ulong>, 64, two64);
        Add(forms, "min.s16", &Lanes.Binary<Signed16<Lesser<int>>, int>, 16, two16);
        Add(forms, "min.u16", &Lanes.Binary<Lesser<uint>, uint>, 16, two16);
        Add(forms, "max.s32", &Lanes.Binary<Greater<int>, int>, 32, two32);
        Add(forms, "max.u32", &Lanes.Binary<Greater<uint>, uint>, 32, two32);
        Add(forms, "max.s64", &Lanes.Binary<Greater<long>, long>, 64, two64);
        Add(forms, "max.u64", &Lanes.Binary<Greater<ulong>, ulong>, 64, two64);
        Add(forms, "max.s16", &Lanes.Binary<Signed16<Greater<int>>, int>, 16, two16);
        Add(forms, "max.u16", &Lanes.Binary<Greater<uint>, uint>, 16, two16);
    }

    private static void AddBits(Dictionary<string, Form> forms)
    {
        int[] two16 = [16, 16], two32 = [32, 32], two64 = [64, 64], three32 = [32, 32, 32];
        Add(forms, "and.b16", &Lanes.Binary<And<uint>, uint>, 16, two16);
        Add(forms, "and.b32", &Lanes.Binary<And<uint>, uint>, 32, two32);
        Add(forms, "and.b64", &Lanes.Binary<And<ulong>, ulong>, 64, two64);
        Add(forms, "or.b16", &Lanes.Binary<Or<uint>, uint>, 16, two16);
        Add(forms, "or.b32", &Lanes.Binary<Or<uint>, uint>, 32, two32);
        Add(forms, "or.b64", &Lanes.Binary<Or<ulong>, ulong>, 64, two64);
        Add(forms, "xor.b16", &Lanes.Binary<Xor<uint>, uint>, 16, two16);
        Add(forms, "xor.b32", &Lanes.Binary<Xor<uint>, uint>, 32, two32);
        Add(forms, "xor.b64", &Lanes.Binary<Xor<ulong>, ulong>, 64, two64);
        Add(forms, "not.b16", &Lanes.Unary<Unsigned16Unary<Not<uint>>, uint>, 16, [16]);
        Add(forms, "not.b32", &Lanes.Unary<Not<uint>, uint>, 32, [32]);
        Add(forms, "not.b64", &Lanes.Unary<Not<ulong>, ulong>, 64, [64]);
        Add(forms, "shl.b16", &Lanes.Map<ShiftLeft16, uint, uint, uint>, 16, [16, 32]);
        Add(forms, "shl.b32", &Lanes.Binary<ShiftLeft32, uint>, 32, two32);
        Add(forms, "shl.b64", &Lanes.Map<ShiftLeft64, ulong, uint, ulong>, 64, [64, 32]);
        Add(forms, "shr.u16 shr.b16", &Lanes.Map<ShiftRightUnsigned16, uint, uint, uint>, 16, [16, 32]);
        Add(forms, "shr.s16", &Lanes.Map<ShiftRightSigned16, uint, uint, uint>, 16, [16, 32]);
        Add(forms, "shr.u32 shr.b32", &Lanes.Binary<ShiftRightUnsigned32, uint>, 32, two32);
        Add(forms, "shr.s32", &Lanes.Binary<ShiftRightSigned32, uint>, 32, two32);
        Add(forms, "shr.u64 shr.b64", &Lanes.Map<ShiftRightUnsigned64, ulong, uint, ulong>, 64, [64, 32]);
        Add(forms, "shr.s64", &Lanes.Map<ShiftRightSigned64, long, uint, long>, 64, [64, 32]);
        Add(forms, "shf.l.clamp.b32", &Lanes.Map<FunnelLeftClamp, uint, uint, uint, uint>, 32, three32);
        Add(forms, "shf.l.wrap.b32", &Lanes.Map<FunnelLeftWrap, uint, uint, uint, uint>, 32, three32);
        Add(forms, "shf.r.clamp.b32", &Lanes.Map<FunnelRightClamp, uint, uint, uint, uint>, 32, three32);
        Add(forms, "shf.r.wrap.b32", &Lanes.Map<FunnelRightWrap, uint, uint, uint, uint>, 32, three32);
        Add(forms, "prmt.b32", &Lanes.Map<Permute, uint, uint, uint, uint>, 32, three32);
        Add(forms, "bfe.u32", &Lanes.Map<ExtractUnsigned32, uint, uint, uint, uint>, 32, three32);
        Add(forms, "bfe.s32", &Lanes.Map<ExtractSigned32, uint, uint, uint, uint>, 32, three32);
        Add(forms, "bfe.u64", &Lanes.Map<ExtractUnsigned64, ulong, uint, uint, ulong>, 64, [64, 32, 32]);
        Add(forms, "bfe.s64", &Lanes.Map<ExtractSigned64, ulong, uint, uint, ulong>, 64, [64, 32, 32]);
        Add(forms, "popc.b32", &Lanes.Map<PopulationCount32, uint, uint>, 32, [32]);
        Add(forms, "popc.b64", &Lanes.Map<PopulationCount64, ulong, uint>, 32, [64]);
        Add(forms, "clz.b32", &Lanes.Map<LeadingZeros32, uint, uint>, 32, [32]);
        Add(forms, "clz.b64", &Lanes.Map<LeadingZeros64, ulong, uint>, 32, [64]);
        Add(forms, "brev.b32", &Lanes.Map<ReverseBits32, uint, uint>, 32, [32]);
        Add(forms, "brev.b64", &Lanes.Map<ReverseBits64, ulong, ulong>, 64, [64]);
    }

    private static void AddFloats(Dictionary<string, Form> forms)
    {
        int[] two32 = [32, 32], two64 = [64, 64], three32 = [32, 32, 32], three64 = [64, 64, 64];
        Add(forms, "add.rn.f32", &Lanes.Binary<AddFloat, float>, 32, two32, InstructionKind.Float, 1);
        Add(forms, "sub.rn.f32", &Lanes.Binary<SubtractFloat, float>, 32, two32, InstructionKind.Float, 1);
        Add(forms, "mul.rn.f32", &Lanes.Binary<MultiplyFloat, float>, 32, two32, InstructionKind.Float, 1);
        Add(forms, "div.rn.f32", &Lanes.Binary<DivideFloat, float>, 32, two32, InstructionKind.Float, 1);
        Add(forms, "fma.rn.f32", &Lanes.Ternary<FusedFloat, float>, 32, three32, InstructionKind.Float, 2);
        Add(forms, "sqrt.rn.f32", &Lanes.Unary<RootFloat, float>, 32, [32], InstructionKind.Float, 1);
        Add(forms, "rcp.rn.f32", &Lanes.Unary<ReciprocalFloat, float>, 32, [32], InstructionKind.Float, 1);
        Add(forms, "neg.f32", &Lanes.Unary<NegateFloat, uint>, 32, [32], InstructionKind.Float, 0);
        Add(forms, "abs.f32", &Lanes.Unary<MagnitudeFloat, uint>, 32, [32], InstructionKind.Float, 0);
        Add(forms, "min.f32", &Lanes.Binary<LesserFloat, float>, 32, two32, InstructionKind.Float, 1);
        Add(forms, "max.f32", &Lanes.Binary<GreaterFloat, float>, 32, two32, InstructionKind.Float, 1);
        Add(forms, "min.NaN.f32", &Lanes.Binary<LesserOrNaN, float>, 32, two32, InstructionKind.Float, 1);
        Add(forms, "max.NaN.f32", &Lanes.Binary<GreaterOrNaN, float>, 32, two32, InstructionKind.Float, 1);
        Add(forms, "add.rn.f64", &Lanes.Binary<Add<double>, double>, 64, two64, InstructionKind.Double, 1);
        Add(forms, "sub.rn.f64", &Lanes.Binary<Subtract<double>, double>, 64, two64, InstructionKind.Double, 1);
        Add(forms, "mul.rn.f64", &Lanes.Binary<Multiply<double>, double>, 64, two64, InstructionKind.Double, 1);
        Add(forms, "div.rn.f64", &Lanes.Binary<DivideDouble, double>, 64, two64, InstructionKind.Double, 1);
        Add(forms, "fma.rn.f64", &Lanes.Ternary<FusedDouble, double>, 64, three64, InstructionKind.Double, 2);
        Add(forms, "sqrt.rn.f64", &Lanes.Unary<RootDouble, double>, 64, [64], InstructionKind.Double, 1);
        Add(forms, "rcp.rn.f64", &Lanes.Unary<ReciprocalDouble, double>, 64, [64], InstructionKind.Double, 1);
        Add(forms, "neg.f64", &Lanes.Unary<NegateDouble, ulong>, 64, [64], InstructionKind.Double, 0);
        Add(forms, "abs.f64", &Lanes.Unary<MagnitudeDouble, ulong>, 64, [64], InstructionKind.Double, 0);
        Add(forms, "min.f64", &Lanes.Binary<LesserDouble, double>, 64, two64, InstructionKind.Double, 1);
        Add(forms, "max.f64", &Lanes.Binary<GreaterDouble, double>, 64, two64, InstructionKind.Double, 1);
        Add(forms, "ex2.approx.f32", &Lanes.Unary<ApproximateExp2, float>, 32, [32], InstructionKind.SpecialFunction);
        Add(forms, "lg2.approx.f32", &Lanes.Unary<ApproximateLog2, float>, 32, [32], InstructionKind.SpecialFunction);
        Add(forms, "rcp.approx.f32", &Lanes.Unary<ApproximateReciprocal, float>, 32, [32], InstructionKind.SpecialFunction);
        Add(forms, "rsqrt.approx.f32", &Lanes.Unary<ApproximateReciprocalRoot, float>, 32, [32], InstructionKind.SpecialFunction);
        Add(forms, "sqrt.approx.f32", &Lanes.Unary<ApproximateRoot, float>, 32, [32], InstructionKind.SpecialFunction);
        Add(forms, "tanh.approx.f32", &Lanes.Unary<ApproximateTanh, float>, 32, [32], InstructionKind.SpecialFunction);
        Add(forms, "div.approx.f32", &Lanes.Binary<ApproximateQuotient, float>, 32, two32, InstructionKind.SpecialFunction);
    }

    private static void AddHalves(Dictionary<string, Form> forms)
    {
        Add(forms, "fma.rn.f16x2", &Lanes.Map<FusedHalves, uint, uint, uint, uint>, 32, [32, 32, 32], InstructionKind.Half, 4);
        Add(forms, "fma.rn.bf16x2", &Lanes.Map<FusedBrains, uint, uint, uint, uint>, 32, [32, 32, 32], InstructionKind.Half, 4);
    }
}
