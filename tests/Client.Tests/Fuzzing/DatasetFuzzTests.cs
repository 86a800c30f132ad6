using Granary.Client.Datasets;
using Granary.Errors;
using Granary.Testing;
using Granary.Testing.Fuzzing;

namespace Granary.Client.Tests.Fuzzing;

/// <summary>A data set's lines, edited: what cannot be read is a failure that names its line, or an error that names the file.</summary>
public sealed class DatasetFuzzTests
{
    [Fact]
    public void JsonLines_AnyEdit_AreReadOrNamed() => Run(Lines(4));

    [Fact]
    public void Squad_AnyEdit_IsReadOrNamed() => Run(
        """{"version":"1.1","data":[{"title":"T","paragraphs":[{"context":"The miller of Wesby is Nils.","qas":[{"id":"q1","question":"Who is the miller?","answers":[{"text":"Nils","answer_start":23}]}]},{"context":"The herd of Kelwick is horses.","qas":[]}]}]}"""u8.ToArray());

    private static byte[] Lines(int count) =>
        System.Text.Encoding.UTF8.GetBytes(string.Join('\n', File.ReadLines(Repository.GetPath("datasets/ledgers.jsonl")).Take(count)) + "\n");

    private static void Run(byte[] real) => Fuzz.Run(
        real,
        static content =>
        {
            var source = DatasetSource.Parse(content, "edited");
            Assert.All(source.Failures, static failure => Assert.NotEmpty(failure.Message));
            Assert.All(source.Items, static item => Assert.NotEmpty(item.Context));
        },
        static e => e is GranaryException { Code: ErrorCodes.DatasetInvalid or ErrorCodes.EmptyInput, Remedy.Length: > 0 },
        bytesForByte: 64);
}
