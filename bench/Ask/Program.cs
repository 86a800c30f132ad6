using System.CommandLine;
using Granary.Bench.Ask;
using Granary.Bench.Ask.Silos;
using Granary.Bench.Common;
using Granary.Errors;
using Granary.Storage.Errors;
using Granary.Testing;

var model = new Option<string>("--model") { Description = "A checkpoint folder. Default: the bundled model.", DefaultValueFactory = _ => Repository.GetPath("models/ledger-4m") };
var works = new Option<string[]>("--works")
{
    Description = "Which parts run.",
    DefaultValueFactory = _ => [Benchmark.Scale, Benchmark.Token, Benchmark.Paced, Benchmark.Silos],
    AllowMultipleArgumentsPerToken = true,
};
var rounds = Number("--rounds", 15, 1, "Rounds that are timed, after one that is not.");
var threads = Number("--threads", 2, 1, "The engine's threads. Of two silos each has half of them.");
var tokens = Number("--tokens", 256, 2, "Tokens of an answer at full speed.");
var contexts = Number("--contexts", 100_000, 2, "Contexts that the store knows.");
var resident = Number("--resident", 1000, 1, "How many of them are resident.");
var activations = Number("--activations", 20_000, 1, "How many more are activated, and idle.");
var asks = Number("--asks", 64, 2, "Asks at once on one silo and on two, an even number.");
var pace = Number("--pace", 10, 1, "Milliseconds from one paced token to the next.");
var folder = new Option<string?>("--folder") { Description = "Where the store of the known contexts is made, and deleted afterwards. Default: memory." };
var json = new Option<bool>("--json") { Description = "Print one JSON document in place of the table." };
works.AcceptOnlyFromAmong(Benchmark.Scale, Benchmark.Token, Benchmark.Paced, Benchmark.Silos);

var command = new RootCommand("Times asks: among many contexts, token by token, paced, and on two silos. Times are reported, never asserted.")
{
    model, works, rounds, threads, tokens, contexts, resident, activations, asks, pace, folder, json,
};
command.Validators.Add(result =>
{
    if (result.GetValue(asks) is var odd && odd % 2 != 0)
    {
        result.AddError($"--asks is {odd}, which two silos cannot share evenly.");
    }

    var (all, some) = (result.GetValue(contexts), result.GetValue(resident) + result.GetValue(activations));
    if (some > all)
    {
        result.AddError($"--resident and --activations are {some} together, --contexts has {all}.");
    }
});
command.SetAction(async (parsed, cancellationToken) =>
{
    try
    {
        var report = await Benchmark.RunAsync(
            new BenchOptions
            {
                Model = Path.GetFullPath(parsed.GetRequiredValue(model)),
                Works = parsed.GetRequiredValue(works),
                Rounds = parsed.GetValue(rounds),
                Threads = parsed.GetValue(threads),
                Tokens = parsed.GetValue(tokens),
                Contexts = parsed.GetValue(contexts),
                Resident = parsed.GetValue(resident),
                Activations = parsed.GetValue(activations),
                Folder = parsed.GetValue(folder) is { } given ? Path.GetFullPath(given) : null,
                Pace = TimeSpan.FromMilliseconds(parsed.GetValue(pace)),
                Asks = parsed.GetValue(asks),
            },
            cancellationToken);
        Console.Write(parsed.GetValue(json) ? report.ToJson() : report.ToTable());
        return 0;
    }
    catch (Exception exception) when (exception is BenchException or GranaryException or StorageException)
    {
        await Console.Error.WriteLineAsync(exception switch
        {
            GranaryException told => $"{told.Message} {told.Remedy}",
            StorageException told => $"{told.Message} {told.Remedy}",
            _ => exception.Message,
        });
        return 1;
    }
});

var silo = new Command("silo", "Runs a silo process of the benchmark, with the settings of the environment.") { Hidden = true };
silo.SetAction((_, cancellationToken) => SiloHost.RunAsync(cancellationToken));
command.Subcommands.Add(silo);
return await command.Parse(args).InvokeAsync();

static Option<int> Number(string name, int value, int least, string description)
{
    var option = new Option<int>(name) { Description = description, DefaultValueFactory = _ => value };
    option.Validators.Add(result =>
    {
        if (result.GetValueOrDefault<int>() is var given && given < least)
        {
            result.AddError($"{name} is {given}, at least {least} is needed.");
        }
    });
    return option;
}
