namespace Granary.Cli.Documents;

/// <summary>An error on standard error (DESIGN §8).</summary>
internal sealed record ErrorDocument(ErrorFields Error);

/// <summary>An error's fields.</summary>
internal sealed record ErrorFields(string Code, string Message, string Remedy);
