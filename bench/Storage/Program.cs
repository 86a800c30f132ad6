using System.CommandLine;
using Granary.Bench.Storage;
using Granary.Inference.Pages;
using Granary.Inference.Shapes;
using Granary.Storage.Errors;

var cache = Path.Combine(Environment.GetFolderPath(Environment.SpecialFolder.UserProfile), ".cache", "granary", "bench");
var shape = new Option<string>("--shape") { Description = $"Whose KV: {PythiaShapes.Names[0]} to {PythiaShapes.Names[^1]}.", DefaultValueFactory = _ => "pythia-70m" };
var dtype = new Option<string>("--dtype") { Description = "float32 or bfloat16.", DefaultValueFactory = _ => "float32" };
var folder = new Option<string>("--folder") { Description = "Where chunks are written: on the disk that you want to know about.", DefaultValueFactory = _ => cache };
var rounds = new Option<int>("--rounds") { Description = "Rounds that are timed, 5 or more, after one that is not.", DefaultValueFactory = _ => 5 };
var json = new Option<bool>("--json") { Description = "Print one JSON document in place of the table." };
shape.AcceptOnlyFromAmong([.. PythiaShapes.Names]);
dtype.AcceptOnlyFromAmong("float32", "bfloat16");
rounds.Validators.Add(static result =>
{
    if (result.GetValueOrDefault<int>() is < 5 and var value)
    {
        result.AddError($"--rounds is {value}, at least 5 are needed.");
    }
});

var command = new RootCommand("Times restore and write of a context's chunks against plain files. Times are reported, never asserted.") { shape, dtype, folder, rounds, json };
command.SetAction(async (parsed, cancellationToken) =>
{
    _ = KvDtypes.TryParse(parsed.GetRequiredValue(dtype), out var kind);
    var name = parsed.GetRequiredValue(shape);
    if (!PythiaShapes.TryGet(name, out var config))
    {
        return 2;
    }

    var options = new BenchOptions
    {
        Shape = name,
        Layout = KvLayout.Of(config, kind),
        Folder = Path.GetFullPath(parsed.GetRequiredValue(folder)),
        Rounds = parsed.GetValue(rounds),
    };
    try
    {
        var report = await Benchmark.RunAsync(options, cancellationToken);
        Console.Write(parsed.GetValue(json) ? report.ToJson() : report.ToTable());
        return 0;
    }
    catch (StorageException exception)
    {
        await Console.Error.WriteLineAsync($"{exception.Message} {exception.Remedy}");
        return 1;
    }
});
return await command.Parse(args).InvokeAsync();
