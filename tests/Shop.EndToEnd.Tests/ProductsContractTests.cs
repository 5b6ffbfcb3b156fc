using System.Net;
using System.Text.Json.Nodes;

namespace Shop.EndToEnd.Tests;

[TestFixture(Engine.Sqlite)]
[TestFixture(Engine.Postgres, Category = "CI")]
internal sealed class ProductsContractTests(Engine engine) : EngineFixture(engine)
{
    private static HttpClient Products => SharedShop.Shop.Products;

    [Test]
    public async Task Given_the_demo_data_when_listed_then_there_are_200_products_in_eight_categories_and_the_last_ten_are_short()
    {
        await using ShopUnderTest shop = await ShopUnderTest.StartAsync();
        JsonArray products = (await shop.Products.GetJsonAsync("/products?limit=1000")).AsArray();
        JsonArray categories = (await shop.Products.GetJsonAsync("/categories")).AsArray();
        JsonArray stock = (await shop.Inventory.GetJsonAsync("/inventory?limit=1000")).AsArray();

        Assert.Multiple(() =>
        {
            Assert.That(products.Select(product => (string)product!["id"]!),
                Is.EquivalentTo(Enumerable.Range(0, 200).Select(n => $"prod_{n}")));
            Assert.That(products.Select(product => (string)product!["name"]!), Is.Unique);
            Assert.That(categories.Select(category => (int)category!["products"]!),
                Is.EqualTo(Enumerable.Repeat(25, 8)));
            Assert.That(categories.Select(category => (string)category!["category"]!), Is.Ordered.And.Unique);
            Assert.That(stock.Where(row => Number(row!) < 190).Select(row => (long)row!["stock_level"]!),
                Is.All.EqualTo(1_000_000));
            Assert.That(stock.Where(row => Number(row!) >= 190).OrderBy(row => Number(row!))
                .Select(row => (long)row!["stock_level"]!), Is.EqualTo(Enumerable.Range(0, 10)));
        });
    }

    [Test]
    public async Task Given_a_new_product_when_read_back_then_it_is_as_sent_with_location_and_strong_etag()
    {
        (HttpResponseMessage created, JsonNode? product) = await Products.PostAsync("/products",
            new
            {
                name = "Tëa \"pot\" 🫖",
                price = 12.5,
                description = "line one\nline two",
                category = "Küche",
                initial_stock = 7,
            });
        string id = (string)product!["id"]!;
        using HttpResponseMessage read = await Products.GetAsync($"/products/{id}");
        string body = await read.Content.ReadAsStringAsync();

        Assert.Multiple(() =>
        {
            Assert.That(created.StatusCode, Is.EqualTo(HttpStatusCode.Created));
            Assert.That(created.Header("Location"), Is.EqualTo($"/products/{id}"));
            Assert.That(id, Does.Match("^prod_[0-9]+$"));
            Assert.That((string)product["name"]!, Is.EqualTo("Tëa \"pot\" 🫖"));
            Assert.That((string)product["description"]!, Is.EqualTo("line one\nline two"));
            Assert.That((string)product["category"]!, Is.EqualTo("Küche"));
            Assert.That((decimal)product["price"]!, Is.EqualTo(12.50m));
            Assert.That((long)product["version"]!, Is.EqualTo(1));
            Assert.That((string)product["created_at"]!, Does.EndWith("Z").And.EqualTo((string)product["updated_at"]!));
            Assert.That(read.Header("ETag"), Does.Match("^\"[^\"]+\"$").And.EqualTo(created.Header("ETag")));
            Assert.That(JsonNode.DeepEquals(JsonNode.Parse(body), product));
        });
        Assert.That(await SharedShop.Shop.StockAsync(id), Is.EqualTo((7L, 7L, 0L)));
        (created, product) = await Products.PostAsync("/api/products", new { name = "Behind the prefix", price = 1 });
        Assert.That(created.Header("Location"), Is.EqualTo($"/api/products/{product!["id"]}"));
    }

