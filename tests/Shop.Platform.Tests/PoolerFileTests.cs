using System.Text.RegularExpressions;
using Microsoft.Extensions.Configuration;
using Npgsql;
using Shop.Platform.Data.Postgres;
using Shop.Testing;

namespace Shop.Platform.Tests;

/// <summary>What a host asks of its sessions stands in the file for PgBouncer, too, which can't pass it on.</summary>
internal sealed partial class PoolerFileTests
{
    private static readonly IConfiguration Nothing = new ConfigurationBuilder().Build();

    [TestCase("products")]
    [TestCase("orders")]
    [TestCase("inventory")]
    public void Given_the_file_for_pgbouncer_then_its_sessions_have_the_settings_of_a_hosts_own(string service)
    {
        var own = new NpgsqlConnectionStringBuilder(
            ConnectionStrings.Complete("Host=postgres", service, ShopSettings.Read(Nothing, []).RequestTimeout, 10));
        Dictionary<string, string> settings = Option().Matches(own.Options!).ToDictionary(
            option => option.Groups["name"].Value, option => option.Groups["value"].Value, StringComparer.Ordinal);
        settings.Add("search_path", own.SearchPath!);
        string line = File.ReadLines(Repository.PathOf("scale", "pgbouncer.ini"))
            .Single(line => line.StartsWith($"{service} = ", StringComparison.Ordinal));
        Assert.That(
            Set().Matches(line).ToDictionary(set => set.Groups["name"].Value, set => set.Groups["value"].Value,
                StringComparer.Ordinal),
            Is.EquivalentTo(settings));
    }

    [GeneratedRegex(@"-c (?<name>\w+)=(?<value>\w+)", RegexOptions.ExplicitCapture, 60_000)]
    private static partial Regex Option();

    [GeneratedRegex(@"SET (?<name>\w+) = (?<value>\w+)", RegexOptions.ExplicitCapture, 60_000)]
    private static partial Regex Set();
}
