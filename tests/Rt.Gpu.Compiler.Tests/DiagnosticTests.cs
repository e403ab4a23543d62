// Every rule: its id, the line it points to, and the cure in its message.
namespace Rt.Gpu.Compiler.Tests;

public sealed class DiagnosticTests
{
    public static TheoryData<string, string, string, string> Cases => new()
    {
        { "RTK0001", "write its result through an ArrayView", "[Kernel(32)] public static int [|K|]() => 1;", "a kernel that returns" },
        { "RTK0002", "use ArrayView<T>, int, uint", "[Kernel(32)] public static void K(string [|text|]) { }", "a string parameter" },
        { "RTK0002", "use ArrayView<T>, int, uint", "[Kernel(32)] public static void K(ref int [|x|]) { }", "a parameter by reference" },
        { "RTK0003", "use XMath", "[Kernel(32)] public static void K(ArrayView<float> x) { x[0] = [|MathF.Sin(x[1])|]; }", "a method of .NET" },
        { "RTK0004", "write a loop", "[Kernel(32)] public static void K(ArrayView<int> x) { x[0] = F(3); }\n static int F(int n) => n == x0 ? 0 : [|F(n - 1)|];\n const int x0 = 0;", "recursion" },
        { "RTK0005", "use SharedMemory.Allocate", "[Kernel(32)] public static void K(ArrayView<int> x) { var y = [|new int[4]|]; }", "an array" },
        { "RTK0005", "use SharedMemory.Allocate", "[Kernel(32)] public static void K(ArrayView<int> x) { object y = [|x[0]|]; }", "boxing" },
        { "RTK0006", "use if, for, while", "[Kernel(32)] public static void K(ArrayView<int> x) { [|try { x[0] = 1; } finally { }|] }", "try" },
        { "RTK0006", "use if, for, while", "[Kernel(32)] public static void K(ArrayView<int> x) { [|throw new Exception();|] }", "throw" },
        { "RTK0007", "use a static method", "[Kernel(32)] public static void K(ArrayView<int> x) { Func<int, int> f = [|y => y|]; }", "a lambda" },
        { "RTK0008", "make it const", "static int total; [Kernel(32)] public static void K(ArrayView<int> x) { x[0] = [|total|]; }", "a static field" },
        { "RTK0009", "must be a constant", "[Kernel(32)] public static void K(ArrayView<int> x, int n) { var s = [|SharedMemory.Allocate<int>(n)|]; s[0] = 1; }", "a shared length" },
        { "RTK0010", "use SharedMemory.GetDynamic", "[Kernel(32)] public static void [|K|](ArrayView<int> x) { var s = SharedMemory.Allocate<int>(20000); s[x[0]] = 1; }", "80000 shared bytes" },
        { "RTK0011", "move it out of the branch", "[Kernel(64)] public static void K(ArrayView<int> x) { if (Group.IdxX < 5) { [|Group.Barrier();|] } }", "a barrier in a branch" },
        { "RTK0011", "move it out of the branch", "[Kernel(64)] public static void K(ArrayView<int> x) { if (x[0] < 5) { return; } [|Group.Barrier();|] x[0] = 1; }", "a barrier behind a return" },
        { "RTK0011", "Warp.Any", "[Kernel(64)] public static void K(ArrayView<int> x) { for (var i = 0; i < x[Group.IdxX]; i++) { [|x[i] = Warp.ShuffleXor(i, 1);|] } }", "a shuffle in a loop of unequal trips" },
        { "RTK0011", "Group.BarrierOr", "[Kernel(64)] public static void K(ArrayView<int> x) { var first = x[Group.IdxX]; while (true) { if (first > 3) { break; } [|Group.Barrier();|] first++; } }", "a barrier in a loop that some leave" },
        { "RTK0012", "add it, or remove [Instance]", "[Instance(typeof(int))] public static void [|K|]<T>(ArrayView<T> x) where T : unmanaged { }", "an instance of no kernel" },
        { "RTK0013", "write a float literal", "[Kernel(32)] public static void K(ArrayView<float> x, ArrayView<double> y) { y[0] = [|x[0]|]; }", "a float widened silently" },
        { "RTK0014", "write a string literal", "[Kernel(32)] public static void K(ArrayView<int> x) { Ptx.Emit([|\"prefetch.global.L2 [%2];\"|], x); }", "an operand that is not there" },
        { "RTK0015", "constant bounds", "[Kernel(32)] public static void K(ArrayView<int> x, int n) { var l = LocalMemory.Allocate<int>(4); for (var i = 0; i < n; i++) { [|l[i]|] = 1; } x[0] = l[0]; }", "a dynamic index" },
        { "RTK0016", "choose the view under a condition", "[Kernel(32)] public static void K(ArrayView<int> x, int n) { var s = SharedMemory.Allocate<int>(4); var v = n > 0 ? x : s; [|v|][0] = 1; }", "global or shared" },
        { "RTK0017", "unroll less", "[Kernel(32)] public static void [|K|](ArrayView<int> x) { for (var i = 0; Unroll.While(i < 4000); i++) { for (var j = 0; j < 16; j++) { x[i * j] = x[i + j] * x[j]; } } }", "too many instructions" },
        { "RTK0018", "constants at build time", "[Kernel(32)] public static void K(ArrayView<int> x, int n) { for (var i = 0; [|Unroll.While(i < n)|]; i++) { x[i] = 1; } }", "unrolling without bounds" },
        { "RTK0019", "cannot be used", "[Kernel(32)] public static void K(ArrayView<float> x) { x[0] = [|x[1] % x[2]|]; }", "a float remainder" },
        { "RTK0021", "remove Portable", "[Kernel(32, Portable = true)] public static void K(ArrayView<BFloat16> [|x|]) { }", "a portable parameter of bfloat16" },
        { "RTK0021", "remove Portable", "[Kernel(32, Portable = true)]\n[Instance(typeof(int))]\n[[|Instance(typeof(BFloat16))|]]\npublic static void K<T>(ArrayView<T> x) where T : unmanaged { }", "a portable instance for bfloat16" },
        { "RTK0021", "'Vec4'", "[Kernel(32, Portable = true)] public static void K(ArrayView<float> x) { var v = [|x.Cast<Vec4<float>>()|][0]; x[0] = v[1]; }", "a portable vector" },
        { "RTK0021", "'Approximate.Exp2'", "[Kernel(32, Portable = true)] public static void K(ArrayView<float> x) { x[0] = F(x[1]); }\n static float F(float y) => [|Approximate.Exp2(y)|];", "an approximate function in a helper" },
        { "RTK0021", "'Element.ToFloat'", "[Kernel(32, Portable = true)] public static void K(ArrayView<Half> x, ArrayView<float> y) { y[0] = [|Element.ToFloat(x[0])|]; }", "a portable element" },
        { "RTK0021", "'AsyncCopy.Commit'", "[Kernel(32, Portable = true)] public static void K(ArrayView<float> x) { [|AsyncCopy.Commit()|]; }", "a portable copy" },
        { "RTK0021", "'Ptx.Emit'", "[Kernel(32, Portable = true)] public static void K(ArrayView<float> x) { for (var i = 0; i < 4; i++) { [|Ptx.Emit(\"membar.gl;\")|]; } }", "instructions by hand" },
        { "RTK0021", "'Warp.Any'", "[Kernel(32, Portable = true)] public static void K(ArrayView<int> x) { if ([|Warp.Any(x[0] > 1)|]) { x[0] = 0; } }", "a vote" },
        { "RTK0022", "add [Instance", "[Kernel(32)] public static void [|K|]<T>(ArrayView<T> x) where T : unmanaged { }", "a generic kernel without instances" },
        { "RTK0023", "multiple of 32", "[Kernel(33)] public static void [|K|](ArrayView<int> x) { }", "a group of 33" },
        { "RTK0024", "use a shorter vector", "[Kernel(32)] public static void K(ArrayView<double> x) { var v = [|x.Cast<Vec4<double>>()[0]|]; x[0] = v[1]; }", "a vector of 32 bytes" },
        { "RTK0025", "remove the attribute", "[Kernel(32)] public static void K([ReadOnlyView] ArrayView<int> x) { [|x[0]|] = 1; }", "a write to a read-only view" },
        { "RTK0026", "rename one", "[Kernel(32)] public static void K(ArrayView<int> x) { }\n[Kernel(32)] public static void [|K|](ArrayView<float> x) { }", "two overloads" },
        { "RTK0026", "'Kernels.K' and 'Inner.K'", "[Kernel(32)] public static void K(ArrayView<int> x) { }\npublic static class Inner { [Kernel(32)] public static void [|K|](ArrayView<int> x) { } }", "two classes" },
        { "RTK0026", "'K_Int32'", "[Kernel(32)]\n[Instance(typeof(int))]\n[[|Instance(typeof(int))|]]\npublic static void K<T>(ArrayView<T> x) where T : unmanaged { }", "one instance twice" },
        { "RTK0026", "exists already", "[Kernel(32)] public static void K(ArrayView<int> x) { }\n[Kernel(32)] public static void [|k|](ArrayView<int> x) { }", "names that differ in case alone" },
        { "RTK0027", "use sm_80", "[Kernel(32, Target = \"sm_20\")] public static void [|K|](ArrayView<int> x) { }", "an unknown target" },
    };

