using System.Text.Json.Nodes;
using Microsoft.AspNetCore.Http;
using Shop.Platform.Http;
using Shop.Products.Storage.Sqlite;
using Shop.Testing;

namespace Shop.Products.Tests;

/// <summary>Products for which the catalogue has no memory: clients see no difference.</summary>
internal sealed class OutlineTests
{
    [Test]
    public async Task Given_a_catalogue_without_memory_for_any_product_then_each_is_read_listed_searched_and_changed_like_any_other()
    {
        using var files = new ModuleFiles(new ProductsModule());
        var catalogue = new Catalogue(maxBytes: 100);
        var store = new SqliteProductStore(files.Context, catalogue);
        await store.StartAsync();
        var metrics = new ProductMetrics(files.Context, catalogue);
        var find = new FindProduct(catalogue, store, metrics, files.Context);
        var list = new ListProducts(catalogue, store, find, files.Context);
        var made = new List<CatalogueEntry>();
        foreach ((string id, string name, string description, long cents) in new[]
        {
            ("a", "Lamp", "Of walnut wood.", 1999L), ("b", "Walnut bowl", "", 7),
            ("c", "Vase", "Blue, like é.", 33_33),
        })
        {
            using MemoryReservation memory = new Catalogue().Reserve(1);
            made.Add((await store.CreateAsync(
                new NewProduct(id, new ProductDetails(name, description, cents, "Home"), 0), memory, null)).Entry!);
        }

        Assert.That((catalogue.Outlines, catalogue.Count), Is.EqualTo((3, 3)));
        foreach (CatalogueEntry entry in made)
        {
            (int status, JsonNode? product, IHeaderDictionary headers) =
                await AskAsync(http => find.HandleAsync(http), id: entry.Product.Id);
            Assert.That((status, product!.ToJsonString(), (string?)headers.ETag), Is.EqualTo(
                (200, JsonNode.Parse(entry.Json)!.ToJsonString(), entry.Tag)));
        }

        foreach ((string query, string[] found) in new (string, string[])[]
        {
            ("", ["a", "b", "c"]), ("?q=walnut", ["a", "b"]), ("?q=WALNUT&max_price=0.07", ["b"]),
            ("?q=e%CC%81", ["c"]), ("?q=blue&sort=-price", ["c"]), ("?sort=-price&limit=2", ["c", "a"]),
            ("?q=walnut%20wood", ["a"]), ("?q=steel", []),
        })
        {
            (_, JsonNode? page, _) = await AskAsync(http => list.HandleAsync(http), query: query);
            Assert.That(page!.AsArray().Select(product => product!.ToJsonString()), Is.EqualTo(found.Select(id =>
                JsonNode.Parse(made.Single(entry => entry.Product.Id == id).Json)!.ToJsonString())), query);
        }

        // A change goes by the tag that the client has; without memory, no product becomes larger.
        ChangeConditions Conditions(string tag, MemoryReservation memory)
        {
            var http = new DefaultHttpContext();
            http.Request.Headers.IfMatch = tag;
            return new ChangeConditions(Preconditions.Of(http.Request), memory);
        }

        ProductDetails same = made[0].Product.Details with { Name = "Pmal" }, longer = same with { Name = "A lamp" };
        foreach ((ProductDetails details, string tag, ProductOutcome outcome) in new[]
        {
            (longer, made[0].Tag, ProductOutcome.ConditionsFailed),
            (same, made[1].Tag, ProductOutcome.ConditionsFailed),
            (same, made[0].Tag, ProductOutcome.Done),
        })
        {
            using MemoryReservation memory = catalogue.Reserve(CatalogueEntry.BytesOf(details));
            Assert.That(memory.IsGranted, Is.False);
            Assert.That((await store.ReplaceAsync("a", details, Conditions(tag, memory), null)).Outcome,
                Is.EqualTo(outcome));
        }

        (_, JsonNode? changed, _) = await AskAsync(http => find.HandleAsync(http), id: "a");
        Assert.That(((string)changed!["name"]!, (string)changed["description"]!, (int)changed["version"]!),
            Is.EqualTo(("Pmal", "Of walnut wood.", 2)));
        await store.DeleteAsync("a", new ChangeConditions(Preconditions.Of(new DefaultHttpContext().Request)), null);
        Assert.That(await find.FindAsync(new DefaultHttpContext(), "a"), Is.Null);
        Assert.That(catalogue.Outlines, Is.EqualTo(2));
    }

    private static async Task<(int Status, JsonNode? Json, IHeaderDictionary Headers)> AskAsync(
        Func<HttpContext, ValueTask<IResult>> handle, string? id = null, string query = "")
    {
        using var body = new MemoryStream();
        var http = new DefaultHttpContext();
        http.Request.Method = "GET";
        http.Request.Path = "/products";
        http.Request.QueryString = new QueryString(query);
        http.Request.RouteValues["id"] = id;
        http.Response.Body = body;
        await (await handle(http)).ExecuteAsync(http);
        await http.Response.BodyWriter.FlushAsync();
        return (http.Response.StatusCode, JsonNode.Parse(body.ToArray()), http.Response.Headers);
    }
}
