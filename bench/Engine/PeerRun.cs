using System.Globalization;
using System.Text.Json;
using System.Text.RegularExpressions;
using Granary.Bench.Common;

namespace Granary.Bench.Engine;

/// <summary>What is read of the line that the peer's <c>llamacpp-bench.mjs</c> prints.</summary>
internal static partial class PeerRun
{
    /// <summary>Reads the line.</summary>
    /// <param name="json">The line: milliseconds by size of prefill, and by <c>ctx{tokens}_b{sequences}</c> of decode.</param>
    /// <returns>Seconds by piece of work.</returns>
    /// <remarks>
    /// Of a decode both numbers are the median of the steps: one step of many may be lucky, and ours are means of all steps. A prefill is one piece of work on
    /// both sides, and its least time is taken.
    /// </remarks>
    /// <exception cref="BenchException">The line is no such document.</exception>
    public static IReadOnlyDictionary<RowKey, RoundSample> Parse(string json)
    {
        try
        {
            using var document = JsonDocument.Parse(json);
            var samples = new Dictionary<RowKey, RoundSample>();
            foreach (var prefill in document.RootElement.GetProperty("prefill").EnumerateObject())
            {
                var tokens = int.Parse(prefill.Name, NumberStyles.None, CultureInfo.InvariantCulture);
                samples[new RowKey("prefill", tokens)] = new RoundSample(Seconds(prefill.Value, "min_ms"), Seconds(prefill.Value, "ms"));
            }

            foreach (var decode in document.RootElement.GetProperty("decode").EnumerateObject())
            {
                var name = DecodeName().Match(decode.Name);
                if (!name.Success)
                {
                    throw new FormatException($"'{decode.Name}' is no ctx{{tokens}}_b{{sequences}}.");
                }

                var (tokens, sequences) = (int.Parse(name.Groups[1].Value, CultureInfo.InvariantCulture), int.Parse(name.Groups[2].Value, CultureInfo.InvariantCulture));
                var seconds = Seconds(decode.Value, "ms_step");
                samples[new RowKey("decode", tokens, sequences)] = new RoundSample(seconds, seconds);
            }

            return samples;
        }
        catch (Exception e) when (e is JsonException or KeyNotFoundException or FormatException or InvalidOperationException)
        {
            throw new BenchException($"The peer printed what is not its document: {e.Message} It printed: {json}", e);
        }
    }

    private static double Seconds(JsonElement row, string field) => row.GetProperty(field).GetDouble() / 1000;

    [GeneratedRegex(@"\Actx(\d{1,9})_b(\d{1,9})\z", RegexOptions.CultureInvariant)]
    private static partial Regex DecodeName();
}
