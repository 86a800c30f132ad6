using Granary.Contexts;
using Granary.Errors;
using Granary.Storage.Manifests;

namespace Granary.Grains.Contexts;

/// <summary>When contexts expire and pins end: a time is UTC, and a duration that leads beyond the last instant leads to it.</summary>
internal static class Lifetimes
{
    // A hit commits at most once in so large a part of the time to live.
    private const int RefreshesPerLife = 10;

    private static readonly TimeSpan LongestPatience = TimeSpan.FromMinutes(1);
    private static readonly TimeSpan LongestCommit = TimeSpan.FromHours(1); // far beyond the store's own bounds

    /// <summary>Gets the instant after a duration.</summary>
    /// <param name="now">The time, UTC.</param>
    /// <param name="duration">Zero or more.</param>
    public static DateTimeOffset After(DateTimeOffset now, TimeSpan duration) => duration < DateTimeOffset.MaxValue - now ? now + duration : DateTimeOffset.MaxValue;

    /// <summary>Checks the time to live of a context that is created.</summary>
    /// <param name="life">The time to live; <see langword="null"/> for none.</param>
    /// <param name="refreshOnHit">Whether hits start it anew.</param>
    /// <exception cref="GranaryException"><see cref="ErrorCodes.InvalidArgument"/>: it is not above zero, or is to be started anew and is not there.</exception>
    public static void CheckNew(TimeSpan? life, bool refreshOnHit)
    {
        if (life <= TimeSpan.Zero)
        {
            throw new GranaryException(ErrorCodes.InvalidArgument, $"The time to live is {life}.", "Give a positive duration.");
        }

        CheckRefresh(life, refreshOnHit);
    }

    /// <summary>Gives a context another expiry.</summary>
    /// <param name="manifest">The context.</param>
    /// <param name="expiry">The expiry.</param>
    /// <param name="now">The time, UTC.</param>
    /// <returns>The context with it.</returns>
    /// <exception cref="GranaryException"><see cref="ErrorCodes.InvalidArgument"/>: the expiry contradicts itself or lies in the past.</exception>
    public static ContextManifest WithExpiry(ContextManifest manifest, ContextExpiry expiry, DateTimeOffset now)
    {
        if (expiry is { TimeToLive: not null, Expires: not null })
        {
            throw new GranaryException(ErrorCodes.InvalidArgument, "An expiry has both a time to live and an instant.", "Give one of them.");
        }

        if (expiry.TimeToLive < TimeSpan.Zero || expiry.Expires <= now)
        {
            throw new GranaryException(ErrorCodes.InvalidArgument, $"The expiry is {(expiry.Expires is { } past ? $"{past:u}, it is {now:u}" : $"{expiry.TimeToLive} from now")}.", "Give a time to come, or expire the context now.");
        }

        CheckRefresh(expiry.TimeToLive, expiry.RefreshOnHit);
        return manifest with
        {
            Expires = expiry.TimeToLive is { } life ? After(now, life) : expiry.Expires?.ToUniversalTime(),
            TimeToLive = expiry.RefreshOnHit && expiry.TimeToLive > TimeSpan.Zero ? expiry.TimeToLive : null,
        };
    }

    /// <summary>Gets until when a pin holds.</summary>
    /// <param name="pin">The pin.</param>
    /// <param name="now">The time, UTC.</param>
    /// <returns>The last instant that there is, for a pin without end.</returns>
    /// <exception cref="GranaryException"><see cref="ErrorCodes.InvalidArgument"/>: the pin contradicts itself or lies in the past.</exception>
    public static DateTimeOffset PinnedUntil(ContextPin pin, DateTimeOffset now) => pin switch
    {
        { Duration: not null, Until: not null } => throw new GranaryException(ErrorCodes.InvalidArgument, "A pin has both a duration and an instant.", "Give one of them."),
        { Duration: { } duration } when duration <= TimeSpan.Zero => throw new GranaryException(ErrorCodes.InvalidArgument, $"The pin's duration is {duration}.", "Give a positive duration."),
        { Until: { } past } when past <= now => throw new GranaryException(ErrorCodes.InvalidArgument, $"The pin's end is {past:u}, it is {now:u}.", "Give a time to come, or unpin the context."),
        { Duration: { } duration } => After(now, duration),
        { Until: { } until } => until.ToUniversalTime(),
        _ => DateTimeOffset.MaxValue,
    };

    /// <summary>Gets until when a context's pages may not be reclaimed: a pin does not outlive its context.</summary>
    /// <param name="manifest">The context.</param>
    /// <returns>The instant; <see langword="null"/> where it is not pinned.</returns>
    public static DateTimeOffset? KeptUntil(ContextManifest manifest) => manifest is { PinnedUntil: { } pinned, Expires: { } expires } && expires < pinned ? expires : manifest.PinnedUntil;

    /// <summary>Gets the expiry after a hit.</summary>
    /// <param name="manifest">The context.</param>
    /// <param name="now">The time of the hit, UTC.</param>
    /// <returns>The new expiry; <see langword="null"/> where it stays: nothing was asked for, it was moved a moment ago, or it is over.</returns>
    public static DateTimeOffset? FindRefreshed(ContextManifest manifest, DateTimeOffset now) =>
        manifest is { TimeToLive: { } life, Expires: { } expires } && manifest.IsAliveAt(now) && After(now, life) is var next && next - expires >= life / RefreshesPerLife ? next : null;

    /// <summary>Gets how long a commit of a new expiry may take: not longer than the context lives.</summary>
    /// <param name="manifest">The context, alive.</param>
    /// <param name="now">The time, UTC.</param>
    public static TimeSpan Patience(ContextManifest manifest, DateTimeOffset now) => Left(manifest, now) is var left && left >= TimeSpan.Zero && left < LongestPatience ? left : LongestPatience;

    /// <summary>Gets how long a context lives yet.</summary>
    /// <param name="manifest">The context, alive.</param>
    /// <param name="now">The time, UTC.</param>
    /// <returns>The time; <see cref="Timeout.InfiniteTimeSpan"/> where it does not expire, or later than any commit ends.</returns>
    public static TimeSpan Left(ContextManifest manifest, DateTimeOffset now) =>
        manifest.Expires is { } expires && expires - now < LongestCommit ? TimeSpan.FromTicks(Math.Max(1, (expires - now).Ticks)) : Timeout.InfiniteTimeSpan;

    private static void CheckRefresh(TimeSpan? life, bool refreshOnHit)
    {
        if (refreshOnHit && life is null)
        {
            throw new GranaryException(ErrorCodes.InvalidArgument, "A hit is to start the time to live anew, and there is none.", "Give a time to live.");
        }
    }
}