    [Test]
    public async Task Given_many_bodies_at_once_then_each_is_read_as_it_was_sent()
    {
        await Parallel.ForAsync(0, 400, new ParallelOptions { MaxDegreeOfParallelism = 64 }, async (n, _) =>
        {
            string name = new((char)('a' + (n % 26)), 1 + (n % 200)),
                description = new((char)('A' + (n % 26)), (n * 37) % 2000);
            (HttpResponseMessage response, JsonNode? product) = await Products.PostAsync("/products",
                new { name, description, price = 1 + n });
            Assert.That(response.StatusCode, Is.EqualTo(HttpStatusCode.Created), product?.ToJsonString());
            Assert.That(((string)product!["name"]!, (string)product["description"]!, (decimal)product["price"]!),
                Is.EqualTo((name, description, 1m + n)));
        });
    }

    [Test]
    public async Task Given_an_own_id_when_used_twice_or_after_its_deletion_then_409()
    {
        var body = new { name = "Mine", price = 1, id = $"own-{Guid.NewGuid():N}"[..20] };
        (HttpResponseMessage first, _) = await Products.PostAsync("/products", body);
        (HttpResponseMessage second, _) = await Products.PostAsync("/products", body);
        using HttpResponseMessage deleted = await Products.DeleteAsync($"/products/{body.id}");
        (HttpResponseMessage third, _) = await Products.PostAsync("/products", body);
        Assert.That(new[] { first, second, deleted, third }.Select(response => (int)response.StatusCode),
            Is.EqualTo([201, 409, 204, 409]));
    }

    [TestCase("""{"price":1}""", "name")]
    [TestCase("""{"name":"","price":1}""", "name")]
    [TestCase("""{"name":null,"price":1}""", "name")]
    [TestCase("""{"name":7,"price":1}""", "name")]
    [TestCase("""{"name":"a\u0000b","price":1}""", "name")]
    [TestCase("""{"name":"\ud800","price":1}""", "name")]
    [TestCase("""{"name":"a"}""", "price")]
    [TestCase("""{"name":"a","price":0}""", "price")]
    [TestCase("""{"name":"a","price":0.001}""", "price")]
    [TestCase("""{"name":"a","price":1000000.01}""", "price")]
    [TestCase("""{"name":"a","price":1e400}""", "price")]
    [TestCase("""{"name":"a","price":"1"}""", "price")]
    [TestCase("""{"name":"a","price":1,"initial_stock":-1}""", "initial_stock")]
    [TestCase("""{"name":"a","price":1,"initial_stock":1000000001}""", "initial_stock")]
    [TestCase("""{"name":"a","price":1,"initial_stock":1.5}""", "initial_stock")]
    [TestCase("""{"name":"a","price":1,"id":"Not Allowed"}""", "id")]
    [TestCase("""{"name":"a","price":1,"id":"abc\n"}""", "id")]
    [TestCase("""{"name":"a","price":1,"description":5}""", "description")]
    [TestCase("""{"name":"a","price":1,"category":""}""", "category")]
    [TestCase("""{"name":"","price":-1,"id":"!","initial_stock":"x"}""", "name,price,initial_stock,id")]
    [TestCase("""[]""", "body")]
    [TestCase("""{"name":""", "body")]
    [TestCase("""{"name":"a","name":"b","price":1}""", "body")]
    [TestCase("", "body")]
    public async Task Given_wrong_fields_when_created_then_400_names_each(string body, string fields)
    {
        (HttpResponseMessage response, JsonNode? problem) = await Products.PostAsync("/products", body);
        Assert.Multiple(() =>
        {
            Assert.That((int)response.StatusCode, Is.EqualTo(400));
            Assert.That(response.Content.Headers.ContentType!.MediaType, Is.EqualTo("application/problem+json"));
            Assert.That(problem!["errors"]!.AsObject().Select(error => error.Key), Is.EquivalentTo(fields.Split(',')));
            Assert.That((string)problem["error"]!, Is.Not.Empty);
            Assert.That((string)problem["trace_id"]!, Does.Match("^[0-9a-f]{32}$"));
        });
    }

