// One vector of F32 lanes: the operations that every op is written in, once for all register widths.
// Implementations: Simd512, Simd256, Simd128 and SimdScalar; the JIT compiles each op per width.
namespace Rt.Cpu;

/// <summary>Operations on a vector register of F32 lanes.</summary>
/// <typeparam name="TV">The register type: Vector512, Vector256 or Vector128 of float, or float.</typeparam>
internal unsafe interface ISimd<TV> where TV : unmanaged
{
    /// <summary>Lanes per register.</summary>
    static abstract int Count { get; }

    /// <summary>Whether 32 registers exist, so that register tiles of 24 accumulators do not spill.</summary>
    static abstract bool ManyRegisters { get; }

    static abstract TV Zero { get; }

    /// <summary>Lane indices 0, 1, 2, ...</summary>
    static abstract TV Indices { get; }

    static abstract TV Create(float value);

    static abstract TV Load(float* source);

    static abstract void Store(TV value, float* destination);

    /// <summary>Loads <see cref="Count"/> BF16 elements and widens them.</summary>
    static abstract TV LoadBFloat16(ushort* source);

    /// <summary>Loads <see cref="Count"/> F16 elements and widens them exactly, subnormals, infinities and NaN included.</summary>
    static abstract TV LoadFloat16(ushort* source);

    /// <summary>Of twice <see cref="Count"/> BF16 elements those of even index, widened: a pair of elements fills a lane, so less is to be
    /// done than for neighbours.</summary>
    static abstract TV LoadEvenBFloat16(ushort* source);

    /// <summary>Of twice <see cref="Count"/> BF16 elements those of odd index, widened.</summary>
    static abstract TV LoadOddBFloat16(ushort* source);

    /// <summary><see cref="LoadEvenBFloat16"/> for F16 elements, as exact as <see cref="LoadFloat16"/>.</summary>
    static abstract TV LoadEvenFloat16(ushort* source);

    /// <summary><see cref="LoadOddBFloat16"/> for F16 elements, as exact as <see cref="LoadFloat16"/>.</summary>
    static abstract TV LoadOddFloat16(ushort* source);

    /// <summary>The lanes of even index of a, then of b, and those of odd index.</summary>
    static abstract void Unzip(TV a, TV b, out TV even, out TV odd);

    static abstract TV Add(TV a, TV b);

    static abstract TV Subtract(TV a, TV b);

    static abstract TV Multiply(TV a, TV b);

    static abstract TV Divide(TV a, TV b);

    /// <summary>a * b + c, fused where the machine can.</summary>
    static abstract TV MultiplyAdd(TV a, TV b, TV c);

    /// <summary>The larger of each lane; b where either is NaN.</summary>
    static abstract TV Max(TV a, TV b);

    /// <summary>The smaller of each lane; b where either is NaN.</summary>
    static abstract TV Min(TV a, TV b);

    static abstract TV Abs(TV a);

    /// <summary>Nearest integer, ties to even.</summary>
    static abstract TV Round(TV a);

    /// <summary>a * 2^n for integral n in [-252, 252].</summary>
    static abstract TV ScaleByPowerOfTwo(TV a, TV n);

    /// <summary>A mask: all bits set where a > b.</summary>
    static abstract TV GreaterThan(TV a, TV b);

    /// <summary>a where the mask is set, else b.</summary>
    static abstract TV Select(TV mask, TV a, TV b);

    /// <summary>Sum of the lanes in a fixed order.</summary>
    static abstract float Sum(TV a);

    /// <summary>Largest lane; NaN lanes may be lost.</summary>
    static abstract float MaxAcross(TV a);

    /// <summary>The BF16 nearest to each lane, ties to even, as F32.</summary>
    static abstract TV RoundToBFloat16(TV a);

    /// <summary>The F16 nearest to each lane, ties to even, as F32; overflow gives infinity.</summary>
    static abstract TV RoundToFloat16(TV a);

    /// <summary>Adds the square of each lane to the F64 sums at <paramref name="sums"/> [Count].</summary>
    static abstract void AddSquares(TV a, double* sums);
}
