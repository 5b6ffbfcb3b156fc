using Shop.Host;

try
{
    if (args is ["health", .. var settings]) return await HealthVerb.RunAsync(settings);
    if (args is ["key"]) return KeyVerb.Run();
    await using WebApplication shop = ShopHost.Build(args);
    await shop.StartAsync();
    shop.Announce();
    // What only the start needed goes back to the system: an idle shop is small.
    GC.Collect(GC.MaxGeneration, GCCollectionMode.Aggressive, blocking: true, compacting: true);
    await shop.WaitForShutdownAsync();
    return 0;
}
catch (Exception exception) when (StartFailure.Explain(exception) is { } why)
{
    await Console.Error.WriteLineAsync($"Shop can't start: {why}");
    return 1;
}
