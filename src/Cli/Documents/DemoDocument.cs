namespace Granary.Cli.Documents;

/// <summary>What <c>demo</c> prints (DESIGN §8); shares are from 0 to 1. <c>ExactMatch</c> is the share of right answers, <c>Exact</c> whether equal bits are promised.</summary>
internal sealed record DemoDocument(
    int Contexts,
    long Tokens,
    long StoredBytes,
    double PrefillTokensPerSecond,
    FirstTokenSeconds FirstTokenSeconds,
    double ExactMatch,
    double EqualAnswers,
    bool Exact);

/// <summary>Median times to the first token, in seconds.</summary>
internal sealed record FirstTokenSeconds(double NoCache, double Resident, double Restored);