    [Test]
    public async Task Given_a_product_when_replaced_then_what_is_left_out_goes_back_to_its_default_and_the_version_rises()
    {
        JsonNode created = (await Products.PostAsync("/products",
            new { name = "Old", price = 1, description = "d", category = "c" })).Json!;
        string id = (string)created["id"]!;
        (HttpResponseMessage response, JsonNode? product) = await Products.SendJsonAsync(
            HttpMethod.Put, $"/products/{id}", new { name = "New", price = 2 });
        JsonNode read = await Products.GetJsonAsync($"/products/{id}");
        Assert.Multiple(() =>
        {
            Assert.That((int)response.StatusCode, Is.EqualTo(200));
            Assert.That(JsonNode.DeepEquals(product, read));
            Assert.That((string)product!["name"]!, Is.EqualTo("New"));
            Assert.That((string)product["description"]!, Is.Empty);
            Assert.That((string)product["category"]!, Is.EqualTo("Uncategorized"));
            Assert.That((long)product["version"]!, Is.EqualTo(2));
            Assert.That((string)product["created_at"]!, Is.EqualTo((string)created["created_at"]!));
        });
    }

    [Test]
    public async Task Given_a_stale_etag_when_replaced_or_deleted_then_412_and_nothing_changes()
    {
        (HttpResponseMessage created, JsonNode? product) = await Products.PostAsync("/products",
            new { name = "One", price = 1 });
        string path = $"/products/{product!["id"]}";
        string tag = created.Header("ETag")!;
        (HttpResponseMessage right, _) = await Products.SendJsonAsync(HttpMethod.Put, path,
            new { name = "Two", price = 2 }, ("If-Match", tag));
        (HttpResponseMessage stale, _) = await Products.SendJsonAsync(HttpMethod.Put, path,
            new { name = "Three", price = 3 }, ("If-Match", tag));
        (HttpResponseMessage weak, _) = await Products.SendJsonAsync(HttpMethod.Put, path,
            new { name = "Three", price = 3 }, ("If-Match", $"W/{right.Header("ETag")}"));
        (HttpResponseMessage staleDelete, _) = await Products.SendJsonAsync(HttpMethod.Delete, path,
            null, ("If-Match", tag));
        Assert.That(new[] { right, stale, weak, staleDelete }.Select(response => (int)response.StatusCode),
            Is.EqualTo([200, 412, 412, 412]));
        Assert.That((string)(await Products.GetJsonAsync(path))["name"]!, Is.EqualTo("Two"));
        (HttpResponseMessage any, _) = await Products.SendJsonAsync(HttpMethod.Put, path,
            new { name = "Four", price = 4 }, ("If-Match", "*"));
        Assert.That((int)any.StatusCode, Is.EqualTo(200));
    }

    [Test]
    public async Task Given_conditions_on_a_product_then_every_way_to_read_or_change_it_obeys_them_and_a_view_that_failed_is_none()
    {
        (HttpResponseMessage created, JsonNode? product) = await Products.PostAsync("/products",
            new { name = "One", price = 1 });
        string path = $"/products/{product!["id"]}", tag = created.Header("ETag")!;
        async Task<int[]> AskAsync(params (string, string)[] conditions)
        {
            var codes = new List<int>();
            foreach (HttpMethod method in new[] { HttpMethod.Get, HttpMethod.Head, HttpMethod.Put, HttpMethod.Delete })
            {
                object? body = method == HttpMethod.Put ? new { name = "Two", price = 2 } : null;
                codes.Add((int)(await Products.SendJsonAsync(method, path, body, conditions)).Response.StatusCode);
            }

            return [.. codes];
        }

        double views =
            (await Exposition.OfAsync(Products))[$$"""products_viewed_total{product_id="{{product["id"]}}"}"""];
        Assert.Multiple(async () =>
        {
            Assert.That(await AskAsync(("If-Match", "\"stale\"")), Is.EqualTo([412, 412, 412, 412]));
            Assert.That(await AskAsync(("If-Match", $"W/{tag}")), Is.EqualTo([412, 412, 412, 412]));
            Assert.That(await AskAsync(("If-None-Match", "*")), Is.EqualTo([304, 304, 412, 412]));
            Assert.That(await AskAsync(("If-None-Match", $"\"other\", W/{tag}")), Is.EqualTo([304, 304, 412, 412]));
            Assert.That(await AskAsync(("If-Match", "\"stale\""), ("If-None-Match", tag)),
                Is.EqualTo([412, 412, 412, 412]));
            Assert.That(await AskAsync(("If-Match", tag), ("If-None-Match", tag)), Is.EqualTo([304, 304, 412, 412]));
        });
        Assert.That((await Exposition.OfAsync(Products))[$$"""products_viewed_total{product_id="{{product["id"]}}"}"""],
            Is.EqualTo(views + 3), "three were 304");
        // No product says when it was last modified, so this says nothing.
        Assert.That(
            await AskAsync(("If-Match", $"\"stale\", {tag}"), ("If-Unmodified-Since", "Thu, 01 Jan 1970 00:00:00 GMT")),
            Is.EqualTo([200, 200, 200, 412]));
        path = "/products/ghost";
        Assert.That(await AskAsync(("If-Match", "*")),
            Is.EqualTo([404, 404, 404, 404]), "what would fail anyhow fails as it would");
    }

