using System.Text.Json.Nodes;
using System.Text.RegularExpressions;

namespace Shop.Pages.Tests;

/// <summary>What the pages of a product and of its stock say, beside what the APIs say.</summary>
internal sealed partial class StockPagesTests
{
    private ShopUnderTest _shop = null!;

    [SetUp]
    public async Task StartAsync() => _shop = await ShopUnderTest.StartAsync("Shop:DemoData=false");

    [TearDown]
    public async Task StopAsync() => await _shop.DisposeAsync();

    [Test]
    public async Task Given_a_search_that_finds_nothing_then_the_page_says_so_and_leads_back_to_everything()
    {
        await _shop.ProductAsync(stock: 1);
        foreach ((string path, bool isFound) in new[] { ("/", true), ("/?q=unicorn", false), ("/?category=x", false) })
        {
            string html = await _shop.Products.HtmlAsync(path);
            Assert.That((html.Contains("No product matches.", StringComparison.Ordinal),
                html.Contains(">0 products<", StringComparison.Ordinal),
                html.Contains("<a href=\"/\">look at everything</a>", StringComparison.Ordinal),
                html.Contains(">1 product<", StringComparison.Ordinal)),
                Is.EqualTo((!isFound, !isFound, !isFound, isFound)), path);
            // What the shop is about is said to those who come in, and not to those who search.
            Assert.That(html.Contains("class=\"hero\"", StringComparison.Ordinal), Is.EqualTo(isFound), path);
        }
    }

    [Test]
    public async Task Given_a_product_that_was_changed_and_then_deleted_then_its_pages_say_when_and_that_it_is_no_longer_sold()
    {
        string id = await _shop.ProductAsync(stock: 5);
        JsonNode product = await _shop.Products.GetJsonAsync($"/products/{id}");
        string created = Seconds(product["created_at"]!);
        // The page shows seconds.
        while (Seconds(product["updated_at"]!) == created)
        {
            product = (await _shop.Products.SendJsonAsync(HttpMethod.Put, $"/products/{id}",
                new { name = "Crème Brûlée", price = 4.05 })).Json!;
        }

        string page = await _shop.Products.HtmlAsync($"/product/{id}");
        Assert.That(page, Does.Contain($"<dt>Version</dt><dd>{product["version"]}</dd>")
            .And.Contain($"<dt>Changed</dt><dd>{Seconds(product["updated_at"]!)} UTC</dd>")
            .And.Contain($"href=\"/products/{id}\">JSON</a>").And.Contain($"/stock/{id}\">movements</a>"));
        string order = await _shop.OrderAsync(id, 2);
        JsonArray movements = (await _shop.Inventory.GetJsonAsync($"/inventory/{id}/movements")).AsArray();
        string stock = await _shop.Inventory.HtmlAsync($"/stock/{id}");
        Assert.That(Row().Matches(stock).Select(row => ($"{row.Groups["day"].Value} {row.Groups["time"].Value}",
                row.Groups["kind"].Value)),
            Is.EqualTo(movements.Select(movement => (Seconds(movement!["at"]!), (string)movement["kind"]!))));
        Assert.That(stock, Does.Not.Contain("No longer sold").And.Contain($"/product/{id}\">in the storefront</a>")
            .And.Contain($"/order/{order}\""));

        // By the id, in spaces as it is pasted, and by the name, in whichever way its accents are typed.
        foreach (string typed in new[] { id, $"  {id} ", "cre\u0300me bru\u0302l", "CRÈME" })
        {
            string found = await _shop.Inventory.HtmlAsync($"/?product_id={Uri.EscapeDataString(typed)}");
            Assert.That(found, Does.Contain($"/stock/{id}\">").And.Contain("1 found, a hundred at most.")
                .And.Contain($"<td class=\"minor\">{Seconds(movements[0]!["at"]!)}</td>"), typed);
        }

        using (await _shop.Products.DeleteAsync($"/products/{id}"))
        {
            Assert.That(await _shop.Inventory.HtmlAsync($"/stock/{id}"), Does.Contain("No longer sold: ")
                .And.Not.Contain("in the storefront").And.Contain($"<h1>Stock of {id}</h1>"));
        }
    }

    private static string Seconds(JsonNode time) => ((string)time!)[..19].Replace('T', ' ');

    [GeneratedRegex("<tr><td><span class=\"short\">(?<day>[^<]*)</span>\\s*<span class=\"short\">(?<time>[^<]*)</span>"
        + "\\s*</td><td class=\"short\">(?<kind>[^<]*)<", RegexOptions.ExplicitCapture, 60_000)]
    private static partial Regex Row();
}
