using System.Text.Json.Nodes;
using Microsoft.Extensions.DependencyInjection;
using Shop.Platform.Security;

namespace Shop.EndToEnd.Tests;

/// <summary>
/// Every POST, PUT and DELETE that the documents name, under one key: the first answer again, or a
/// 409, and never a second change.
/// </summary>
[TestFixture(Engine.Sqlite)]
[TestFixture(Engine.Postgres, Category = "CI")]
internal sealed class RepeatedWriteTests(Engine engine) : EngineFixture(engine)
{
    private static readonly string[] Operations =
    [
        "POST /products", "PUT /products/{id}", "DELETE /products/{id}", "POST /orders", "POST /orders/{order_id}/pay",
        "POST /orders/{order_id}/ship", "POST /orders/{order_id}/deliver", "POST /orders/{order_id}/cancel",
        "POST /inventory/increase", "POST /inventory/decrease",
    ];

    // What they say is so afterwards, however often they say it: docs/decisions/026-trouble-on-demand.md.
    private static readonly string[] Switches =
    [
        "PUT /faults/{name}", "DELETE /faults/{name}", "DELETE /faults", "PUT /scenarios/{name}", "DELETE /scenarios",
        "PUT /traffic", "DELETE /traffic",
    ];

    private static ShopUnderTest Shop => SharedShop.Shop;

    [Test]
    public async Task Given_the_documents_then_each_operation_that_changes_something_is_repeated_here_and_says_that_it_takes_a_key()
    {
        var found = new List<string>();
        foreach (HttpClient client in Shop.ByName.Values)
        {
            JsonNode document = await client.GetJsonAsync("/openapi/v1.json");
            foreach (var (path, verb, operation) in document["paths"]!.AsObject().SelectMany(
                path => path.Value!.AsObject(), (path, verb) => (path.Key, verb.Key, verb.Value)))
            {
                string name = $"{verb.ToUpperInvariant()} {path}";
                string[] headers = [.. (operation!["parameters"]?.AsArray() ?? [])
                    .Where(parameter => (string)parameter!["in"]! == "header")
                    .Select(parameter => (string)parameter!["name"]!)];
                bool isSwitch = Switches.Contains(name), isRead = verb == "get" || isSwitch;
                if (verb != "get") found.Add(name);
                JsonObject responses = operation["responses"]!.AsObject();
                Assert.Multiple(() =>
                {
                    Assert.That(headers.Contains("Idempotency-Key"), Is.Not.EqualTo(isRead), name);
                    Assert.That(responses.Any(response =>
                            response.Key[0] == '2' && response.Value!["headers"]?["Idempotency-Replayed"] is not null),
                        Is.Not.EqualTo(isRead), name);
                    if (!isRead)
                        Assert.That((string?)responses["409"]?["description"], Does.Contain("Idempotency-Key"), name);
                    // Whatever has an entity tag takes both conditions.
                    Assert.That(headers.Contains("If-Match") && headers.Contains("If-None-Match"),
                        Is.EqualTo(path == "/products/{id}"), name);
                    Assert.That(responses["412"] is not null, Is.EqualTo(path == "/products/{id}"), name);
                });
            }
        }

        Assert.That(found, Is.EquivalentTo(Operations.Concat(Shop.ByName.SelectMany(_ => Switches))));
    }

    [TestCaseSource(nameof(Operations))]
    public async Task Given_a_key_when_twenty_equal_requests_come_at_once_then_one_changes_something_and_all_have_its_answer(
        string operation)
    {
        Write write = await PrepareAsync(Shop, operation);
        Answer[] answers = await Task.WhenAll(Enumerable.Range(0, 20).Select(_ => SendAsync(Shop, write)));
        Answer first = answers.Single(answer => !answer.IsReplayed);
        Assert.That(first.Status, Is.EqualTo(write.Status), first.Body);
        Assert.That(answers.Where(answer => answer.IsReplayed),
            Has.Exactly(19).EqualTo(first with { IsReplayed = true }));
        Assert.That(await write.CountAsync(), Is.EqualTo(1), "changes");
    }