    [Test]
    public async Task Given_two_writers_with_the_same_etag_when_both_replace_at_once_then_one_wins()
    {
        (HttpResponseMessage created, JsonNode? product) = await Products.PostAsync("/products",
            new { name = "Race", price = 1 });
        var replies = await Task.WhenAll(
            Enumerable.Range(0, 16).Select(n => Products.SendJsonAsync(HttpMethod.Put, $"/products/{product!["id"]}",
                new { name = $"Winner {n}", price = 1 }, ("If-Match", created.Header("ETag")!))));
        Assert.That(replies.Select(reply => (int)reply.Response.StatusCode).Order(),
            Is.EqualTo([200, .. Enumerable.Repeat(412, 15)]));
    }

    [Test]
    public async Task Given_what_the_client_has_when_it_is_still_right_then_304_without_a_body()
    {
        using HttpResponseMessage first = await Products.GetAsync("/products/prod_1");
        string tag = first.Header("ETag")!;
        foreach (string condition in new[] { tag, $"W/{tag}", $"\"other\", {tag}", "*" })
        {
            (HttpResponseMessage response, JsonNode? body) = await Products.SendJsonAsync(
                HttpMethod.Get, "/products/prod_1", null, ("If-None-Match", condition));
            Assert.That(((int)response.StatusCode, body, response.Header("ETag")),
                Is.EqualTo((304, (JsonNode?)null, tag)), condition);
        }

        (HttpResponseMessage changed, _) = await Products.SendJsonAsync(HttpMethod.Get, "/products/prod_1", null,
            ("If-None-Match", "\"other\""));
        Assert.That((int)changed.StatusCode, Is.EqualTo(200));
    }

    [Test]
    public async Task Given_a_deleted_product_then_it_is_gone_everywhere_but_in_its_orders()
    {
        string id = await SharedShop.Shop.ProductAsync(stock: 5);
        string order = await SharedShop.Shop.OrderAsync(id, 2);
        using HttpResponseMessage deleted = await Products.DeleteAsync($"/products/{id}");
        using HttpResponseMessage read = await Products.GetAsync($"/products/{id}");
        using HttpResponseMessage again = await Products.DeleteAsync($"/products/{id}");
        (HttpResponseMessage refused, JsonNode? problem) =
            await SharedShop.Shop.Orders.PostAsync("/orders", Http.Order(id));
        JsonNode kept = await SharedShop.Shop.Orders.GetJsonAsync($"/orders/{order}");
        Assert.Multiple(() =>
        {
            Assert.That(new[] { deleted, read, again, refused }.Select(response => (int)response.StatusCode),
                Is.EqualTo([204, 404, 404, 422]));
            Assert.That(problem!["errors"]!["items[0].product_id"], Is.Not.Null);
            Assert.That((string)kept["items"]![0]!["name"]!, Is.EqualTo("A thing"));
        });
    }

