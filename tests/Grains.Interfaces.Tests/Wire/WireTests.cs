using Granary.Contexts;
using Granary.Datasets;
using Granary.Errors;
using Granary.Models;
using Microsoft.Extensions.DependencyInjection;
using Orleans.Serialization;

namespace Granary.Grains.Interfaces.Tests.Wire;

public sealed class WireTests
{
    private readonly Serializer _serializer = new ServiceCollection().AddSerializer().BuildServiceProvider().GetRequiredService<Serializer>();

    [Fact]
    public void Exception_AcrossAGrainCall_KeepsCodeMessageAndRemedy()
    {
        var error = RoundTrip(new GranaryException(ErrorCodes.KvBudgetExceeded, "too big", "make it smaller"));
        Assert.Equal((ErrorCodes.KvBudgetExceeded, "too big", "make it smaller"), (error.Code, error.Message, error.Remedy));
    }

    [Fact]
    public void Answer_AcrossAGrainCall_KeepsTheBitsOfItsLogProbabilities()
    {
        double[] values = [-0.1, double.Epsilon, -708.3964185322641, -5e-324];
        var answer = RoundTrip(new AnswerPart(null, new Answer
        {
            Model = "m",
            Numerics = "n",
            Exact = true,
            TokenIds = [1, 2, 3, 4],
            LogProbabilities = values,
            TopLogProbabilities = [[new TokenAlternative(7, -0.25)]],
            FinishReason = "length",
            Usage = new AnswerUsage(1, 2, 3, 4, 5, 6),
            FirstTokenSeconds = 0.5,
            Plan = new AnswerPlan("load", "stored"),
        })).Answer!;
        Assert.Equal(values.Select(BitConverter.DoubleToInt64Bits), answer.LogProbabilities!.Select(BitConverter.DoubleToInt64Bits));
        Assert.Equal(new AnswerUsage(1, 2, 3, 4, 5, 6), answer.Usage);
        Assert.Equal(new TokenAlternative(7, -0.25), answer.TopLogProbabilities![0][0]);
    }

    [Fact]
    public void Requests_AcrossAGrainCall_KeepTheirParts()
    {
        var create = RoundTrip(new CreateContextRequest { Input = TokenInput.OfTokens(1, 2), TimeToLive = TimeSpan.FromHours(1), TruncateLeft = true, Reserve = 9, Labels = { ["a"] = "b" } });
        Assert.Equal((TimeSpan.FromHours(1), true, 9, "b"), (create.TimeToLive, create.TruncateLeft, create.Reserve, create.Labels["a"]));
        Assert.Equal([1, 2], create.Input.TokenIds!);
        var put = RoundTrip(new PutItemsRequest { Digest = "d", Shard = 1, Part = 2, Last = true, Items = [new DatasetItem("i", "c", [new DatasetQuestion("q", "?", ["!"])])] });
        Assert.Equal("!", put.Items[0].Questions[0].Answers[0]);
    }

    [Fact]
    public void Estimate_AcrossAGrainCall_KeepsItsPagesAndItsFault()
    {
        var asked = RoundTrip(new EstimateRequest([new EstimatedContext("d.i", TokenInput.OfText("text"))])).Contexts[0];
        Assert.Equal(("d.i", "text"), (asked.Name, asked.Input.Text));
        var page = new PageEstimate("h", 1, 2, 3, true, null);
        Assert.Equal(page, RoundTrip(new ContextEstimate(5, [page], true)).Pages[0]);
        var failed = RoundTrip(new ContextEstimate(0, [], false, ErrorCodes.EmptyInput, "empty"));
        Assert.Equal((ErrorCodes.EmptyInput, "empty", false), (failed.Code, failed.Message, failed.Exact));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void Results_AcrossAGrainCall_KeepWhetherTheyAreExact(bool exact)
    {
        var score = RoundTrip(new ScoreResult([1], [-0.5], -0.5, "n", exact));
        Assert.Equal(("n", exact), (score.Numerics, score.Exact));
        var status = RoundTrip(new DatasetStatus { Dataset = "d", Model = "m", Items = 1, Done = 1, Failed = 0, Skipped = 0, PrefilledTokens = 1, StoredBytes = 1, Seconds = 1, Exact = exact, Run = Guid.AllBitsSet });
        Assert.Equal((exact, Guid.AllBitsSet), (status.Exact, status.Run));
        var model = RoundTrip(new ModelDescription { Model = "m", Dtype = "float32", Codec = "none", PageSize = 256, Fingerprint = "f", Window = 1, KvBytesPerToken = 1, Numerics = "n", Exact = exact });
        Assert.Equal(("n", exact), (model.Numerics, model.Exact));
        var context = new ContextDescription { Context = "c", Model = "m", State = "stored", Version = 1, Tokens = 1, Pages = 1, StoredBytes = 1, Resident = true, Created = DateTimeOffset.UnixEpoch, Labels = [] };
        var created = RoundTrip(new ContextCreated(context, false, 1, 0, 1, 0.5, "n", exact, 1));
        Assert.Equal(("n", exact), (created.Numerics, created.Exact));
    }

    [Fact]
    public void WireTypes_All_HaveAnAliasOfTheHouse()
    {
        var types = typeof(Answer).Assembly.GetTypes().Where(static type => type.IsDefined(typeof(GenerateSerializerAttribute), false)).ToArray();
        Assert.True(types.Length > 20);
        Assert.All(types, static type =>
            Assert.StartsWith("granary.", ((AliasAttribute)Attribute.GetCustomAttribute(type, typeof(AliasAttribute))!).Alias, StringComparison.Ordinal));
    }

    private T RoundTrip<T>(T value)
        where T : notnull => _serializer.Deserialize<T>(_serializer.SerializeToArray(value))!;
}