    [Test]
    public async Task Given_keys_when_all_went_on_and_the_shop_has_restarted_then_each_answer_again_byte_for_byte_and_nothing_else()
    {
        await using ShopUnderTest shop = await ShopUnderTest.StartAsync();
        var done = new List<(Write Write, Answer First)>();
        foreach (string operation in Operations)
        {
            Write write = await PrepareAsync(shop, operation);
            Answer first = await SendAsync(shop, write);
            Assert.That((first.Status, first.IsReplayed),
                Is.EqualTo((write.Status, false)), $"{operation}: {first.Body}");
            done.Add((write, first));
            await write.GoOnAsync();
        }

        await CheckAsync();
        await shop.RestartAsync();
        await CheckAsync();

        async Task CheckAsync()
        {
            foreach ((Write write, Answer first) in done)
            {
                Assert.That(await SendAsync(shop, write), Is.EqualTo(first with { IsReplayed = true }), write.Path);
                // Bound to path, method and content: of the others of its service, none is the same.
                foreach ((Write other, _) in done.Where(
                    other => other.Write.Service == write.Service && other.Write != write))
                {
                    Answer refused = await SendAsync(shop, other with { Key = write.Key });
                    Assert.That((refused.Status, (string)JsonNode.Parse(refused.Body)!["type"]!),
                        Is.EqualTo((409, "urn:shop:problem:idempotency-key-reused")),
                        $"{other.Path} with the key of {write.Path}");
                }
            }
        }
    }

    [TestCaseSource(nameof(Operations))]
    public async Task Given_a_used_key_when_the_content_or_the_thing_differs_then_409_and_nothing_changes(
        string operation)
    {
        Write write = await PrepareAsync(Shop, operation), other = await PrepareAsync(Shop, operation);
        await SendAsync(Shop, write);
        Answer refused = await SendAsync(Shop, other with { Key = write.Key });
        Assert.That(refused.Status, Is.EqualTo(409));
        Assert.That(await other.CountAsync(), Is.Zero);
        Assert.That((await SendAsync(Shop, other)).Status, Is.EqualTo(other.Status), "with a key of its own");
    }

    [TestCase("products", "POST", "/products",
        """{"id":"new","name":"N","description":"d","price":1.25,"category":"c","initial_stock":3}""")]
    [TestCase("products", "PUT", "/products/one", """{"name":"N","description":"d","price":1.25,"category":"c"}""")]
    [TestCase("inventory", "POST", "/inventory/increase", """{"product_id":"one","quantity_increased":2}""")]
    [TestCase("inventory", "POST", "/inventory/decrease", """{"product_id":"one","quantity_decreased":2}""")]
    [TestCase("orders", "POST", "/orders",
        """{"order_id":"new","customer_id":"c","items":[{"product_id":"one","quantity":2}]}""")]
    public async Task Given_a_used_key_when_any_one_field_differs_then_409_and_the_first_answer_stays(
        string service, string method, string path, string body)
    {
        string one = await Shop.ProductAsync(stock: 99), other = await Shop.ProductAsync(stock: 99);
        string id = $"m{Guid.NewGuid():N}"[..20], key = Guid.NewGuid().ToString();
        path = path.Replace("one", one, StringComparison.Ordinal);
        JsonNode content = JsonNode.Parse(body.Replace("\"one\"", $"\"{one}\"", StringComparison.Ordinal)
            .Replace("\"new\"", $"\"{id}\"", StringComparison.Ordinal))!;
        Task<Answer> AskAsync(JsonNode sent) => SendAsync(Shop, new Write(service, new HttpMethod(method), path, sent,
            200, key, () => Task.FromResult(0), () => Task.CompletedTask));
        Answer first = await AskAsync(content);
        Assert.That(first.Status, Is.AnyOf(200, 201), first.Body);
        int fields = 0;
        Assert.Multiple(async () =>
        {
            for (JsonNode changed = content.DeepClone(); Change(changed, ref fields, other); changed =
                content.DeepClone())
            {
                Answer refused = await AskAsync(changed);
                Assert.That((refused.Status, (string?)JsonNode.Parse(refused.Body)!["type"]),
                    Is.EqualTo((409, "urn:shop:problem:idempotency-key-reused")), changed.ToJsonString());
            }
        });
        Assert.That(fields, Is.GreaterThan(1));
        Assert.That(await AskAsync(content), Is.EqualTo(first with { IsReplayed = true }));

        // Changes the next field, and says whether there was one.
        static bool Change(JsonNode body, ref int fields, string other)
        {
            (JsonObject Owner, string Name)[] all = [.. Fields(body.AsObject())];
            if (fields == all.Length) return false;
            (JsonObject owner, string name) = all[fields++];
            owner[name] = owner[name]!.GetValueKind() == System.Text.Json.JsonValueKind.Number
                ? (decimal)owner[name]! + 1
                : name == "product_id" ? other : $"{owner[name]}x";
            return true;
        }

        static IEnumerable<(JsonObject Owner, string Name)> Fields(JsonObject owner) =>
            owner.ToArray().SelectMany(field => field.Value is JsonArray items
                ? items.SelectMany(item => Fields(item!.AsObject())) : [(owner, field.Key)]);
    }

