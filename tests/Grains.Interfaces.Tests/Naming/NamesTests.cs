using Granary.Errors;
using Granary.Naming;

namespace Granary.Grains.Interfaces.Tests.Naming;

public sealed class NamesTests
{
    [Fact, Trait("Invariant", "12")]
    public void CheckTenant_TheOwnerOfSharedChunks_IsRefused()
    {
        Assert.Equal("acme", Names.CheckTenant("acme"));
        Assert.Equal(ErrorCodes.InvalidName, Assert.Throws<GranaryException>(() => Names.CheckTenant(Names.SharedTenant)).Code);
        Assert.Equal(ErrorCodes.InvalidName, Assert.Throws<GranaryException>(() => Names.CheckTenant("../acme")).Code);
    }

    [Theory]
    [InlineData("a")]
    [InlineData("ledgers.ledger-01")]
    [InlineData("A_b-c.9")]
    [InlineData("set.two%2Fthree")]
    public void Check_NameFollowsThePattern_IsReturned(string name) => Assert.Equal(name, Names.Check("context", name));

    [Theory]
    [InlineData("")]
    [InlineData(".")]
    [InlineData("..")]
    [InlineData(".hidden")]
    [InlineData("a/b")]
    [InlineData("../a")]
    [InlineData("a\\b")]
    [InlineData("a b")]
    [InlineData("a\n")]
    [InlineData("é")]
    [InlineData("~a")]
    public void Check_NameLeavesThePattern_IsRefusedWithTheName(string name)
    {
        var error = Assert.Throws<GranaryException>(() => Names.Check("context", name));
        Assert.Equal(ErrorCodes.InvalidName, error.Code);
        Assert.Contains($"'{name}'", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Check_Length_MayBe128AndNotMore()
    {
        Names.Check("context", new string('a', 128));
        Assert.Throws<GranaryException>(() => Names.Check("context", new string('a', 129)));
        Names.CheckModel(new string('a', 64));
        Assert.Throws<GranaryException>(() => Names.CheckModel(new string('a', 65)));
    }

    [Theory]
    [InlineData("/models/Pythia 70M", "float32", "pythia-70m")]
    [InlineData("/models/pythia-70m/", "bfloat16", "pythia-70m-bfloat16")]
    [InlineData("/models/.cache", "float64", "cache-float64")]
    public void ModelOfFolder_Folder_IsItsNameInLowerCase(string folder, string dtype, string id) => Assert.Equal(id, Names.ModelOfFolder(folder, dtype));

    [Fact]
    public void ModelOfFolder_LongName_KeepsTheDtype()
    {
        var id = Names.ModelOfFolder("/models/" + new string('a', 100), "bfloat16");
        Assert.Equal(64, id.Length);
        Assert.EndsWith("-bfloat16", id, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("one", "set.one")]
    [InlineData("two/three", "set.two%2Fthree")]
    [InlineData("50% é", "set.50%25%20%C3%A9")]
    public void OfDatasetItem_OtherCharacters_ArePercentEncoded(string item, string name) => Assert.Equal(name, Names.OfDatasetItem("set", item));

    [Fact]
    public void OfDatasetItem_DifferentItems_NeverShareAName() =>
        Assert.NotEqual(Names.OfDatasetItem("set", "a/b"), Names.OfDatasetItem("set", "a%2Fb"));
}
