namespace Shop.Monitoring.Tests;

/// <summary>The configuration of HAProxy in scale/haproxy, with addresses that a test has.</summary>
internal static class BalancerFile
{
    private static readonly (string Service, string Port)[] Services =
        [("products", "5001"), ("orders", "5002"), ("inventory", "5003")];

    /// <summary>What listens: each service, and the metrics.</summary>
    public static string[] Names { get; } = [.. Services.Select(each => each.Service), "metrics"];

    /// <summary>Addresses take the place of the names that only the engine's DNS knows.</summary>
    /// <param name="hosts">The addresses of a service.</param>
    /// <param name="ports">The port of each of <see cref="Names"/>.</param>
    /// <param name="interval">How often hosts are looked at.</param>
    public static string Of(
        Func<string, IEnumerable<string>> hosts, IReadOnlyDictionary<string, int> ports, string interval)
    {
        string text = Repository.Text("scale", "haproxy", "haproxy.cfg")
            .Replace(" resolvers docker init-addr none", "").Replace("inter 2s", $"inter {interval}");
        foreach ((string service, string port) in Services)
        {
            Assert.That(text, Does.Contain($"server-template {service} 1-32 shop:{port}"));
            text = text.Replace($"server-template {service} 1-32 shop:{port}",
                string.Join("\n    ", hosts(service).Select((address, i) => $"server {service}{i} {address}")))
                .Replace($"bind :{port}", $"bind 127.0.0.1:{ports[service]}");
        }

        return text.Replace("bind :8405", $"bind 127.0.0.1:{ports["metrics"]}");
    }
}
