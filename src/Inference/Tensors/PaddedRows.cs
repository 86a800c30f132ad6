using static TorchSharp.torch;

namespace Granary.Inference.Tensors;

/// <summary>Rows padded to whole tiles, so that a row's bits do not depend on how many rows are beside it.</summary>
/// <remarks>Design, section 3: float32 GEMM remainders of 1 to 3 rows differ from the tiles' in their last bits (libtorch 2.10, measured).</remarks>
internal static class PaddedRows
{
    private const long Tile = 4;

    /// <summary>Gets the rows of whole tiles.</summary>
    public static long Count(long rows, long tile = Tile) => (rows + tile - 1) / tile * tile;

    /// <summary>Appends zero rows up to whole tiles.</summary>
    /// <param name="input">[..., rows, width].</param>
    /// <param name="tile">The rows of a tile.</param>
    /// <returns>[..., padded_rows, width]; the input itself where nothing is missing, so call it inside a dispose scope.</returns>
    public static Tensor Pad(Tensor input, long tile = Tile)
    {
        var shape = input.shape;
        var rows = shape[^2];
        shape[^2] = Count(rows, tile) - rows;
        if (shape[^2] == 0)
        {
            return input;
        }

        using var zero = zeros(shape, input.dtype); // [..., padded_rows - rows, width]
        return cat([input, zero], -2);              // [..., padded_rows, width]
    }
}
