using System.CommandLine;
using Granary.Bench.Common;
using Granary.Bench.Storage;
using Granary.Inference.Pages;
using Granary.Inference.Shapes;
using Granary.Storage.Errors;

var cache = Path.Combine(Environment.GetFolderPath(Environment.SpecialFolder.UserProfile), ".cache", "granary", "bench");
var shared = new Option<string>("--shared") { Description = "Where peers/llamacpp and data/tokenizer are. ./dev gives ../shared.", Required = true };
var azurite = new Option<string>("--azurite") { Description = "Azurite's azurite-blob. ./dev gives .tools/'s.", Required = true };
var shape = new Option<string>("--shape") { Description = $"Whose KV: {PythiaShapes.Names[0]} to {PythiaShapes.Names[^1]}.", DefaultValueFactory = _ => "pythia-70m" };
var dtype = new Option<string[]>("--dtype") { Description = "float32 or bfloat16; both by default.", DefaultValueFactory = _ => ["float32", "bfloat16"], AllowMultipleArgumentsPerToken = true };
var folder = new Option<string>("--folder") { Description = "Where chunks are written: on the disk that you want to know about. The peer and its model are kept there.", DefaultValueFactory = _ => cache };
var rounds = new Option<int>("--rounds") { Description = "Rounds that are timed, 5 or more, after one that is not.", DefaultValueFactory = _ => 9 };
var noPeer = new Option<bool>("--no-peer") { Description = "Measure without llama.cpp." };
var json = new Option<bool>("--json") { Description = "Print one JSON document with every sample in place of the tables." };
shape.AcceptOnlyFromAmong([.. PythiaShapes.Names]);
dtype.AcceptOnlyFromAmong("float32", "bfloat16");
rounds.Validators.Add(static result =>
{
    if (result.GetValueOrDefault<int>() is < 5 and var value)
    {
        result.AddError($"--rounds is {value}, at least 5 are needed.");
    }
});

var command = new RootCommand("Times save and load of a context's chunks against plain files and llama.cpp's slots. Times are reported, never asserted.")
{
    shared, azurite, shape, dtype, folder, rounds, noPeer, json,
};
command.SetAction(async (parsed, cancellationToken) =>
{
    var name = parsed.GetRequiredValue(shape);
    var options = new BenchOptions
    {
        Shape = name,
        Config = PythiaShapes.TryGet(name, out var config) ? config : throw new ArgumentException($"'{name}' is no shape."),
        Dtypes = [.. parsed.GetRequiredValue(dtype).Distinct().Select(static name => KvDtypes.TryParse(name, out var kind) ? kind : throw new ArgumentException($"'{name}' is no dtype."))],
        Folder = Path.GetFullPath(parsed.GetRequiredValue(folder)),
        Shared = Path.GetFullPath(parsed.GetRequiredValue(shared)),
        WithPeer = !parsed.GetValue(noPeer),
        Azurite = parsed.GetRequiredValue(azurite),
        Rounds = parsed.GetValue(rounds),
    };
    try
    {
        var report = await new Benchmark(options, cancellationToken).RunAsync();
        Console.Write(parsed.GetValue(json) ? report.ToJson() : report.ToText());
        return 0;
    }
    catch (Exception exception) when (exception is BenchException or StorageException)
    {
        await Console.Error.WriteLineAsync(exception is StorageException told ? $"{told.Message} {told.Remedy}" : exception.Message);
        return 1;
    }
});
return await command.Parse(args).InvokeAsync();
