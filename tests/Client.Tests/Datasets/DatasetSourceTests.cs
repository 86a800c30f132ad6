using System.Text;
using Granary.Client.Datasets;
using Granary.Datasets;
using Granary.Errors;

namespace Granary.Client.Tests.Datasets;

public sealed class DatasetSourceTests
{
    private const string Good = """{"id": "a", "context": "Corn.", "questions": [{"id": "a-1", "question": "What?", "answers": ["Corn"]}]}""";

    [Fact]
    public void Read_JsonLines_GivesItemsInOrder()
    {
        var source = Parse(Good, """{"id": 7, "context": "Rye."}""");

        Assert.Equal(["a", "7"], source.Items.Select(item => item.Id));
        Assert.Equal("What?", Assert.Single(source.Items[0].Questions).Question);
        Assert.Equal(["Corn"], source.Items[0].Questions[0].Answers);
        Assert.Empty(source.Items[1].Questions);
        Assert.Empty(source.Failures);
    }

    [Theory]
    [InlineData("{not json", "line 2: not JSON")]
    [InlineData("""{"id": "b"}""", "line 2: 'context' is missing")]
    [InlineData("""{"context": "Rye."}""", "line 2: 'id' is missing")]
    [InlineData("""[1]""", "line 2: a list stands where an object")]
    [InlineData("""{"id": "b", "context": 1.5e3, "questions": 4}""", "line 2: 'questions' is a number")]
    [InlineData("""{"id": "b", "context": "Rye.", "questions": [{"id": "q"}]}""", "line 2: 'question' is missing")]
    [InlineData("""{"id": "b", "context": ""}""", "line 2: the context of 'b' is empty")]
    [InlineData("""{"id": "a", "context": "Rye."}""", "line 2: the id 'a' is that of line 1")]
    public void Read_OneBadLine_NamesItAndGoesOn(string bad, string told)
    {
        var source = Parse(Good, bad, "", """{"id": "c", "context": "Oats."}""");

        Assert.Equal(["a", "c"], source.Items.Select(item => item.Id));
        Assert.StartsWith(told, Assert.Single(source.Failures).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Read_InvalidUtf8_IsAFailureOfItsLine()
    {
        byte[] line = [.. Encoding.UTF8.GetBytes(Good + "\n{\"id\": \"b\", \"context\": \""), 0xFF, .. "\"}"u8];
        Assert.StartsWith("line 2", Assert.Single(DatasetSource.Parse(line, "f").Failures).Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("", ErrorCodes.EmptyInput)]
    [InlineData("\n \n", ErrorCodes.EmptyInput)]
    [InlineData("nothing", ErrorCodes.DatasetInvalid)]
    public void Read_NothingReadable_IsRefused(string content, string code) =>
        Assert.Equal(code, Assert.Throws<GranaryException>(() => DatasetSource.Parse(Encoding.UTF8.GetBytes(content), "f")).Code);

    [Fact]
    public void Read_FileIsMissing_SaysSo() =>
        Assert.Equal(ErrorCodes.FileNotFound, Assert.Throws<GranaryException>(() => DatasetSource.Read("/nowhere/at-all.jsonl")).Code);

    [Fact]
    public void Read_Squad_NumbersParagraphsWithinATitle()
    {
        var source = Parse("""{"data": [{"title": "T", "paragraphs": [{"context": "A.", "qas": [{"id": "q1", "question": "A?", "answers": [{"text": "A"}, {"text": "A"}]}]}, {"context": "B.", "qas": []}]}, {"title": "T", "paragraphs": [{"context": "C."}]}]}""");

        Assert.Equal(["T-1", "T-2", "T-3"], source.Items.Select(item => item.Id));
        Assert.Equal(["A"], source.Items[0].Questions[0].Answers);
    }

    [Fact]
    public void Digest_SameItems_IsTheSameAndOrderCounts()
    {
        var (one, two) = (new DatasetItem("a", "bc", []), new DatasetItem("ab", "c", []));
        Assert.Equal(DatasetSource.Of([one, two]).Digest, DatasetSource.Of([one, two]).Digest);
        Assert.NotEqual(DatasetSource.Of([one, two]).Digest, DatasetSource.Of([two, one]).Digest);
        Assert.NotEqual(DatasetSource.Of([one]).Digest, DatasetSource.Of([two]).Digest);
        Assert.Matches("^[0-9a-f]{64}$", DatasetSource.Of([one]).Digest);
    }

    [Fact]
    public void Parts_ShardOverAMebibyte_IsCutAndOnlyTheLastIsMarked()
    {
        var source = DatasetSource.Of(Enumerable.Range(0, 300).Select(index => new DatasetItem($"{index}", new string('a', 10_000), [])));

        Assert.Equal(2, source.Shards);
        var parts = ShardParts.Of(source, 0).ToList();
        Assert.True(parts.Count > 1);
        Assert.All(parts, part => Assert.True(part.Items.Sum(ItemSize.Of) <= ItemBatches.BatchBytes));
        Assert.Equal([.. Enumerable.Range(0, parts.Count)], parts.Select(part => part.Part));
        Assert.Equal([.. Enumerable.Repeat(false, parts.Count - 1), true], parts.Select(part => part.Last));
        Assert.Equal(source.Items.Take(DatasetId.ShardItems), parts.SelectMany(part => part.Items));
        Assert.Equal(44, ShardParts.Of(source, 1).Sum(part => part.Items.Length));
    }

    [Fact]
    public void Read_Xquad_Gives240ItemsAnd1190Questions()
    {
        var path = FindShared("data/qa/xquad.en.json");
        Assert.SkipWhen(path is null, "../shared/data/qa/xquad.en.json is not here.");

        var source = DatasetSource.Read(path);

        Assert.Equal(240, source.Items.Count);
        Assert.Equal(1190, source.Items.Sum(item => item.Questions.Length));
        Assert.Empty(source.Failures);
    }

    private static DatasetSource Parse(params string[] lines) => DatasetSource.Parse(Encoding.UTF8.GetBytes(string.Join('\n', lines)), "f");

    private static string? FindShared(string path)
    {
        for (var folder = new DirectoryInfo(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
        {
            if (File.Exists(Path.Combine(folder.FullName, "shared", path)))
            {
                return Path.Combine(folder.FullName, "shared", path);
            }
        }

        return null;
    }
}
