using System.Globalization;
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
            Assert.That(Regex.Count(page, "class=\"why\"", RegexOptions.None, TimeSpan.FromMinutes(1)),
                Is.GreaterThanOrEqualTo(10));
            var rules = new JsonArray();
            foreach ((string type, string metric, string query) in said)
            {
                Assert.That(metrics,
                    Does.Contain($"\n# TYPE {metric} {type}\n").Or.StartsWith($"# TYPE {metric} {type}\n"), query);
                Assert.That(
                    Regex.Count(metrics, $"^{metric}(_bucket)?{{", RegexOptions.Multiline, TimeSpan.FromMinutes(1)),
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

    [Test]
    public async Task Given_the_page_of_faults_then_it_says_of_each_what_the_shop_does_and_leads_to_panels_and_alerts_that_are_there()
    {
        await using ShopUnderTest shop = await ShopUnderTest.StartAsync();
        JsonArray faults = (await shop.Products.GetJsonAsync("/faults")).AsArray();
        string[][] rows = [.. Repository.Text("docs", "faults.md").Split('\n')
            .Where(line => line.StartsWith("| `", StringComparison.Ordinal))
            .Select(line => line.Split('|')[1..^1].Select(cell => cell.Trim()).ToArray())];
        var ranges = rows.Where(row => row.Length == 5).ToDictionary(row => row[0].Trim('`'), StringComparer.Ordinal);
        var signs = rows.Where(row => row.Length == 4).ToDictionary(row => row[0].Trim('`'), StringComparer.Ordinal);
        string[] names = [.. faults.Select(fault => (string)fault!["name"]!)];
        Assert.That(names, Is.Not.Empty);
        Assert.That(ranges.Keys, Is.EqualTo(names));
        Assert.That(signs.Keys, Is.EqualTo(names));
        foreach (JsonNode? fault in faults)
        {
            string[] said = ranges[(string)fault!["name"]!];
            bool isWithout = (string)fault["unit"]! == "none";
            string all = Environment.ProcessorCount.ToString(CultureInfo.InvariantCulture);
            string range = said[2].Replace("all that the shop has", all).Replace(",", "");
            string most = said[3] == "all" ? all : said[3];
            Assert.That((said[1], range, most), Is.EqualTo(((string)fault["unit"]!,
                isWithout ? "" : $"{Number(fault["min"])} to {Number(fault["max"])}",
                isWithout ? "" : Number(fault["default"]))), said[0]);
        }

        int panels = 0;
        foreach (string[] row in signs.Values)
        {
            foreach (Match match in Alert().Matches(row[2] + row[3]))
                Assert.That(Repository.PathOf(["docs", .. match.Groups["page"].Value.Split('/')]), Does.Exist, row[0]);
            foreach (Match of in OfDashboard().Matches(row[1]))
            {
                string name = of.Groups["dashboard"].Value.ToLowerInvariant();
                IEnumerable<string> titles = Dashboards.Panels.Concat(Dashboards.Scale)
                    .Where(panel => panel.Dashboard == name).Select(panel => panel.Title);
                foreach (Capture panel in of.Groups["panel"].Captures)
                {
                    panels++;
                    Assert.That(titles, Has.Some.EqualTo(panel.Value), row[0]);
                }
            }
        }

        Assert.That(panels, Is.GreaterThan(25));

        static string Number(JsonNode? number) =>
            ((decimal)number!).ToString("0.###", CultureInfo.InvariantCulture);
    }

    [GeneratedRegex(@"\]\((?<page>runbooks/[\w/]+\.md)\)", RegexOptions.ExplicitCapture, 60_000)]
    private static partial Regex Alert();

    [GeneratedRegex(@"(?<dashboard>Overview|Service|Business|Infrastructure|Scale)(, [\w-]+( and [\w-]+)?)?:"
        + @"(,? \*(?<panel>[^*]+)\*( \([^)]*\))?)+", RegexOptions.ExplicitCapture, 60_000)]
    private static partial Regex OfDashboard();

    [GeneratedRegex(
        "From the (?<type>counter|gauge|histogram) <code>(?<metric>[a-z_]+)</code>"
        + ".*?<pre><code>(?<query>.*?)</code></pre>",
        RegexOptions.ExplicitCapture | RegexOptions.Singleline, 60_000)]
    private static partial Regex Explained();
}
