namespace Granary.Contexts;

/// <summary>Which contexts are listed, and how many at a time.</summary>
[GenerateSerializer, Immutable, Alias("granary.context-list")]
public sealed record ContextListRequest
{
    /// <summary>The most contexts of a page.</summary>
    public const int MaxLimit = 1000;

    /// <summary>Gets the only model whose contexts are listed.</summary>
    /// <value>Default: <see langword="null"/>, all models.</value>
    [Id(0)]
    public string? Model { get; init; }

    /// <summary>Gets what their labels must be: <c>key=value</c>, or <c>key</c> for any value. All must hold.</summary>
    /// <value>Default: none.</value>
    [Id(1)]
    public string[] Labels { get; init; } = [];

    /// <summary>Gets the most contexts of a page. A page may have fewer, and still not be the last.</summary>
    /// <value>1 to <see cref="MaxLimit"/>. Default: 100.</value>
    [Id(2)]
    public int Limit { get; init; } = 100;

    /// <summary>Gets where the page starts: what the page before said.</summary>
    /// <value>Default: <see langword="null"/>, at the first context.</value>
    [Id(3)]
    public string? After { get; init; }
}
