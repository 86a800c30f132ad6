using System.Diagnostics;
using Granary.Inference.Pages;
using Granary.Inference.Tests.Checkpoints;
using Granary.Testing;

namespace Granary.Inference.Tests.HistoryIndependence;

/// <summary>Another process answers with the same bits. The other process is this assembly, running this test, told where to write what it answers.</summary>
[Trait("Invariant", "6")]
public sealed class OtherProcessTests(HistoryModels models) : IClassFixture<HistoryModels>
{
    private const string AnswersVariable = "GRANARY_TEST_ANSWERS";
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(5);

    [Fact]
    public async Task Ask_ByAnotherProcess_SameBits()
    {
        var answers = await AnswersAsync();
        if (Environment.GetEnvironmentVariable(AnswersVariable) is { } file)
        {
            await File.WriteAllLinesAsync(file, answers, TestContext.Current.CancellationToken);
            return;
        }

        using var scratch = new ScratchFolder();
        var theirs = scratch.File("answers");
        using var other = Start(theirs);
        using var patience = CancellationTokenSource.CreateLinkedTokenSource(TestContext.Current.CancellationToken);
        patience.CancelAfter(Patience);
        try
        {
            var output = other.StandardOutput.ReadToEndAsync(patience.Token);
            await other.WaitForExitAsync(patience.Token);
            Assert.True(other.ExitCode == 0, await output);
        }
        finally
        {
            if (!other.HasExited)
            {
                other.Kill(entireProcessTree: true);
            }
        }

        Assert.Equal(answers, await File.ReadAllLinesAsync(theirs, TestContext.Current.CancellationToken));
    }

    private async Task<List<string>> AnswersAsync()
    {
        var answers = new List<string>();
        foreach (var row in HistoryModels.All)
        {
            var (name, dtype) = row.Data;
            var model = await models.GetAsync(name, dtype);
            foreach (var ask in ContextCase.All.Where(ask => LongForm.Wanted || name == HistoryModels.Sample || ask.Length == 257))
            {
                answers.Add($"{name} {dtype.Name()} {ask}: {await HistoryModels.AnswerAsync(model, ask)}");
            }
        }

        return answers;
    }

    private static Process Start(string answers)
    {
        var start = new ProcessStartInfo(Path.Combine(AppContext.BaseDirectory, "Granary.Inference.Tests"))
        {
            ArgumentList = { "-noLogo", "-method", $"{typeof(OtherProcessTests).FullName}.{nameof(Ask_ByAnotherProcess_SameBits)}" },
            RedirectStandardOutput = true,
            Environment = { [AnswersVariable] = answers },
        };
        return Process.Start(start) ?? throw new InvalidOperationException($"{start.FileName} did not start.");
    }
}