    [Theory]
    [MemberData(nameof(Cases))]
    public void Rule_ForbiddenUse_IsReportedAtItsPlaceWithTheCure(string id, string cure, string members, string what)
    {
        _ = what;
        var start = members.IndexOf("[|", StringComparison.Ordinal);
        var source = members.Replace("[|", string.Empty).Replace("|]", string.Empty);
        var diagnostics = CompilerHarness.Diagnose(source);
        var diagnostic = Assert.Single(diagnostics);
        Assert.Equal(id, diagnostic.Id);
        Assert.Contains(cure, diagnostic.GetMessage());
        var position = diagnostic.Location.GetLineSpan().StartLinePosition;
        var before = source[..start];
        Assert.Equal(before.Count(letter => letter == '\n') + 5, position.Line);
        Assert.Equal(before.Length - before.LastIndexOf('\n') - 1, position.Character);
    }

    [Fact]
    public void Portable_KernelWithinIlgpu_IsAccepted()
    {
        const string Source = """
            [Kernel(64, Portable = true)]
            [Instance(typeof(float))]
            [Instance(typeof(double))]
            public static void K<T>([ReadOnlyView] ArrayView<float> x, ArrayView<T> y, ArrayView<int> count, int n) where T : unmanaged
            {
                var shared = SharedMemory.Allocate<float>(64);
                var value = Group.IdxX < n ? XMath.Exp(x[Group.IdxX]) : 0f;
                shared[Group.IdxX] = value + Warp.ShuffleXor(value, 16);
                Group.Barrier();
                if (shared[63 - Group.IdxX] > 1f) { Atomic.Add(ref count[0], 1); }
                y[Group.IdxX] = default;
                SharedMemory.GetDynamic<float>()[Group.IdxX] = Interop.IntAsFloat(3u);
            }
            """;
        Assert.Empty(CompilerHarness.Diagnose(Source));
    }