    [TestCaseSource(nameof(Operations))]
    public async Task Given_two_API_keys_when_both_send_the_same_key_then_each_has_its_own(string operation)
    {
        (string ada, string adasHash) = ApiKeys.Make();
        (string bob, string bobsHash) = ApiKeys.Make();
        await using ShopUnderTest shop =
            await ShopUnderTest.StartAsync($"Shop:ApiKeys=ada:write:{adasHash},bob:write:{bobsHash}");
        foreach (HttpClient client in shop.ByName.Values)
            client.DefaultRequestHeaders.Add("Authorization", $"Bearer {ada}");
        Write adas = await PrepareAsync(shop, operation),
            bobs = (await PrepareAsync(shop, operation)) with { Key = adas.Key };
        Answer first = await SendAsync(shop, adas);
        foreach (HttpClient client in shop.ByName.Values)
        {
            client.DefaultRequestHeaders.Remove("Authorization");
            client.DefaultRequestHeaders.Add("Authorization", $"Bearer {bob}");
        }

        Answer other = await SendAsync(shop, bobs), again = await SendAsync(shop, bobs);
        Assert.That((first.Status, other.Status, other.IsReplayed, again),
            Is.EqualTo((adas.Status, bobs.Status, false, other with { IsReplayed = true })), other.Body);
    }

    [TestCaseSource(nameof(Operations))]
    public async Task Given_a_key_from_before_the_shop_had_API_keys_when_it_is_repeated_with_one_then_it_still_answers(
        string operation)
    {
        await using ShopUnderTest before = await ShopUnderTest.StartAsync();
        Write write = await PrepareAsync(before, operation);
        Answer first = await SendAsync(before, write);
        await before.CloseAsync();
        (string ada, string hash) = ApiKeys.Make();
        await using ShopUnderTest after = await ShopUnderTest.StartAsync(replace: null, before.DataDirectory,
            $"Shop:ApiKeys=ada:write:{hash}");
        foreach (HttpClient client in after.ByName.Values)
            client.DefaultRequestHeaders.Add("Authorization", $"Bearer {ada}");
        Assert.That(await SendAsync(after, write), Is.EqualTo(first with { IsReplayed = true }));
    }

    [TestCaseSource(nameof(Operations))]
    public async Task Given_a_key_when_the_clock_is_moved_then_it_is_kept_for_48_hours_and_not_longer(string operation)
    {
        var clock = new MovableClock();
        await using ShopUnderTest shop =
            await ShopUnderTest.StartAsync(services => services.AddSingleton<TimeProvider>(clock), null);
        Write write = await PrepareAsync(shop, operation),
            other = (await PrepareAsync(shop, operation)) with { Key = write.Key };
        Answer first = await SendAsync(shop, write);
        clock.Move(TimeSpan.FromHours(47.9));
        Assert.That(await SendAsync(shop, write), Is.EqualTo(first with { IsReplayed = true }), "below");
        Assert.That((await SendAsync(shop, other)).Status, Is.EqualTo(409), "below");
        await shop.RestartAsync(); // which purges at once
        clock.Move(TimeSpan.FromHours(-100));
        Assert.That(await SendAsync(shop, write), Is.EqualTo(first with { IsReplayed = true }), "set back");
        clock.Move(TimeSpan.FromHours(100.2));
        Assert.That(await SendAsync(shop, other),
            Has.Property("IsReplayed").False.And.Property("Status").EqualTo(other.Status), "above");
    }

