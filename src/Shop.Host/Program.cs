using Shop.Host;

try
{
    if (CommandLine.AsksForHelp(args)) return CommandLine.PrintHelp();
    if (CommandLine.AsksForVersion(args)) return CommandLine.PrintVersion();
    if (Verb.Of(args) is { } verb) return await verb.RunAsync(args[1..]);
    await using WebApplication shop = ShopHost.Build(args);
    shop.ExitAfterShutdownTimeout();
    await shop.StartAsync();
    shop.Announce();
    // Returns memory that only the start needed: an idle shop is small.
    GC.Collect(GC.MaxGeneration, GCCollectionMode.Aggressive, blocking: true, compacting: true);
    await shop.WaitForShutdownAsync();
    return 0;
}
catch (Exception exception) when (StartFailure.Explain(exception) is { } why)
{
    string failed = Verb.All.FirstOrDefault(verb => verb.Name == args.FirstOrDefault()) is { Name: var name }
        ? $"Shop.Host {name}" : "Shop can't start";
    await Console.Error.WriteLineAsync($"{failed}: {why}");
    return 1;
}
