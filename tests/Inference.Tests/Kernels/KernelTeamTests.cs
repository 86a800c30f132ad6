using Granary.Inference.Kernels;

namespace Granary.Inference.Tests.Kernels;

public sealed class KernelTeamTests
{
    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(4)]
    public void Run_ManyRounds_EveryChunkOnce(int threads)
    {
        using var team = new KernelTeam(threads);
        var taken = new int[17];
        for (var round = 0; round < 5000; round++)
        {
            var chunks = 1 + (round % taken.Length);
            Array.Clear(taken);

            team.Run(chunks, chunk => Interlocked.Increment(ref taken[chunk]));

            for (var chunk = 0; chunk < taken.Length; chunk++)
            {
                Assert.Equal(chunk < chunks ? 1 : 0, Volatile.Read(ref taken[chunk]));
            }
        }
    }

    [Fact]
    public async Task Run_AfterTheWorkersSlept_WakesThem()
    {
        using var team = new KernelTeam(2);
        for (var round = 0; round < 20; round++)
        {
            await Task.Delay(TimeSpan.FromMilliseconds(5), TimeProvider.System, TestContext.Current.CancellationToken); // far longer than the workers spin
            var threads = new HashSet<int>();
            using var both = new Barrier(2);
            team.Run(2, _ =>
            {
                Assert.True(both.SignalAndWait(TimeSpan.FromSeconds(30)), "No worker came.");
                lock (threads)
                {
                    threads.Add(Environment.CurrentManagedThreadId);
                }
            });

            Assert.Equal(2, threads.Count);
        }
    }

    [Fact]
    public void Threads_None_Throws() => Assert.Throws<ArgumentOutOfRangeException>(static () => new KernelTeam(0));
}