    [TestCaseSource(nameof(Operations))]
    public async Task Given_a_key_that_is_none_then_400_names_it_and_nothing_changes(string operation)
    {
        Write write = (await PrepareAsync(Shop, operation)) with { Key = new string('k', 256) };
        Answer refused = await SendAsync(Shop, write);
        Assert.That((refused.Status, JsonNode.Parse(refused.Body)!["errors"]!.AsObject().Select(error => error.Key)),
            Is.EqualTo((400, new[] { "Idempotency-Key" })));
        Assert.That(await write.CountAsync(), Is.Zero);
    }

    [Test]
    public async Task Given_an_order_that_is_repeated_by_its_id_under_a_new_key_then_that_key_stands_for_it_too()
    {
        string product = await Shop.ProductAsync(stock: 10), id = $"own-{Guid.NewGuid():N}";
        object Body(string customer) =>
            new { order_id = id, customer_id = customer, items = new[] { new { product_id = product, quantity = 1 } } };
        object other = new
        {
            customer_id = "someone else",
            items = new[] { new { product_id = product, quantity = 1 } },
        };
        string one = Guid.NewGuid().ToString(), two = Guid.NewGuid().ToString();
        (HttpResponseMessage first, JsonNode? order) = await Shop.Orders.PostAsync("/orders", Body("c"),
            ("Idempotency-Key", one));
        (HttpResponseMessage second, JsonNode? replayed) = await Shop.Orders.PostAsync("/orders", Body("c"),
            ("Idempotency-Key", two));
        (HttpResponseMessage third, _) = await Shop.Orders.PostAsync("/orders", other, ("Idempotency-Key", two));
        (HttpResponseMessage fourth, JsonNode? again) = await Shop.Orders.PostAsync("/orders", Body("c"),
            ("Idempotency-Key", two));
        Assert.Multiple(() =>
        {
            Assert.That(new[] { first, second, third, fourth }.Select(answer => (int)answer.StatusCode),
                Is.EqualTo([201, 201, 409, 201]));
            Assert.That(new[] { first, second, third, fourth }.Select(answer => answer.Header("Idempotency-Replayed")),
                Is.EqualTo([null, "true", null, "true"]));
            Assert.That(JsonNode.DeepEquals(replayed, order) && JsonNode.DeepEquals(again, order));
        });
        Assert.That(await Shop.StockAsync(product), Is.EqualTo((9L, 10L, 1L)));
    }

    [Test]
    public async Task Given_a_status_that_the_order_had_already_when_asked_for_under_a_key_then_the_key_stands_for_that_answer_too()
    {
        string order = await Shop.OrderAsync(await Shop.ProductAsync(stock: 1));
        (string, string) key = ("Idempotency-Key", Guid.NewGuid().ToString());
        await Shop.Orders.PostAsync($"/orders/{order}/pay");
        (HttpResponseMessage first, JsonNode? paid) = await Shop.Orders.PostAsync($"/orders/{order}/pay", null, key);
        await Shop.Orders.PostAsync($"/orders/{order}/ship");
        (HttpResponseMessage second, JsonNode? again) = await Shop.Orders.PostAsync($"/orders/{order}/pay", null, key);
        (HttpResponseMessage other, _) = await Shop.Orders.PostAsync($"/orders/{order}/ship", null, key);
        Assert.That(new[] { first, second, other }.Select(
                answer => ((int)answer.StatusCode, answer.Header("Idempotency-Replayed"))),
            Is.EqualTo([(200, null), (200, "true"), (409, (string?)null)]));
        Assert.That(JsonNode.DeepEquals(paid, again), again!.ToJsonString());
    }

