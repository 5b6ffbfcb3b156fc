using System.Net;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;

namespace Shop.Monitoring.Tests;

/// <summary>What the "?" beside each figure of the console says, beside the shop's own metrics and promtool.</summary>
internal sealed partial class ExplanationTests
{
    [Test]
    public async Task Given_the_consoles_then_each_metric_that_a_question_mark_names_is_there_with_its_type_and_each_query_can_be_read()
    {
        await using ShopUnderTest shop = await ShopUnderTest.StartAsync();
        string folder = Directory.CreateTempSubdirectory("shop-explained-").FullName;
        foreach (HttpClient client in shop.ByName.Values)
        {
            string page = await client.GetStringAsync("/live"), metrics = await client.GetStringAsync("/metrics");
            string service = (string)(await client.GetJsonAsync("/"))["service"]!;
            (string Type, string Metric, string Query)[] said = [.. Explained().Matches(page).Select(match =>
                (match.Groups["type"].Value, match.Groups["metric"].Value,
                    WebUtility.HtmlDecode(match.Groups["query"].Value)))];
            Assert.That(said, Has.Length.GreaterThanOrEqualTo(15), service);
            Assert.That(Regex.Count(page, "class=\"why\"", RegexOptions.None, TimeSpan.FromSeconds(1)),
                Is.GreaterThanOrEqualTo(10));
            var rules = new JsonArray();
            foreach ((string type, string metric, string query) in said)
            {
                Assert.That(metrics,
                    Does.Contain($"\n# TYPE {metric} {type}\n").Or.StartsWith($"# TYPE {metric} {type}\n"), query);
                Assert.That(
                    Regex.Count(metrics, $"^{metric}(_bucket)?{{", RegexOptions.Multiline, TimeSpan.FromSeconds(1)),
                    Is.Positive, metric);
                Assert.That(query, Does.Contain(metric).And.Contain($"service=\"{service}\""));
                Assert.That(query.Contains("rate(", StringComparison.Ordinal)
                        || query.Contains("sum by (code)", StringComparison.Ordinal),
                    Is.EqualTo(type != "gauge"), query);
                rules.Add(new JsonObject { ["record"] = $"explained:{rules.Count}", ["expr"] = query });
            }

            string file = Path.Combine(folder, $"{service}.yml"); // JSON is YAML
            await File.WriteAllTextAsync(file, new JsonObject
            {
                ["groups"] = new JsonArray(new JsonObject { ["name"] = "explained", ["rules"] = rules }),
            }.ToJsonString());
            (int exitCode, string output) = Tools.Run("promtool", "check", "rules", file);
            Assert.That((exitCode, output), Is.EqualTo((0, output)));
            Assert.That(output, Does.Contain($"SUCCESS: {said.Length} rules found"));
        }

        Directory.Delete(folder, recursive: true);
    }

    [GeneratedRegex(
        "From the (?<type>counter|gauge|histogram) <code>(?<metric>[a-z_]+)</code>"
        + ".*?<pre><code>(?<query>.*?)</code></pre>",
        RegexOptions.ExplicitCapture | RegexOptions.Singleline, 1000)]
    private static partial Regex Explained();
}
