using System.Diagnostics;
using Granary.Inference.Tensors;
using static TorchSharp.torch;
using static TorchSharp.torch.nn.functional;

namespace Granary.Inference.Attention;

/// <summary>Attention of one sequence's new rows to its whole KV cache.</summary>
internal static class CausalAttention
{
    private const long RowTile = 8;

    /// <summary>Makes the mask of a step.</summary>
    /// <param name="rows">New rows.</param>
    /// <param name="tokens">Tokens of the cache, the rows' own included.</param>
    /// <param name="leftPad">Leading tokens of the cache that nobody may see.</param>
    /// <returns>[rows, tokens], true where a row sees a token; <see langword="null"/> where libtorch needs none. The caller disposes it.</returns>
    public static Tensor? Mask(long rows, long tokens, long leftPad)
    {
        Debug.Assert(rows <= tokens, "Append the rows' keys and values before attending.");
        if (leftPad == 0 && (rows == 1 || rows == tokens))
        {
            return null;
        }

        // libtorch aligns its causal flag top left; over a prefix, row i sees tokens 0 to tokens - rows + i.
        var mask = ones(rows, tokens, ScalarType.Bool).tril_(tokens - rows); // [rows, tokens]
        if (leftPad > 0)
        {
            using var hidden = mask.narrow(1, 0, leftPad); // [rows, left_pad]
            hidden.fill_(false);
        }

        return mask;
    }

    /// <summary>Attends one sequence's new rows to its whole KV cache, causally.</summary>
    /// <param name="query">[1, heads, rows, head_dim], after rotary embedding.</param>
    /// <param name="keys">[1, kv_heads, tokens, head_dim]; the last <c>rows</c> tokens are the rows' own.</param>
    /// <param name="values">[1, kv_heads, tokens, head_dim].</param>
    /// <param name="mask">What <see cref="Mask"/> made for the step.</param>
    /// <returns>[rows, heads * head_dim], dtype of <paramref name="query"/>; the caller disposes it.</returns>
    /// <remarks>Vaswani et al. 2017, section 3.2.1; scale 1/sqrt(head_dim). Shapes are the sequence's own, so no neighbour can change the bits.</remarks>
    public static Tensor Attend(Tensor query, Tensor keys, Tensor values, Tensor? mask)
    {
        using var scope = NewDisposeScope();
        var (heads, rows) = (query.shape[1], query.shape[2]);
        var group = heads / keys.shape[1];
        if (group > 1)
        {
            keys = keys.repeat_interleave(group, 1);     // [1, heads, tokens, head_dim]
            values = values.repeat_interleave(group, 1); // [1, heads, tokens, head_dim]
        }

        // Over few rows libtorch 2.10 sums in an order that follows the thread count: of one row in partial results, of 3 or 7 by where a thread's workspace
        // happens to be aligned (measured: 1 and 2 threads differ in float32 and float64). Whole tiles of rows are alike.
        var causal = mask is null && rows > 1;
        query = PaddedRows.Pad(query, RowTile);                        // [1, heads, padded_rows, head_dim]
        mask = mask is null ? null : PaddedRows.Pad(mask, RowTile);    // [padded_rows, tokens]
        var mixed = scaled_dot_product_attention(query, keys, values, mask, is_casual: causal).narrow(2, 0, rows); // [1, heads, rows, head_dim]
        return mixed.transpose(1, 2).reshape(rows, -1).MoveToOuterDisposeScope();                                  // [rows, heads * head_dim]
    }
}