    [Test]
    public async Task Given_a_refusal_when_its_cause_is_gone_then_the_same_key_succeeds()
    {
        string product = await Shop.ProductAsync(stock: 0),
            order = await Shop.OrderAsync(await Shop.ProductAsync(stock: 1));
        string key = Guid.NewGuid().ToString();
        async Task<int> DecreaseAsync() => (int)(await Shop.Inventory.PostAsync("/inventory/decrease",
            new { product_id = product, quantity = 1 }, ("Idempotency-Key", key))).Response.StatusCode;
        async Task<int> ShipAsync() => (int)(await Shop.Orders.PostAsync($"/orders/{order}/ship", null,
            ("Idempotency-Key", key))).Response.StatusCode;
        async Task<int> ReplaceAsync(string tag) =>
            (int)(await Shop.Products.SendJsonAsync(HttpMethod.Put, $"/products/{product}",
                new { name = "N", price = 1 }, ("Idempotency-Key", key), ("If-Match", tag))).Response.StatusCode;
        int[] refused = [await DecreaseAsync(), await ShipAsync(), await ReplaceAsync("\"stale\"")];
        await Shop.Inventory.PostAsync("/inventory/increase", new { product_id = product, quantity = 1 });
        await Shop.Orders.PostAsync($"/orders/{order}/pay");
        int[] done = [await DecreaseAsync(), await ShipAsync(), await ReplaceAsync("*")];
        Assert.That((refused, done), Is.EqualTo((new[] { 409, 409, 412 }, new[] { 200, 200, 200 })));
    }

    [Test]
    public async Task Given_a_replace_or_a_deletion_with_If_Match_when_repeated_with_its_key_then_the_first_answer_and_no_412()
    {
        foreach (HttpMethod method in new[] { HttpMethod.Put, HttpMethod.Delete })
        {
            (HttpResponseMessage created, JsonNode? product) = await Shop.Products.PostAsync("/products",
                new { name = "One", price = 1 });
            object? body = method == HttpMethod.Put ? new { name = "Two", price = 2 } : null;
            (string, string)[] headers =
            [
                ("If-Match", created.Header("ETag")!), ("Idempotency-Key", Guid.NewGuid().ToString()),
            ];
            (HttpResponseMessage first, JsonNode? once) = await Shop.Products.SendJsonAsync(
                method, $"/products/{product!["id"]}", body, headers);
            (HttpResponseMessage second, JsonNode? twice) = await Shop.Products.SendJsonAsync(
                method, $"/products/{product["id"]}", body, headers);
            Assert.That((first.IsSuccessStatusCode, second.StatusCode, second.Header("Idempotency-Replayed"),
                second.Header("ETag")), Is.EqualTo((true, first.StatusCode, "true", first.Header("ETag"))));
            Assert.That(JsonNode.DeepEquals(once, twice));
        }
    }

