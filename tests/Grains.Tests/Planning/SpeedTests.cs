using Granary.Grains.Planning;
using Microsoft.Extensions.Time.Testing;

namespace Granary.Grains.Tests.Planning;

/// <summary>Measured speeds: nothing at first, then what was measured, then what is measured now.</summary>
public sealed class SpeedTests
{
    private readonly FakeTimeProvider _time = new();

    [Fact]
    public void StoreSpeed_Seeded_ExpectsTheWaitOnce()
    {
        var speed = new StoreSpeed(_time);
        Assert.False(speed.IsKnown);

        speed.Seed(TimeSpan.FromMilliseconds(200), 1_000_000, TimeSpan.FromSeconds(1));

        Assert.Equal(2.2, speed.Expect(2_000_000, waits: true), 1e-9);
        Assert.Equal(2, speed.Expect(2_000_000, waits: false), 1e-9);
        Assert.True(speed.IsKnown);
    }

    [Fact]
    public void StoreSpeed_NothingIsLoaded_IsProbedAgainAfterOneTwoFourEightAndThenFifteenSeconds()
    {
        var speed = new StoreSpeed(_time);
        Assert.True(speed.IsProbeDue(loads: true));
        foreach (var seconds in (int[])[1, 2, 4, 8, 15, 15])
        {
            speed.Seed(TimeSpan.FromMilliseconds(200), 1_000_000, TimeSpan.FromSeconds(1));
            _time.Advance(TimeSpan.FromSeconds(seconds));
            Assert.False(speed.IsProbeDue(loads: false));
            _time.Advance(TimeSpan.FromTicks(1));
            Assert.True(speed.IsProbeDue(loads: false));
            Assert.False(speed.IsProbeDue(loads: true)); // reads tell more than a probe
        }
    }

    [Theory]
    [InlineData(0.001)]
    [InlineData(100)]
    public void StoreSpeed_FarFromWhatItWas_IsRightAfterTwentyReads(double secondsPerMegabyte)
    {
        var speed = new StoreSpeed(_time);
        speed.Seed(TimeSpan.FromMilliseconds(1), 1_000_000, TimeSpan.FromSeconds(0.1));
        for (var read = 0; read < 20; read++)
        {
            speed.Observe(1_000_000, waits: false, TimeSpan.FromSeconds(secondsPerMegabyte));
        }

        Assert.InRange(speed.Expect(1_000_000, waits: false), secondsPerMegabyte * 0.95, secondsPerMegabyte * 1.05);
    }

    [Fact]
    public void StoreSpeed_NeverProbed_LearnsFromTheFirstRead()
    {
        var speed = new StoreSpeed(_time);
        speed.Observe(1_000_000, waits: true, TimeSpan.FromSeconds(0.4));
        Assert.Equal(0.4, speed.Expect(1_000_000, waits: true), 1e-9);
    }

    [Fact]
    public void StoreSpeed_ProbedAfterReads_ForgetsTheColdOnesAndThenMeetsHalfWay()
    {
        var speed = new StoreSpeed(_time);
        speed.Observe(1_000_000, waits: false, TimeSpan.FromSeconds(10)); // the first read of a process
        speed.Seed(TimeSpan.Zero, 1_000_000, TimeSpan.FromSeconds(0.1));
        Assert.Equal(0.1, speed.Expect(1_000_000, waits: false), 1e-9);

        speed.Seed(TimeSpan.Zero, 1_000_000, TimeSpan.FromSeconds(0.4));
        Assert.Equal(0.2, speed.Expect(1_000_000, waits: false), 1e-9);
    }

    [Fact]
    public void StoreSpeed_OneSlowRead_CountsForAThird()
    {
        var speed = new StoreSpeed(_time);
        speed.Seed(TimeSpan.Zero, 1_000_000, TimeSpan.FromSeconds(0.01));
        speed.Observe(1_000_000, waits: false, TimeSpan.FromSeconds(3600)); // a machine that slept

        Assert.InRange(speed.Expect(1_000_000, waits: false), 0.01, 0.03);
    }

    [Fact]
    public void PrefillSpeed_ObservedAgain_MovesThere()
    {
        var speed = new PrefillSpeed();
        Assert.Equal((false, 0.0), (speed.IsKnown, speed.Expect(1e9)));
        speed.Observe(1e9, TimeSpan.FromSeconds(1));
        Assert.Equal(2, speed.Expect(2e9), 1e-9);

        for (var page = 0; page < 20; page++)
        {
            speed.Observe(1e9, TimeSpan.FromSeconds(4)); // the engine's queue has grown
        }

        Assert.InRange(speed.Expect(1e9), 3.9, 4);
    }
}
