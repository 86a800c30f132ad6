using System.CommandLine;
using Granary.Bench.Common;
using Granary.Bench.Plan;
using Granary.Bench.Plan.Create;
using Granary.Errors;
using Granary.Inference.Pages;
using Granary.Storage.Errors;

const string Shape = "pythia-70m";
var cache = Path.Combine(Environment.GetFolderPath(Environment.SpecialFolder.UserProfile), ".cache", "granary", "bench");
var defaultModel = RandomCheckpoints.PathOf(cache, Shape);
var model = new Option<string>("--model") { Description = $"A checkpoint folder whose window holds the contexts. The default, {Shape} with random weights, is made where it is not there.", DefaultValueFactory = _ => defaultModel };
var dtype = new Option<string>("--dtype") { Description = "float32 or bfloat16.", DefaultValueFactory = _ => "float32" };
var store = new Option<string?>("--store") { Description = "A folder, or an Azure connection string. Default: a folder that is made, and deleted afterwards." };
var delay = new Option<int>("--delay") { Description = "Slow the store: milliseconds that each call waits.", DefaultValueFactory = _ => 0 };
var rate = new Option<double?>("--megabytes-per-second") { Description = "Slow the store: what it gives in a second." };
var tokens = new Option<int[]>("--tokens") { Description = "The contexts' lengths.", DefaultValueFactory = _ => [64, 256, 1024, 2048], AllowMultipleArgumentsPerToken = true };
var rounds = new Option<int>("--rounds") { Description = "Rounds that are timed, 5 or more, after one that is not.", DefaultValueFactory = _ => 15 };
var threads = new Option<int>("--threads") { Description = "The engine's threads.", DefaultValueFactory = _ => 2 };
var json = new Option<bool>("--json") { Description = "Print one JSON document in place of the table." };
dtype.AcceptOnlyFromAmong("float32", "bfloat16");
rounds.Validators.Add(static result =>
{
    if (result.GetValueOrDefault<int>() is < 5 and var value)
    {
        result.AddError($"--rounds is {value}, at least 5 are needed.");
    }
});

var command = new RootCommand("Times the first token of stored contexts as the plan has it, recomputed and resident. Times are reported, never asserted.") { model, dtype, store, delay, rate, tokens, rounds, threads, json };
command.SetAction(async (parsed, cancellationToken) =>
{
    var checkpoint = await MakeModelAsync(parsed.GetRequiredValue(model), cancellationToken);
    var own = parsed.GetValue(store) is null ? Directory.CreateTempSubdirectory("granary-bench-plan-").FullName : null;
    try
    {
        return await PrintAsync(async () =>
        {
            var report = await Benchmark.RunAsync(
                new BenchOptions
                {
                    Model = checkpoint,
                    Dtype = parsed.GetRequiredValue(dtype),
                    Store = parsed.GetValue(store) ?? own!,
                    Delay = TimeSpan.FromMilliseconds(parsed.GetValue(delay)),
                    BytesPerSecond = parsed.GetValue(rate) * 1e6,
                    Tokens = parsed.GetRequiredValue(tokens),
                    Rounds = parsed.GetValue(rounds),
                    Threads = parsed.GetValue(threads),
                },
                cancellationToken);
            return parsed.GetValue(json) ? report.ToJson() : report.ToTable();
        });
    }
    finally
    {
        if (own is not null)
        {
            Directory.Delete(own, recursive: true);
        }
    }
});

var dtypes = new Option<string[]>("--dtype") { Description = "float32 or bfloat16; both by default.", DefaultValueFactory = _ => ["float32", "bfloat16"], AllowMultipleArgumentsPerToken = true };
var folder = new Option<string>("--folder") { Description = "Where the store is made, and deleted afterwards: on the disk that you want to know about.", DefaultValueFactory = _ => cache };
var length = new Option<int>("--tokens") { Description = "A context's tokens.", DefaultValueFactory = _ => 2048 };
dtypes.AcceptOnlyFromAmong("float32", "bfloat16");
var create = new Command("create", "Times the creation of a context until it is durable against a bare prefill of the same ids.") { model, dtypes, folder, length, rounds, threads, json };
create.SetAction((parsed, cancellationToken) => PrintAsync(async () =>
{
    var report = await CreateBenchmark.RunAsync(
        new CreateOptions
        {
            Model = await MakeModelAsync(parsed.GetRequiredValue(model), cancellationToken),
            Dtypes = [.. parsed.GetRequiredValue(dtypes).Distinct().Select(static name => KvDtypes.TryParse(name, out var kind) ? kind : throw new ArgumentException($"'{name}' is no dtype."))],
            Folder = Path.GetFullPath(parsed.GetRequiredValue(folder)),
            Tokens = parsed.GetValue(length),
            Rounds = parsed.GetValue(rounds),
            Threads = parsed.GetValue(threads),
        },
        cancellationToken);
    return parsed.GetValue(json) ? report.ToJson() : report.ToTable();
}));
command.Subcommands.Add(create);
return await command.Parse(args).InvokeAsync();

async Task<string> MakeModelAsync(string path, CancellationToken cancellationToken) =>
    path == defaultModel ? await RandomCheckpoints.GetAsync(cache, Shape, tokenizerFile: null, cancellationToken) : path;

static async Task<int> PrintAsync(Func<Task<string>> measure)
{
    try
    {
        Console.Write(await measure());
        return 0;
    }
    catch (Exception exception) when (exception is GranaryException or StorageException)
    {
        await Console.Error.WriteLineAsync($"{exception.Message} {(exception is GranaryException told ? told.Remedy : ((StorageException)exception).Remedy)}");
        return 1;
    }
}
