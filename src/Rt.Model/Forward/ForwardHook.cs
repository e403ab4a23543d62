// What may watch or change a forward pass: named points, called in order.
using Rt.Core;

namespace Rt.Model;

/// <summary>Where in a block the residual stream is read or written.</summary>
public enum Point
{
    /// <summary>The block's input.</summary>
    Pre,

    /// <summary>After attention joined the residual; does not exist in parallel families.</summary>
    Mid,

    /// <summary>The block's output, after its last norm where the placement is post.</summary>
    Post,
}

/// <summary>A named point of the residual stream.</summary>
/// <param name="Layer">Block, counted from 0.</param>
/// <param name="Point">Before, inside or after it.</param>
public readonly record struct ResidualPoint(int Layer, Point Point)
{
    /// <inheritdoc/>
    public override string ToString() => $"{Layer}.{Point.ToString().ToLowerInvariant()}";
}

/// <summary>Sees, and may change, the tensors of forward passes. Hooks are values with a scope: see <see cref="Model.Attach"/>.</summary>
/// <remarks>Tensors hold the rows that the present layer computes; they are valid during the call only.</remarks>
public abstract class ForwardHook
{
    /// <summary>Whether <see cref="OnBranch"/> is wanted: branches are then added to the residual in a step of their own,
    /// whose rounding may differ in the last bit.</summary>
    public virtual bool WantsBranches => false;

    /// <summary>Whether the hook looks at rows other than the last of a prompt or generated text; the last block then computes all of them.</summary>
    public virtual bool WantsAllRows => true;

    /// <summary>A forward pass begins.</summary>
    public virtual void OnBegin(IDevice device, RowBatch rows)
    {
    }

    /// <summary>The residual stream [rows, hidden] at a point.</summary>
    public virtual void OnResidual(IDevice device, RowBatch rows, ResidualPoint point, Tensor residual)
    {
    }

    /// <summary>Queries [rows, heads, head_dim] after rotary, with this layer's keys and values already in the cache.</summary>
    public virtual void OnQuery(IDevice device, RowBatch rows, int layer, Tensor query, in AttentionOptions options)
    {
    }

    /// <summary>Attention's result per head [rows, heads, head_dim], before the output projection.</summary>
    public virtual void OnHeads(IDevice device, RowBatch rows, int layer, Tensor heads)
    {
    }

    /// <summary>What attention (<see cref="Point.Mid"/>) or the feed-forward (<see cref="Point.Post"/>) adds to the residual, [rows, hidden].</summary>
    public virtual void OnBranch(IDevice device, RowBatch rows, ResidualPoint target, Tensor branch)
    {
    }
}
