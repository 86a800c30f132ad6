using Granary.Grains.Tests.Hosting;

namespace Granary.Grains.Tests.Contexts;

/// <summary>A silo that holds one and a half contexts of 600 tokens.</summary>
public sealed class SmallSilo : OneSilo
{
    public const long BytesPerToken = 8192;

    protected override long? BudgetBytes => 900 * BytesPerToken;
}
