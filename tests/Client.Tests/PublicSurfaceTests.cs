using System.Reflection;

namespace Granary.Client.Tests;

public sealed class PublicSurfaceTests
{
    [Fact]
    public void PublicSurface_EveryType_NamesNoOrleansType()
    {
        const BindingFlags Public = BindingFlags.Public | BindingFlags.Instance | BindingFlags.Static | BindingFlags.DeclaredOnly;
        var types = typeof(IGranaryClient).Assembly.GetExportedTypes();
        var ours = types.Where(type => type.Namespace?.StartsWith("Granary", StringComparison.Ordinal) == true).ToList();
        Assert.Contains(typeof(GranaryConnection), ours);
        var named = ours.SelectMany(type => new[] { type.BaseType }
            .Concat(type.GetInterfaces())
            .Concat(type.GetMethods(Public).SelectMany(method => method.GetParameters().Select(parameter => parameter.ParameterType).Append(method.ReturnType)))
            .Concat(type.GetConstructors(Public).SelectMany(constructor => constructor.GetParameters().Select(parameter => parameter.ParameterType)))
            .Concat(type.GetProperties(Public).Select(property => property.PropertyType)));

        Assert.DoesNotContain(named.SelectMany(Unfold), type => type.Assembly.GetName().Name?.StartsWith("Orleans", StringComparison.Ordinal) == true);
    }

    private static IEnumerable<Type> Unfold(Type? type) => type is null ? [] : type.GetGenericArguments().SelectMany(Unfold).Append(type);
}