    /// <summary>A write that is possible once: what it needs is there.</summary>
    private static async Task<Write> PrepareAsync(ShopUnderTest shop, string operation)
    {
        string mark = $"m{Guid.NewGuid():N}"[..20], key = Guid.NewGuid().ToString();
        string product = await shop.ProductAsync(stock: 5);
        string productPath = $"/products/{product}";
        object details = new { name = mark, price = 3 };
        async Task<int> VersionAsync() => (int)(await shop.Products.GetJsonAsync(productPath))["version"]! - 1;
        async Task<int> ChangesAsync(string order, string status) =>
            (await shop.Orders.GetJsonAsync($"/orders/{order}/events")).AsArray()
                .Count(step => (string)step!["status"]! == status);
        async Task<int> MovementsAsync(string kind) =>
            (await shop.Inventory.GetJsonAsync($"/inventory/{product}/movements")).AsArray()
                .Count(movement => (string)movement!["kind"]! == kind && (long)movement["quantity"]! == 2);
        Task ReplaceAsync(string path) =>
            shop.Products.SendJsonAsync(HttpMethod.Put, path, new { name = "Later", price = 4 });
        async Task<Write> StepAsync(string verb, string status, string[] before, string[] after)
        {
            string order = await shop.OrderAsync(product);
            foreach (string step in before) await shop.Orders.PostAsync($"/orders/{order}/{step}");
            return new Write("orders", HttpMethod.Post, $"/orders/{order}/{verb}", null, 200, key,
                () => ChangesAsync(order, status), async () =>
                {
                    foreach (string step in after) await shop.Orders.PostAsync($"/orders/{order}/{step}");
                });
        }

        return operation switch
        {
            "POST /products" => new Write("products", HttpMethod.Post, "/products",
                new { name = mark, price = 3, initial_stock = 1, id = mark }, 201, key,
                async () => (await shop.Products.GetJsonAsync($"/products?q={mark}")).AsArray().Count,
                async () => await shop.Products.DeleteAsync($"/products/{mark}")),
            "PUT /products/{id}" => new Write("products", HttpMethod.Put, productPath, details, 200, key, VersionAsync,
                () => ReplaceAsync(productPath)),
            "DELETE /products/{id}" => new Write("products", HttpMethod.Delete, productPath, null, 204, key,
                async () => (int)(await shop.Products.GetAsync(productPath)).StatusCode == 404 ? 1 : 0,
                () => Task.CompletedTask),
            "POST /orders" => new Write("orders", HttpMethod.Post, "/orders", Http.Order(product, 2, mark), 201, key,
                async () => (await shop.Orders.GetJsonAsync($"/orders?customer_id={mark}")).AsArray().Count, async () =>
                {
                    JsonNode order =
                        (await shop.Orders.GetJsonAsync($"/orders?customer_id={mark}")).AsArray().Single()!;
                    await shop.Orders.PostAsync($"/orders/{order["order_id"]}/cancel");
                    await ReplaceAsync(productPath);
                }),
            "POST /orders/{order_id}/pay" => await StepAsync("pay", "paid", [], ["ship"]),
            "POST /orders/{order_id}/ship" => await StepAsync("ship", "shipped", ["pay"], ["deliver"]),
            "POST /orders/{order_id}/deliver" => await StepAsync("deliver", "delivered", ["pay", "ship"], []),
            "POST /orders/{order_id}/cancel" => await StepAsync("cancel", "cancelled", ["pay"], []),
            "POST /inventory/increase" => new Write("inventory", HttpMethod.Post, "/inventory/increase",
                new { product_id = product, quantity_increased = 2 }, 200, key,
                () => MovementsAsync("received"),
                () => shop.Inventory.PostAsync("/inventory/increase", new { product_id = product, quantity = 7 })),
            "POST /inventory/decrease" => new Write("inventory", HttpMethod.Post, "/inventory/decrease",
                new { product_id = product, quantity_decreased = 2 }, 200, key,
                () => MovementsAsync("removed"),
                () => shop.Inventory.PostAsync("/inventory/decrease", new { product_id = product, quantity = 3 })),
            _ => throw new ArgumentException($"Nobody said how to prepare {operation}.", nameof(operation)),
        };
    }

    private static async Task<Answer> SendAsync(ShopUnderTest shop, Write write)
    {
        using var request =
            new HttpRequestMessage(write.Method, write.Path) { Headers = { { "Idempotency-Key", write.Key } } };
        if (write.Body is not null) request.Content = System.Net.Http.Json.JsonContent.Create(write.Body);
        using HttpResponseMessage response = await shop.ByName[write.Service].SendAsync(request);
        return new Answer((int)response.StatusCode, await response.Content.ReadAsStringAsync(),
            response.Header("Location"), response.Header("ETag"),
            response.Header("Content-Type"), response.Header("Idempotency-Replayed") == "true");
    }

    // CountAsync says how often it has been made; GoOnAsync changes what it has made.
    private sealed record Write(
        string Service, HttpMethod Method, string Path, object? Body, int Status, string Key,
        Func<Task<int>> CountAsync, Func<Task> GoOnAsync);

    private sealed record Answer(int Status, string Body, string? Location, string? Tag, string? Type, bool IsReplayed);
}
