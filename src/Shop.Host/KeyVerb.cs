using Shop.Platform;
using Shop.Platform.Security;

namespace Shop.Host;

/// <summary><c>key</c>: makes a key for clients, and its hash for the settings.</summary>
internal static class KeyVerb
{
    public static Task<int> RunAsync(string[] args)
    {
        if (args.Length > 0) throw new ShopStartException("the verb key takes no arguments");
        (string key, string hash) = ApiKeys.Make();
        Console.WriteLine($"key   {key}   give it to the client, once: the shop knows only its hash");
        Console.WriteLine($"hash  {hash}   for Shop:ApiKeys (as name:write:{hash[..8]}…) or Shop:MetricsKey");
        return Task.FromResult(0);
    }
}
