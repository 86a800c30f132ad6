using System.Reflection;
using System.Xml.Linq;
using Granary.Client;

namespace Granary.House.Tests.Documentation;

/// <summary>Who calls the SDK reads in its documentation what a call may throw, and what to do then (STYLE, section 2).</summary>
public sealed class DocumentedErrorsTests
{
    private static readonly Assembly Sdk = typeof(IGranaryClient).Assembly;
    private static readonly Type[] AsyncResults = [typeof(Task), typeof(Task<>), typeof(ValueTask), typeof(ValueTask<>), typeof(IAsyncEnumerable<>)];

    [Fact]
    public void AsyncMembers_OfTheSdk_NameTheirExceptions()
    {
        var documented = XDocument.Load(Path.ChangeExtension(Sdk.Location, ".xml")).Descendants("member").ToLookup(static member => NameOf(member));
        var members = Sdk.GetExportedTypes()
            .SelectMany(static type => type.GetMethods(BindingFlags.Public | BindingFlags.Instance | BindingFlags.Static | BindingFlags.DeclaredOnly))
            .Where(static method => IsAsync(method.ReturnType))
            .GroupBy(static method => $"M:{method.DeclaringType?.FullName?.Replace('+', '.')}.{method.Name}")
            .ToList();

        Assert.Contains(members, static overloads => overloads.Key == "M:Granary.Client.IGranaryContext.AskAsync");
        Assert.Empty(members.Where(overloads => documented[overloads.Key].Count(SaysWhatItThrows) < overloads.Count()).Select(static overloads => overloads.Key));
    }

    // What a class inherits is its interface's to say.
    private static bool SaysWhatItThrows(XElement member) =>
        member.Elements("exception").Any(static exception => exception.Value.Length > 0)
        || (member.Element("inheritdoc") is not null && Sdk.GetType(NameOf(member)[2..NameOf(member).LastIndexOf('.')]) is { IsInterface: false });

    private static bool IsAsync(Type result) => AsyncResults.Contains(result.IsGenericType ? result.GetGenericTypeDefinition() : result);

    // M:Granary.Client.IGranaryContext.AskAsync(Granary.Contexts.AskRequest,System.Threading.CancellationToken), without what tells overloads apart.
    private static string NameOf(XElement member) => ((string?)member.Attribute("name") ?? "").Split('(', '`')[0];
}
