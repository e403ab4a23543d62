// Control flow that a kernel and the host both run.
using Rt.Gpu;

namespace Rt.Gpu.Compiler.Tests.Kernels;

public static class Flows
{
    public const int Count = 14;

    private struct Pair
    {
        public int First;
        public float Second;

        public Pair(int first, float second)
        {
            First = first;
            Second = second;
        }

        public readonly int Sum => First + (int)Second;

        public void Grow(int by) => First += by;
    }

    private interface IStep
    {
        static abstract int Next(int x);
    }

    private readonly struct Double : IStep
    {
        public static int Next(int x) => x * 2;
    }

    private readonly struct Collatz : IStep
    {
        public static int Next(int x) => x % 2 == 0 ? x / 2 : (3 * x) + 1;
    }

    public static int Run(int k, int n, int m) => k switch
    {
        0 => Primes(n),
        1 => Swapped(n, m),
        2 => Early(n, m),
        3 => Nested(n, m),
        4 => Structs(n, m),
        5 => Steps<Double>(n) + Steps<Collatz>(n),
        6 => Tuples(n, m),
        7 => Switched(n) + (100 * Switched(m)),
        8 => ShortCircuit(n, m),
        9 => DoWhile(n),
        10 => References(n, m),
        11 => Old(n),
        12 => Rotated(n, m),
        _ => Weekday(n) + (n is > 3 and < 9 or 20 ? 50 : 0),
    };

    [Kernel(32)]
    public static void FlowsKernel(ArrayView<int> n, ArrayView<int> m, ArrayView<int> results)
    {
        for (var k = 0; Unroll.While(k < Count); k++)
        {
            results[(Group.IdxX * Count) + k] = Run(k, n[Group.IdxX], m[Group.IdxX]);
        }
    }

    private static int Primes(int n)
    {
        var found = 0;
        for (var i = 2; i < n; i++)
        {
            var prime = true;
            for (var j = 2; j * j <= i; j++)
            {
                if (i % j == 0)
                {
                    prime = false;
                    break;
                }
            }

            if (!prime)
            {
                continue;
            }

            found += i;
        }

        return found;
    }

    private static int Swapped(int a, int b)
    {
        for (var i = 0; i < 20 + a; i++)
        {
            (a, b) = (b, a + 1);
        }

        return (a * 1000) + b;
    }

    private static int Early(int n, int m)
    {
        if (n > 10)
        {
            return m;
        }

        for (var i = 0; i < m; i++)
        {
            if (i * i > n)
            {
                return i;
            }

            if (i == 7)
            {
                return -1;
            }
        }

        return n - m;
    }

    private static int Nested(int n, int m)
    {
        var sum = 0;
        var i = 0;
        while (true)
        {
            if (i++ > n)
            {
                break;
            }

            for (var j = i; ; j += 2)
            {
                sum += j;
                if (j > m)
                {
                    break;
                }

                if ((j & 3) == 1)
                {
                    continue;
                }

                sum ^= i;
            }
        }

        return sum;
    }

    private static int Structs(int n, int m)
    {
        var pair = new Pair(n, m);
        var copy = pair;
        for (var i = 0; i < m; i++)
        {
            pair.Grow(i);
            if (i % 3 == 0)
            {
                copy = pair with { Second = i };
            }
        }

        return (pair.Sum * 100) + copy.Sum;
    }

    private static int Steps<TStep>(int n)
        where TStep : struct, IStep
    {
        var x = n;
        for (var i = 0; i < 9; i++)
        {
            x = TStep.Next(x);
        }

        return x;
    }

    private static int Tuples(int n, int m)
    {
        var (quotient, rest) = Divide(n, m + 1);
        var pair = (Best: -1, At: 0);
        for (var i = 0; i < n; i++)
        {
            var value = i * 7 % 11;
            if (value > pair.Best)
            {
                pair = (value, i);
            }
        }

        return (quotient * 10000) + (rest * 100) + pair.Best + pair.At;
    }

    private static (int Quotient, int Remainder) Divide(int a, int b) => (a / b, a % b);

    private static int Switched(int n)
    {
        switch (n % 5)
        {
            case 0:
                return 10;
            case 1:
            case 2:
                n += 5;
                break;
            case 3:
                if (n > 8)
                {
                    break;
                }

                n *= 2;
                break;
            default:
                n = -n;
                break;
        }

        return n;
    }

    private static int ShortCircuit(int n, int m)
    {
        var calls = 0;
        var result = 0;
        for (var i = 0; i < n; i++)
        {
            if (Touch(ref calls, i > m) || (Touch(ref calls, i % 2 == 0) && Touch(ref calls, i > 3)))
            {
                result++;
            }
        }

        return (result * 100) + calls;
    }

    private static bool Touch(ref int calls, bool value)
    {
        calls++;
        return value;
    }

    private static int DoWhile(int n)
    {
        var digits = 0;
        do
        {
            digits++;
            n /= 3;
        }
        while (n > 0);
        return digits;
    }

    private static int References(int n, int m)
    {
        Order(ref n, ref m, out var gap);
        ref var smaller = ref n;
        smaller += 3;
        return (n * 1000) + (m * 10) + gap;
    }

    private static void Order(ref int low, ref int high, out int gap)
    {
        if (low > high)
        {
            (low, high) = (high, low);
        }

        gap = high - low;
    }

    // The condition is a variable as it was before this trip changed it.
    private static int Old(int n)
    {
        var running = true;
        var trips = 0;
        bool before;
        do
        {
            before = running;
            running = trips < n;
            trips++;
        }
        while (before);
        return trips;
    }

    private static int Rotated(int n, int m)
    {
        var (a, b, c) = (1, 2, 3);
        for (var i = 0; i < n; i++)
        {
            if (i == m)
            {
                a += 100;
                continue;
            }

            (a, b, c) = (b, c, a);
        }

        return a + (b * 1000) + (c * 1000000);
    }

    private static int Weekday(int n) => (n % 7) switch { 0 => 3, 1 => 1, 2 or 3 => 4, 4 => -1, _ => 9 };
}
