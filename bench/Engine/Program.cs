using System.CommandLine;
using Granary.Bench.Common;
using Granary.Bench.Engine;
using Granary.Inference.Shapes;

var cache = Path.Combine(Environment.GetFolderPath(Environment.SpecialFolder.UserProfile), ".cache", "granary", "bench");
var granary = new Option<FileInfo>("--granary") { Description = "The command that is measured. ./dev gives this clone's.", Required = true };
var shared = new Option<DirectoryInfo>("--shared") { Description = "Where peers/llamacpp and data/tokenizer are. ./dev gives ../shared.", Required = true };
var folder = new Option<DirectoryInfo>("--folder") { Description = "Where checkpoints and the peer are kept.", DefaultValueFactory = _ => new DirectoryInfo(cache) };
var shapes = List("--shapes", "pythia-70m,pythia-160m,pythia-410m", [.. PythiaShapes.Names]);
var dtypes = List("--dtypes", "float32,bfloat16", ["float32", "bfloat16"]);
var works = List("--works", string.Join(',', WorkUnit.All.Select(unit => unit.Name)), [.. WorkUnit.All.Select(unit => unit.Name)]);
var threads = Number("--threads", "Threads of each engine.", least: 1, value: 2);
var rounds = Number("--rounds", "Rounds, in each of which every engine does everything.", least: 1, value: 5);
var repeats = Number("--repeats", "How often an engine repeats a piece of work in a round, after once untimed.", least: 1, value: 3);
var noPeer = new Option<bool>("--no-peer") { Description = "Measure ours alone." };
var json = new Option<bool>("--json") { Description = "Print one JSON document with every sample in place of the tables." };
granary.AcceptExistingOnly();

var command = new RootCommand("Times the engine beside llama.cpp on equal weights. Times are reported, never asserted.")
{
    granary, shared, folder, shapes, dtypes, works, threads, rounds, repeats, noPeer, json,
};
command.SetAction(async (parsed, cancellationToken) =>
{
    var chosen = parsed.GetRequiredValue(works).Split(',');
    var options = new BenchOptions
    {
        Granary = parsed.GetRequiredValue(granary).FullName,
        Shared = parsed.GetRequiredValue(shared).FullName,
        Folder = parsed.GetRequiredValue(folder).FullName,
        Shapes = [.. parsed.GetRequiredValue(shapes).Split(',').Distinct()],
        Dtypes = [.. parsed.GetRequiredValue(dtypes).Split(',').Distinct()],
        Units = [.. WorkUnit.All.Where(unit => chosen.Contains(unit.Name))],
        Threads = parsed.GetValue(threads),
        Rounds = parsed.GetValue(rounds),
        Repeats = parsed.GetValue(repeats),
        WithPeer = !parsed.GetValue(noPeer),
    };
    try
    {
        var report = await new Benchmark(options).RunAsync(cancellationToken);
        if (parsed.GetValue(json))
        {
            Console.WriteLine(report.ToJson());
        }
        else
        {
            report.WriteTables(Console.Out);
        }

        return 0;
    }
    catch (BenchException exception)
    {
        await Console.Error.WriteLineAsync(exception.Message);
        return 1;
    }
    catch (OperationCanceledException)
    {
        await Console.Error.WriteLineAsync("Cancelled.");
        return 130;
    }
    catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
    {
        await Console.Error.WriteLineAsync($"{exception.Message} Give another --folder, with enough space.");
        return 1;
    }
});
var arguments = command.Parse(args);
var status = await arguments.InvokeAsync();
return arguments.Errors.Count > 0 ? 2 : status;

static Option<string> List(string name, string value, string[] known)
{
    var option = new Option<string>(name) { Description = $"Some of {string.Join(", ", known)}.", HelpName = "LIST", DefaultValueFactory = _ => value };
    option.Validators.Add(result =>
    {
        foreach (var part in (result.GetValueOrDefault<string>() ?? "").Split(',').Except(known))
        {
            result.AddError($"{name} has '{part}'. Give some of {string.Join(", ", known)}.");
        }
    });
    return option;
}

static Option<int> Number(string name, string description, int least, int value)
{
    var option = new Option<int>(name) { Description = description, HelpName = "N", DefaultValueFactory = _ => value };
    option.Validators.Add(result =>
    {
        if (result.Tokens.Count == 1 && int.TryParse(result.Tokens[0].Value, out var number) && number < least)
        {
            result.AddError($"{name} is {number}, at least {least} is needed.");
        }
    });
    return option;
}
