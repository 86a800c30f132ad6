using System.Buffers;
using Granary.Storage.Errors;

namespace Granary.Storage.Objects;

/// <summary>The pattern that keys follow, so that none escapes its prefix and all stores treat it alike.</summary>
/// <remarks>
/// Segments between single slashes, of 1 to 255 printable ASCII characters without the backslash, that neither start nor end with a dot; 1,024
/// characters in all. Dots at the start would allow <c>..</c> and hide the folder store's own folders; Azure gives segments with a dot at the end no meaning of their own.
/// </remarks>
internal static class ObjectKey
{
    public const int MaxLength = 1024;
    public const int MaxSegmentLength = 255;

    private static readonly SearchValues<char> Allowed =
        SearchValues.Create("!\"#$%&'()*+,-.0123456789:;<=>?@ABCDEFGHIJKLMNOPQRSTUVWXYZ[]^_`abcdefghijklmnopqrstuvwxyz{|}~");

    public static string Check(string key)
    {
        ArgumentNullException.ThrowIfNull(key);
        ThrowIfAny(key, FindLengthFault(key));
        foreach (var range in key.AsSpan().Split('/'))
        {
            ThrowIfAny(key, FindSegmentFault(key.AsSpan(range)));
        }

        return key;
    }

    /// <summary>Whether a name found in a store can be a key; others are not listed.</summary>
    public static bool IsValid(string key)
    {
        if (FindLengthFault(key) is not null)
        {
            return false;
        }

        foreach (var range in key.AsSpan().Split('/'))
        {
            if (FindSegmentFault(key.AsSpan(range)) is not null)
            {
                return false;
            }
        }

        return true;
    }

    /// <summary>Checks a listing's prefix: whole segments, then what may be the start of one.</summary>
    public static string CheckPrefix(string prefix)
    {
        ArgumentNullException.ThrowIfNull(prefix);
        var last = prefix.LastIndexOf('/');
        if (last >= 0)
        {
            Check(prefix[..last]);
        }

        var start = prefix.AsSpan(last + 1);
        if (start.StartsWith(".") || start.ContainsAnyExcept(Allowed))
        {
            throw Invalid(prefix, "its last part cannot start a key's segment");
        }

        return prefix;
    }

    /// <summary>Checks a name that becomes one segment of a key.</summary>
    /// <param name="kind">What is named, for the message.</param>
    /// <param name="name">The name.</param>
    public static string CheckName(string kind, string name)
    {
        ArgumentNullException.ThrowIfNull(name);
        return FindSegmentFault(name) is { } fault ? throw Invalid(name, fault, kind) : name;
    }

    private static string? FindLengthFault(string key) =>
        key.Length is 0 or > MaxLength ? $"it has {key.Length} characters, 1 to {MaxLength} are allowed" : null;

    private static string? FindSegmentFault(ReadOnlySpan<char> segment) => segment switch
    {
        [] => "it has an empty segment",
        ['.', ..] => "a segment starts with a dot",
        [.., '.'] => "a segment ends with a dot",
        { Length: > MaxSegmentLength } => $"a segment has {segment.Length} characters, {MaxSegmentLength} are allowed",
        _ when segment.ContainsAnyExcept(Allowed) => "it has a slash, a backslash, or a character other than printable ASCII",
        _ => null,
    };

    private static void ThrowIfAny(string key, string? fault)
    {
        if (fault is not null)
        {
            throw Invalid(key, fault);
        }
    }

    private static StorageException Invalid(string key, string fault, string kind = "key") => new(
        StorageErrorCodes.InvalidName,
        $"'{Printable(key)}' cannot be a {kind}: {fault}.",
        "Use names of A-Z a-z 0-9 . _ - that do not start or end with a dot.");

    private static string Printable(string key)
    {
        var shown = key.Length <= 200 ? key : key[..200] + "…";
        return string.Concat(shown.Select(c => char.IsControl(c) ? '?' : c));
    }
}
