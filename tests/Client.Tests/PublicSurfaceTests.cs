using System.Reflection;

namespace Granary.Client.Tests;

/// <summary>Who uses the SDK compiles against Granary's own types, .NET's, and the abstractions of Microsoft.Extensions.</summary>
public sealed class PublicSurfaceTests
{
    private const BindingFlags Public = BindingFlags.Public | BindingFlags.Instance | BindingFlags.Static | BindingFlags.DeclaredOnly;

    [Fact]
    public void PublicSurface_EveryType_NamesNoOrleansType()
    {
        var reached = Reach();

        Assert.Contains(typeof(GranaryConnection), reached);
        Assert.Contains(typeof(Granary.Contexts.AnswerUsage), reached); // through IGranaryContext, AnswerPart and Answer
        Assert.DoesNotContain(reached, type => AssemblyOf(type).StartsWith("Orleans", StringComparison.Ordinal));
    }

    [Fact]
    public void PublicSurface_EveryType_IsOfGranaryDotNetOrTheAbstractions()
    {
        string[] allowed = ["Granary.Client", "Granary.Grains.Interfaces", "System.", "Microsoft.Extensions."];

        Assert.DoesNotContain(Reach(), type => !allowed.Any(start => AssemblyOf(type).StartsWith(start, StringComparison.Ordinal)));
    }

    // What the exported types of the library name, and what the types of Granary that they name do in turn.
    private static HashSet<Type> Reach()
    {
        var reached = new HashSet<Type>();
        var open = new Stack<Type>(typeof(IGranaryClient).Assembly.GetExportedTypes().Where(IsOurs));
        while (open.TryPop(out var type))
        {
            if (reached.Add(type) && IsOurs(type))
            {
                foreach (var named in NamedBy(type).SelectMany(Unfold))
                {
                    open.Push(named);
                }
            }
        }

        return reached;
    }

    private static IEnumerable<Type?> NamedBy(Type type) => new[] { type.BaseType }
        .Concat(type.GetInterfaces())
        .Concat(type.GetMethods(Public).SelectMany(method => method.GetParameters().Select(parameter => parameter.ParameterType).Append(method.ReturnType)))
        .Concat(type.GetConstructors(Public).SelectMany(constructor => constructor.GetParameters().Select(parameter => parameter.ParameterType)))
        .Concat(type.GetProperties(Public).Select(property => property.PropertyType))
        .Concat(type.GetFields(Public).Select(field => field.FieldType))
        .Concat(type.GetEvents(Public).Select(@event => @event.EventHandlerType));

    private static IEnumerable<Type> Unfold(Type? type) =>
        type is null ? []
        : type.HasElementType ? Unfold(type.GetElementType())
        : type.GetGenericArguments().SelectMany(Unfold).Append(type.IsGenericType ? type.GetGenericTypeDefinition() : type);

    private static bool IsOurs(Type type) => type.Namespace?.StartsWith("Granary", StringComparison.Ordinal) == true;

    private static string AssemblyOf(Type type) => type.Assembly.GetName().Name ?? "";
}
