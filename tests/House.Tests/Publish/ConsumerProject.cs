using System.Text.RegularExpressions;
using Granary.Testing;

namespace Granary.House.Tests.Publish;

/// <summary>A project outside the clone that references the packed SDK: the program of the package's README, behind a line that only tries a connection.</summary>
/// <remarks>All other packages are those that this clone was built with: nothing is fetched, and the machine's own cache gets no package of ours.</remarks>
internal static partial class ConsumerProject
{
    private const string TryConnection = """
        if (args is [var address])
        {
            try
            {
                await using var connection = await GranaryConnection.ConnectAsync(options => (options.Cluster, options.ConnectTimeout) = (address, TimeSpan.FromSeconds(1)));
            }
            catch (GranaryException e)
            {
                Console.WriteLine(e.Code);
                return;
            }
        }
        """;

    /// <summary>Builds the program.</summary>
    /// <param name="folder">Where it is made.</param>
    /// <param name="packed">The folder with our packages.</param>
    /// <param name="version">Their version.</param>
    /// <param name="cancellationToken">Ends it.</param>
    /// <returns>The program; given an address, it prints the code of the error that connecting ends in.</returns>
    internal static async Task<string> BuildAsync(string folder, string packed, string version, CancellationToken cancellationToken)
    {
        var own = Path.Combine(folder, "packages");
        Directory.CreateDirectory(folder);
        await WriteAsync("Program.cs", Program());
        await WriteAsync("Directory.Build.props", "<Project />");
        await WriteAsync("nuget.config", $"""<configuration><packageSources><clear /><add key="packed" value="{packed}" /></packageSources></configuration>""");
        await WriteAsync(
            "Consumer.csproj",
            $"""
            <Project Sdk="Microsoft.NET.Sdk">
              <PropertyGroup>
                <OutputType>Exe</OutputType>
                <TargetFramework>net10.0</TargetFramework>
                <ImplicitUsings>enable</ImplicitUsings>
                <Nullable>enable</Nullable>
                <TreatWarningsAsErrors>true</TreatWarningsAsErrors>
                <UseAppHost>false</UseAppHost>
                <NuGetAudit>false</NuGetAudit>
                <RestorePackagesPath>{own}</RestorePackagesPath>
                <RestoreFallbackFolders>{BuildFacts.NuGetPackageRoot}</RestoreFallbackFolders>
              </PropertyGroup>
              <ItemGroup>
                <PackageReference Include="Granary.Client" Version="{version}" />
              </ItemGroup>
            </Project>
            """);
        await Command.RunAsync("dotnet", ["build", folder, "-c", "Release", "-o", Path.Combine(folder, "out"), "-v", "quiet", "-nodeReuse:false"], folder, cancellationToken);

        Assert.True(Directory.Exists(Path.Combine(own, "granary.client")), $"Granary.Client came from {BuildFacts.NuGetPackageRoot}, not from what was packed. Delete it there.");
        return Path.Combine(folder, "out", "Consumer.dll");

        Task WriteAsync(string name, string text) => File.WriteAllTextAsync(Path.Combine(folder, name), text, cancellationToken);
    }

    // A program's usings come first; the README's blocks have theirs each.
    private static string Program()
    {
        var lines = CodeBlock().Matches(File.ReadAllText(Repository.GetPath("src/Client/README.md"))).SelectMany(block => block.Groups[1].Value.Split('\n')).ToList();
        Assert.Contains(lines, line => line.Contains("AddGranaryClient", StringComparison.Ordinal));
        var usings = lines.Where(IsUsing).Append("using Granary.Errors;");
        return string.Join('\n', [.. usings, TryConnection, .. lines.Where(line => !IsUsing(line))]);
    }

    private static bool IsUsing(string line) => Regex.IsMatch(line, @"^using [\w.]+;$");

    [GeneratedRegex("^```csharp\n(.*?)^```", RegexOptions.Multiline | RegexOptions.Singleline)]
    private static partial Regex CodeBlock();
}
