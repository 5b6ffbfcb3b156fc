using Shop.Traffic;
using Spectre.Console;

TrafficOptions? options = TrafficOptions.Read(args, out string problem);
if (options is null)
{
    await Console.Error.WriteLineAsync(problem);
    return args is ["--help"] ? 0 : 2;
}

// Into a file or a pipe lines go unbroken.
if (Console.IsOutputRedirected) AnsiConsole.Profile.Width = 250;
using var stop = new CancellationTokenSource();
Console.CancelKeyPress += (_, key) =>
{
    key.Cancel = true; // the books are still to be closed
    stop.Cancel();
};
return await new TrafficRun(options, AnsiConsole.Console).RunAsync(stop.Token);