    [Fact]
    public void Uniformity_BarriersUnderUniformConditions_AreAccepted()
    {
        const string Source = """
            [Kernel(64)]
            public static void K([ReadOnlyView] ArrayView<int> lengths, ArrayView<int> x, int n, bool flag)
            {
                var length = lengths[Grid.IdxX];
                if (flag && length > 3) { Group.Barrier(); }
                for (var i = 0; i < length; i++) { Group.Barrier(); x[i] = Group.IdxX; }
                for (var i = Group.IdxX; i < n; i += Group.DimX) { x[i] = 2; }
                Group.Barrier();
                if (Group.IdxX / 32 == 1) { x[0] = Warp.ShuffleXor(Group.IdxX, 1); }
                if (Group.IdxX < 32) { x[1] = Warp.Shuffle(x[3], 0); }
                if (Group.BarrierOr(x[Group.IdxX] > 1)) { Group.Barrier(); }
                while (Warp.Any(x[Group.IdxX] > 0)) { x[Group.IdxX]--; Warp.Barrier(); }
                var top = Warp.Broadcast(x[Group.IdxX], 0);
                if (top > 3) { Warp.Barrier(); }
                if (n > 100) { return; }
                Group.Barrier();
            }
            """;
        Assert.Empty(CompilerHarness.Diagnose(Source));
    }
}