    [TestCase("category=Books", 25)]
    [TestCase("q=ATLAS", 5)]
    [TestCase("q=from the books", 25)]
    [TestCase("min_price=100", 0)]
    [TestCase("category=Books&max_price=12.90", 1)]
    [TestCase("category=no such thing", 0)]
    public async Task Given_filters_when_listed_then_only_what_they_take_and_X_Total_Count_says_how_many(
        string query, int expected)
    {
        await using ShopUnderTest shop = await ShopUnderTest.StartAsync();
        using HttpResponseMessage response = await shop.Products.GetAsync($"/products?{query}&limit=3");
        JsonArray page = JsonNode.Parse(await response.Content.ReadAsStringAsync())!.AsArray();
        Assert.That((response.Header("X-Total-Count"), page.Count), Is.EqualTo(($"{expected}", Math.Min(3, expected))));
    }

    [Test]
    public async Task Given_each_order_when_paged_then_every_product_once_sorted_though_products_come_and_go(
        [Values] bool descending, [Values("id", "name", "price", "created_at")] string key)
    {
        await using ShopUnderTest shop = await ShopUnderTest.StartAsync();
        string sort = descending ? $"-{key}" : key;
        var seen = new List<JsonNode>();
        string? next = $"/api/products?sort={sort}&limit=17";
        for (int page = 0; next is not null; page++)
        {
            using HttpResponseMessage response = await shop.Products.GetAsync(next);
            seen.AddRange(JsonNode.Parse(await response.Content.ReadAsStringAsync())!.AsArray()!);
            next = response.NextPage();
            Assert.That(next, Is.Null.Or.StartsWith("/api/products?"));
            await shop.ProductAsync(1);
            // The cursor's own row may go: its place stays.
            using HttpResponseMessage deleted = await shop.Products.DeleteAsync($"/products/{seen[^1]["id"]}");
        }

        string[] ids = [.. seen.Select(product => (string)product["id"]!)];
        Assert.That(ids, Is.Unique);
        Assert.That(ids, Is.SupersetOf(Enumerable.Range(0, 200).Select(n => $"prod_{n}")));
        IEnumerable<(string, string)> keys = seen.Select(product => (Sortable(product, key), (string)product["id"]!));
        IComparer<(string, string)> order = Comparer<(string, string)>.Create((one, other) =>
            string.Compare(one.Item1, other.Item1, StringComparison.OrdinalIgnoreCase) is var byKey and not 0
                ? byKey
                : string.CompareOrdinal(one.Item2, other.Item2));
        Assert.That(keys, descending ? Is.Ordered.Descending.Using(order) : Is.Ordered.Using(order));
    }

    [TestCase("limit=0", "limit")]
    [TestCase("limit=1001", "limit")]
    [TestCase("limit=ten", "limit")]
    [TestCase("limit=1&limit=2", "limit")]
    [TestCase("limit=", "limit")]
    [TestCase("sort=colour", "sort")]
    [TestCase("min_price=cheap", "min_price")]
    [TestCase("max_price=1.234", "max_price")]
    [TestCase("after=!!", "after")]
    [TestCase("after=aGVsbG8", "after")]
    [TestCase("sort=price&after=aWQKCnByb2RfMQ", "after")]
    [TestCase("colour=red&limit=0", "colour,limit")]
    public async Task Given_a_wrong_query_when_listed_then_400_names_each_parameter(string query, string names)
    {
        (HttpResponseMessage response, JsonNode? problem) = await Products.SendJsonAsync(
            HttpMethod.Get, $"/products?{query}");
        Assert.That((int)response.StatusCode, Is.EqualTo(400));
        Assert.That(problem!["errors"]!.AsObject().Select(error => error.Key), Is.EquivalentTo(names.Split(',')));
    }

    private static string Sortable(JsonNode product, string key) => key switch
    {
        "id" => "",
        "price" => ((decimal)product[key]!).ToString("0000000.00"),
        _ => (string)product[key]!,
    };

    private static int Number(JsonNode row) => int.Parse(((string)row["product_id"]!).Split('_')[1]);
}
