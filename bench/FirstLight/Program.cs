using System.CommandLine;
using Granary.Bench.FirstLight;
using Granary.Inference.Engine;
using Granary.Inference.Errors;
using Granary.Inference.Pages;
using Granary.Storage.Errors;

var cache = Path.Combine(Environment.GetFolderPath(Environment.SpecialFolder.UserProfile), ".cache", "granary", "bench");
var model = new Option<string?>("--model") { Description = "A checkpoint's folder. Default: a random one of pythia-70m's shape, made once below --folder." };
var dtype = new Option<string>("--dtype") { Description = "float32 or bfloat16.", DefaultValueFactory = _ => "float32" };
var folder = new Option<string>("--folder") { Description = "Where the random checkpoint is kept and chunks are written: on the disk that you want to know about.", DefaultValueFactory = _ => cache };
var threads = new Option<int?>("--threads") { Description = "Threads that compute. Default: the engine's choice." };
var rounds = new Option<int>("--rounds") { Description = "Rounds that are timed, 5 or more, after one that is not.", DefaultValueFactory = _ => 5 };
var json = new Option<bool>("--json") { Description = "Print one JSON document in place of the table." };
dtype.AcceptOnlyFromAmong("float32", "bfloat16");
AtLeast(threads, 1);
AtLeast(rounds, 5);

var command = new RootCommand("Times prefill, decode, restore and write against their floors. Times are reported, never asserted.") { model, dtype, folder, threads, rounds, json };
command.SetAction(async (parsed, cancellationToken) =>
{
    _ = KvDtypes.TryParse(parsed.GetRequiredValue(dtype), out var kind);
    var options = new BenchOptions
    {
        ModelFolder = parsed.GetValue(model),
        Dtype = kind,
        Folder = Path.GetFullPath(parsed.GetRequiredValue(folder)),
        Threads = parsed.GetValue(threads) ?? new EngineOptions().EffectiveThreads,
        Rounds = parsed.GetValue(rounds),
    };
    try
    {
        var report = await Benchmark.RunAsync(options, cancellationToken);
        Console.Write(parsed.GetValue(json) ? report.ToJson() : report.ToTable());
        return 0;
    }
    catch (InferenceException exception)
    {
        await Console.Error.WriteLineAsync($"{exception.Message} {exception.Remedy}");
        return 1;
    }
    catch (StorageException exception)
    {
        await Console.Error.WriteLineAsync($"{exception.Message} {exception.Remedy}");
        return 1;
    }
});
return await command.Parse(args).InvokeAsync();

static void AtLeast<T>(Option<T> option, int least) => option.Validators.Add(result =>
{
    if (result.GetValueOrDefault<T>() is int value && value < least)
    {
        result.AddError($"{option.Name} is {value}, at least {least} is needed.");
    }
});
