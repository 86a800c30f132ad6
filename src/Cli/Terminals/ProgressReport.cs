using Granary.Errors;
using Spectre.Console;

namespace Granary.Cli.Terminals;

/// <summary>Shows how far work is, on standard error: a bar on a terminal, a plain line for each tenth elsewhere.</summary>
internal static class ProgressReport
{
    /// <summary>Runs work that reports.</summary>
    /// <typeparam name="T">The work's result.</typeparam>
    /// <param name="terminal">Where.</param>
    /// <param name="title">What is being done.</param>
    /// <param name="work">The work; it is handed a report of (done, total).</param>
    /// <returns>The work's result.</returns>
    public static Task<T> RunAsync<T>(ITerminal terminal, string title, Func<Action<int, int>, Task<T>> work) => terminal.ErrorIsTerminal
        ? Consoles.Create(terminal.Error, true, terminal.Width)
            .Progress()
            .AutoClear(true)
            .Columns(new TaskDescriptionColumn(), new ProgressBarColumn(), new PercentageColumn(), new RemainingTimeColumn())
            .StartAsync(async bars =>
            {
                var bar = bars.AddTask(Markup.Escape(title), autoStart: true, maxValue: 1);
                return await work((done, total) =>
                {
                    bar.MaxValue = Math.Max(1, total);
                    bar.Value = done;
                });
            })
        : work(PlainLines(terminal, title));

    /// <summary>Follows a stream of progress to its result.</summary>
    /// <typeparam name="TStep">An element of the stream.</typeparam>
    /// <typeparam name="TResult">The result.</typeparam>
    /// <param name="terminal">Where.</param>
    /// <param name="title">What is being done.</param>
    /// <param name="steps">The stream.</param>
    /// <param name="follow">Gives how far a step is, and the result where the step has it; the last one counts.</param>
    /// <param name="missing">The error of a stream that ended without.</param>
    /// <returns>The result.</returns>
    public static Task<TResult> FollowAsync<TStep, TResult>(
        ITerminal terminal, string title, IAsyncEnumerable<TStep> steps, Func<TStep, (int Done, int Total, TResult? Result)> follow, Func<GranaryException> missing)
        where TResult : class => RunAsync(terminal, title, async report =>
        {
            TResult? result = null;
            await foreach (var step in steps)
            {
                var (done, total, found) = follow(step);
                report(done, total);
                result = found ?? result;
            }

            return result ?? throw missing();
        });

    private static Action<int, int> PlainLines(ITerminal terminal, string title)
    {
        var toldTenths = 0;
        return (done, total) =>
        {
            var tenths = total == 0 ? 0 : 10 * done / total;
            if (tenths > toldTenths)
            {
                toldTenths = tenths;
                terminal.Error.WriteLine($"{title}: {done} of {total}");
            }
        };
    }
}
