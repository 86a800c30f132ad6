using Granary.Inference.Pages;

namespace Granary.Grains.Tests.Contexts;

/// <summary>Reads a budget again and again on a thread of its own, and keeps the most that it saw.</summary>
internal sealed class BudgetSamples : IDisposable
{
    private readonly CancellationTokenSource _stopping = new();
    private readonly Task _sampling;
    private long _most;

    public BudgetSamples(KvBudget budget) => _sampling = Task.Factory.StartNew(
        () =>
        {
            while (!_stopping.Token.WaitHandle.WaitOne(TimeSpan.FromMilliseconds(1)))
            {
                _most = Math.Max(_most, budget.UsedBytes);
            }
        },
        CancellationToken.None,
        TaskCreationOptions.LongRunning,
        TaskScheduler.Default);

    /// <summary>Gets the most bytes seen so far.</summary>
    public long Most => Volatile.Read(ref _most);

    public void Dispose()
    {
        _stopping.Cancel();
        _sampling.GetAwaiter().GetResult();
        _stopping.Dispose();
    }
}
