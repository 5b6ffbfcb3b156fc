using Shop.Platform.Security;

namespace Shop.Host;

/// <summary><c>key</c>: makes a key for clients, and what the settings say of it.</summary>
internal static class KeyVerb
{
    public static int Run()
    {
        (string key, string hash) = ApiKeys.Make();
        Console.WriteLine($"key   {key}   give it to the client, once: the shop knows only its hash");
        Console.WriteLine($"hash  {hash}   for Shop:ApiKeys (as name:write:{hash[..8]}…) or Shop:MetricsKey");
        return 0;
    }
}
