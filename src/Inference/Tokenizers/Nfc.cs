using System.Globalization;
using System.Text;

namespace Granary.Inference.Tokenizers;

/// <summary>Unicode normalization form C. The runtime's own needs ICU; Granary runs in invariant mode, where it leaves all text as it is, and one table on all machines keeps token ids the same on all of them.</summary>
/// <remarks>Unicode Standard Annex 15; Hangul: The Unicode Standard, section 3.12. The table is <c>Nfc.txt</c>.</remarks>
internal static class Nfc
{
    private const int HangulBase = 0xAC00, LeadBase = 0x1100, VowelBase = 0x1161, TailBase = 0x11A7;
    private const int Leads = 19, Vowels = 21, Tails = 28, Syllables = Leads * Vowels * Tails;
    private const char FirstAffected = '\u0300'; // no text of lower characters is changed

    private static readonly Lazy<Table> Data = new(Table.Load);

    /// <summary>Normalizes well-formed text.</summary>
    public static string Normalize(string text)
    {
        if (text.AsSpan().IndexOfAnyExceptInRange('\0', (char)(FirstAffected - 1)) < 0)
        {
            return text;
        }

        var points = new List<int>(text.Length);
        foreach (var rune in text.EnumerateRunes())
        {
            Decompose(rune.Value, points);
        }

        Order(points);
        Compose(points);
        var result = new StringBuilder(text.Length);
        Span<char> units = stackalloc char[2];
        foreach (var point in points)
        {
            result.Append(units[..new Rune(point).EncodeToUtf16(units)]);
        }

        return result.ToString();
    }

    private static void Decompose(int point, List<int> into)
    {
        var syllable = point - HangulBase;
        if (syllable is >= 0 and < Syllables)
        {
            into.Add(LeadBase + (syllable / (Vowels * Tails)));
            into.Add(VowelBase + (syllable % (Vowels * Tails) / Tails));
            if (syllable % Tails != 0)
            {
                into.Add(TailBase + (syllable % Tails));
            }
        }
        else if (point >= 0xC0 && Data.Value.Decompositions.TryGetValue(point, out var parts))
        {
            foreach (var part in parts)
            {
                Decompose(part, into);
            }
        }
        else
        {
            into.Add(point);
        }
    }

    // Canonical ordering: marks behind a starter by class, those of one class as they stand.
    private static void Order(List<int> points)
    {
        for (var start = 0; start < points.Count; start++)
        {
            var end = start;
            while (end < points.Count && Class(points[end]) != 0)
            {
                end++;
            }

            if (end - start > 1)
            {
                var sorted = points.GetRange(start, end - start).OrderBy(Class).ToList(); // a stable sort
                for (var index = 0; index < sorted.Count; index++)
                {
                    points[start + index] = sorted[index];
                }
            }

            start = Math.Max(start, end);
        }
    }

    private static void Compose(List<int> points)
    {
        int starter = -1, kept = 0, lastClass = -1; // -1: nothing stands between the starter and this point
        for (var index = 0; index < points.Count; index++)
        {
            var point = points[index];
            var pointClass = Class(point);
            var blocked = lastClass >= pointClass && lastClass != -1;
            if (starter >= 0 && !blocked && Pair(points[starter], point) is { } composite)
            {
                points[starter] = composite;
                continue;
            }

            if (pointClass == 0)
            {
                (starter, lastClass) = (kept, -1);
            }
            else
            {
                lastClass = pointClass;
            }

            points[kept++] = point;
        }

        points.RemoveRange(kept, points.Count - kept);
    }

    private static int? Pair(int first, int second)
    {
        if (first - LeadBase is >= 0 and < Leads && second - VowelBase is >= 0 and < Vowels)
        {
            return HangulBase + ((((first - LeadBase) * Vowels) + (second - VowelBase)) * Tails);
        }

        if (first - HangulBase is >= 0 and < Syllables && (first - HangulBase) % Tails == 0 && second - TailBase is > 0 and < Tails)
        {
            return first + (second - TailBase);
        }

        return Data.Value.Composites.TryGetValue((first, second), out var composite) ? composite : null;
    }

    private static int Class(int point) => point >= FirstAffected && Data.Value.Classes.TryGetValue(point, out var value) ? value : 0;

    private sealed record Table(Dictionary<int, int[]> Decompositions, Dictionary<(int First, int Second), int> Composites, Dictionary<int, byte> Classes)
    {
        public static Table Load()
        {
            using var resource = typeof(Nfc).Assembly.GetManifestResourceStream("Granary.Inference.Tokenizers.Nfc.txt")
                ?? throw new InvalidOperationException("The table Nfc.txt is not embedded in this build.");
            using var reader = new StreamReader(resource, Encoding.ASCII);
            var table = new Table([], [], []);
            while (reader.ReadLine() is { } line)
            {
                table.Add(line);
            }

            return table;
        }

        private void Add(string line)
        {
            if (line.IndexOf('=', StringComparison.Ordinal) is > 0 and var equals)
            {
                var composed = !line.EndsWith('!');
                var point = Hex(line.AsSpan(0, equals));
                var parts = line[(equals + 1)..].TrimEnd('!').Split(' ').Select(part => Hex(part)).ToArray();
                Decompositions.Add(point, parts);
                if (composed)
                {
                    Composites.Add((parts[0], parts[1]), point);
                }
            }
            else if (!line.StartsWith('#'))
            {
                var (dots, colon) = (line.IndexOf("..", StringComparison.Ordinal), line.IndexOf(':', StringComparison.Ordinal));
                var value = byte.Parse(line.AsSpan(colon + 1), CultureInfo.InvariantCulture);
                for (var point = Hex(line.AsSpan(0, dots)); point <= Hex(line.AsSpan(dots + 2, colon - dots - 2)); point++)
                {
                    Classes.Add(point, value);
                }
            }
        }

        private static int Hex(ReadOnlySpan<char> digits) => int.Parse(digits, NumberStyles.HexNumber, CultureInfo.InvariantCulture);
    }
}
