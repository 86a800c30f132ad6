namespace Granary.Inference.Models;

/// <summary>Runs steps in our own kernels: few rows of many sequences together (decode rows, short prompts and short last pages), many rows of one by themselves.</summary>
/// <remarks>A row's bits depend on its own sequence's steps alone, so which steps run together is the scheduler's free choice. On the device's thread only.</remarks>
internal interface IRowModel : IDisposable
{
    /// <summary>Gets the rows that one call takes of steps that share it.</summary>
    int MaxRows { get; }

    /// <summary>Gets the bytes held beside the weights: converted norms and biases, and working memory.</summary>
    long WorkspaceBytes { get; }

    /// <summary>Gets the instruction set of the kernels, a part of the numerics id.</summary>
    string InstructionSet { get; }

    /// <summary>Gets whether a step is run here. The answer depends on the step alone, so a sequence's steps always take the same way.</summary>
    bool Takes(ModelStep step);

    /// <summary>Gets whether a step that is taken can run together with others, by its number of rows alone.</summary>
    bool Shares(ModelStep step);

    /// <summary>Computes one step, or steps of different sequences together.</summary>
    /// <param name="steps">Those that <see cref="Shares"/> said yes to, of at most <see cref="MaxRows"/> rows together; or a single one that <see cref="Takes"/> did.</param>
    /// <returns>The logits that were asked for, in order of steps and rows; valid until the next call.</returns>
    RowLogits Run(IReadOnlyList<ModelStep> steps);
}

/// <summary>Logits in native memory.</summary>
/// <param name="address">[rows, vocab] float32.</param>
/// <param name="rows">Rows.</param>
/// <param name="vocabulary">Logits of a row.</param>
internal readonly unsafe struct RowLogits(float* address, int rows, int vocabulary)
{
    public int Rows => rows;

    /// <summary>Gets a row's logits.</summary>
    public ReadOnlySpan<float> this[int row]
    {
        get
        {
            ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual((uint)row, (uint)rows);
            return new(address + ((long)row * vocabulary), vocabulary);
        }
    }
}
