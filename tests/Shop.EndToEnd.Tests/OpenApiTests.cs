using System.Text.Json.Nodes;

namespace Shop.EndToEnd.Tests;

[TestFixture(Engine.Sqlite)]
[TestFixture(Engine.Postgres, Category = "CI")]
internal sealed class OpenApiTests(Engine engine) : EngineFixture(engine)
{
    private static readonly Dictionary<string, string[]> Own = new(StringComparer.Ordinal)
    {
        ["products"] =
        [
            "GET /products", "POST /products", "GET /products/{id}", "PUT /products/{id}", "DELETE /products/{id}",
            "GET /categories",
        ],
        ["orders"] =
        [
            "GET /orders", "POST /orders", "GET /orders/{order_id}", "GET /orders/{order_id}/events",
            "POST /orders/{order_id}/pay", "POST /orders/{order_id}/ship", "POST /orders/{order_id}/deliver",
            "POST /orders/{order_id}/cancel",
        ],
        ["inventory"] =
        [
            "GET /inventory", "GET /inventory/{product_id}", "GET /inventory/{product_id}/movements",
            "POST /inventory/increase", "POST /inventory/decrease",
        ],
    };

    private static readonly string[] Common =
    [
        "GET /", "GET /metrics", "GET /metrics/process", "GET /health/live", "GET /health/ready",
        "GET /openapi/v1.json", "GET /docs", "GET /traffic", "PUT /traffic", "DELETE /traffic", "GET /faults",
        "PUT /faults/{name}", "DELETE /faults/{name}", "DELETE /faults", "GET /scenarios", "PUT /scenarios/{name}",
        "DELETE /scenarios",
    ];

    [Test]
    public async Task Given_a_module_when_its_document_is_read_then_every_route_of_its_own_and_none_of_anothers(
        [Values("products", "orders", "inventory")] string port)
    {
        JsonNode document = await SharedShop.Shop.ByName[port].GetJsonAsync("/openapi/v1.json");
        string[] operations = [.. from path in document["paths"]!.AsObject()
                                  from verb in path.Value!.AsObject()
                                  select $"{verb.Key.ToUpperInvariant()} {path.Key}"];
        Assert.That((string)document["openapi"]!, Does.StartWith("3.1"));
        Assert.That(operations, Is.EquivalentTo(Own[port].Concat(Common)));
    }

    [Test]
    public async Task Given_a_shop_that_has_just_started_when_many_read_its_documents_at_once_then_all_get_them()
    {
        await using ShopUnderTest shop = await ShopUnderTest.StartAsync();
        HttpClient[] services = [.. shop.ByName.Values];
        var path = new Uri("/openapi/v1.json", UriKind.Relative);
        string[] documents = await Task.WhenAll(Enumerable.Range(0, 48).Select(
            number => services[number % services.Length].GetStringAsync(path)));
        Assert.That(documents.Distinct(StringComparer.Ordinal).Count(), Is.EqualTo(services.Length));
    }

    [Test]
    public async Task Given_a_document_then_every_operation_says_what_it_does_takes_and_answers_with_examples(
        [Values("products", "orders", "inventory")] string port)
    {
        JsonNode document = await SharedShop.Shop.ByName[port].GetJsonAsync("/openapi/v1.json");
        foreach (JsonNode operation in document["paths"]!.AsObject()
            .SelectMany(path => path.Value!.AsObject()).Select(verb => verb.Value!))
        {
            string id = (string)operation["operationId"]!;
            Assert.That((string?)operation["summary"], Is.Not.Empty, id);
            Assert.That((string?)operation["description"], Is.Not.Empty, id);
            foreach (JsonNode? parameter in operation["parameters"]?.AsArray() ?? [])
            {
                Assert.That((string?)parameter!["description"], Is.Not.Empty, id);
                Assert.That(parameter["schema"]?["type"] ?? parameter["schema"]?["$ref"], Is.Not.Null, id);
            }

            JsonNode? body = operation["requestBody"]?["content"]?["application/json"];
            if (body is not null) Assert.That(new[] { body["example"], body["schema"]!["$ref"] }, Has.None.Null, id);
            Assert.That(operation["security"], Is.Not.Null, id);
            foreach ((string status, JsonNode? response) in operation["responses"]!.AsObject())
            {
                Assert.That((string?)response!["description"], Is.Not.Empty, $"{id} {status}");
                Assert.That(response["headers"]!.AsObject(), Is.Not.Empty, $"{id} {status}");
                if (response["content"]?["application/json"] is { } json && id is not "getOpenApi")
                    Assert.That(new[] { json["example"], json["schema"] }, Has.None.Null, $"{id} {status}");
                if (int.Parse(status) >= 400 && id != "getReady")
                    Assert.That((string?)response["content"]!["application/problem+json"]!["schema"]!["$ref"],
                        Is.EqualTo("#/components/schemas/Problem"), $"{id} {status}");
            }
        }
    }

    [Test]
    public async Task Given_the_body_of_an_order_then_its_schema_has_the_rules_that_the_shop_runs_on()
    {
        JsonNode document = await SharedShop.Shop.Orders.GetJsonAsync("/openapi/v1.json");
        JsonNode schema = document["components"]!["schemas"]!["PlaceOrderRequest"]!;
        JsonNode items = schema["properties"]!["items"]!;
        JsonNode line = document["components"]!["schemas"]!["OrderLineRequest"]!;
        Assert.Multiple(() =>
        {
            Assert.That(schema["required"]!.AsArray().Select(name => (string)name!),
                Is.EquivalentTo(new[] { "customer_id", "items" }));
            Assert.That(((int)items["minItems"]!, (int)items["maxItems"]!), Is.EqualTo((1, 100)));
            Assert.That((int)line["properties"]!["quantity"]!["maximum"]!, Is.EqualTo(10_000));
        });
    }

    [Test]
    public async Task Given_an_answer_then_its_schema_promises_every_member(
        [Values("products", "orders", "inventory")] string port)
    {
        JsonNode document = await SharedShop.Shop.ByName[port].GetJsonAsync("/openapi/v1.json");
        Assert.Multiple(() =>
        {
            foreach ((string name, JsonNode? schema) in document["components"]!["schemas"]!.AsObject())
            {
                // a choice, or a body of a request
                if (schema!["properties"] is null || name.EndsWith("Request", StringComparison.Ordinal)) continue;
                string[] members = [.. schema["properties"]!.AsObject().Select(member => member.Key)];
                string[] promised = [.. schema["required"]?.AsArray().Select(member => (string)member!) ?? []];
                // Only a problem with a request has its faults by field.
                Assert.That(promised,
                    Is.EquivalentTo(name == "Problem" ? members.Except(["errors", "shortages"]) : members), name);
            }
        });
    }

    private static readonly string[] Operations = ["get", "put", "post", "delete"];

    [Test]
    public async Task Given_a_document_when_a_client_is_generated_then_it_has_names_choices_decimals_and_the_headers_that_it_goes_by()
    {
        JsonNode products = await SharedShop.Shop.Products.GetJsonAsync("/openapi/v1.json");
        JsonNode orders = await SharedShop.Shop.Orders.GetJsonAsync("/openapi/v1.json");
        JsonNode inventory = await SharedShop.Shop.Inventory.GetJsonAsync("/openapi/v1.json");
        Assert.Multiple(() =>
        {
            Assert.That(Schema(orders, "Order", "status"), Is.EqualTo("#/components/schemas/OrderStatus"));
            Assert.That(Schema(orders, "OrderEvent", "status"), Is.EqualTo("#/components/schemas/OrderStatus"));
            Assert.That(Schema(inventory, "Movement", "kind"), Is.EqualTo("#/components/schemas/MovementKind"));
            Assert.That(orders["components"]!["schemas"]!["OrderStatus"]!["enum"]!.AsArray(), Has.Count.EqualTo(5));
            Assert.That((string?)orders["paths"]!["/orders"]!["get"]!["parameters"]![0]!["schema"]!["$ref"],
                Is.EqualTo("#/components/schemas/OrderStatus"));
            foreach (string schema in new[] { "Product", "CreateProductRequest" })
            {
                Assert.That((string?)products["components"]!["schemas"]![schema]!["properties"]!["price"]!["format"],
                    Is.EqualTo("decimal"), schema);
            }

            Assert.That(
                (string?)orders["components"]!["schemas"]!["Problem"]!["properties"]!["shortages"]!["items"]!["$ref"],
                Is.EqualTo("#/components/schemas/Shortage"));
            Assert.That(Headers(products, "/products", "get", 200),
                Is.SupersetOf(new[] { "X-Total-Count", "X-Total-Count-Relation", "Link" }));
            Assert.That(Headers(products, "/products", "post", 201),
                Is.SupersetOf(new[] { "Location", "ETag", "Idempotency-Replayed" }));
            Assert.That(Headers(products, "/products/{id}", "get", 304), Does.Contain("ETag"));
            Assert.That(Headers(orders, "/orders", "post", 429), Does.Contain("Retry-After"));
            Assert.That(Headers(orders, "/metrics", "get", 401), Does.Contain("WWW-Authenticate"));
            JsonNode described = orders["paths"]!["/openapi/v1.json"]!["get"]!["responses"]!["200"]!["content"]!;
            Assert.That((string?)described["application/json"]!["schema"]!["type"], Is.EqualTo("object"));
            Assert.That((string?)orders["servers"]![0]!["url"],
                Is.EqualTo(SharedShop.Shop.Orders.BaseAddress!.GetLeftPart(UriPartial.Authority)));
        });
    }

    [Test]
    public async Task Given_a_document_then_each_operation_fails_only_in_ways_that_it_can(
        [Values("products", "orders", "inventory")] string port)
    {
        JsonNode document = await SharedShop.Shop.ByName[port].GetJsonAsync("/openapi/v1.json");
        Assert.Multiple(() =>
        {
            foreach ((string path, JsonNode? verbs) in document["paths"]!.AsObject())
            {
                foreach (string verb in Operations.Where(verb => verbs![verb] is not null))
                {
                    string[] statuses = [.. verbs![verb]!["responses"]!.AsObject().Select(response => response.Key)];
                    bool hasBody = verbs[verb]!["requestBody"] is not null,
                        takesKey = verbs[verb]!["security"]!.AsArray().Count > 0;
                    Assert.That(statuses.Contains("401"), Is.EqualTo(takesKey), $"{verb} {path}");
                    Assert.That(statuses.Contains("403"), Is.EqualTo(verb != "get"), $"{verb} {path}");
                    foreach (string status in new[] { "408", "413", "415" })
                        Assert.That(statuses.Contains(status), Is.EqualTo(hasBody), $"{verb} {path} {status}");
                }
            }
        });
    }

    // Whether a key is needed depends on the settings, so each operation may be used without one.
    [Test]
    public async Task Given_a_document_then_each_operation_says_which_key_it_takes(
        [Values("products", "orders", "inventory")] string port)
    {
        string[] open = ["/", "/health/live", "/health/ready", "/openapi/v1.json", "/docs"];
        JsonNode document = await SharedShop.Shop.ByName[port].GetJsonAsync("/openapi/v1.json");
        Assert.Multiple(() =>
        {
            foreach ((string path, JsonNode? verbs) in document["paths"]!.AsObject())
            {
                string? key = open.Contains(path) ? null
                    : path.StartsWith("/metrics", StringComparison.Ordinal) ? "metricsKey" : "apiKey";
                foreach (string verb in Operations.Where(verb => verbs![verb] is not null))
                {
                    Assert.That(verbs![verb]!["security"]!.ToJsonString(),
                        Is.EqualTo(key is null ? "[]" : $$"""[{},{"{{key}}":[]}]"""), $"{verb} {path}");
                }
            }
        });
    }

    private static string? Schema(JsonNode document, string name, string member) =>
        (string?)document["components"]!["schemas"]![name]!["properties"]![member]!["$ref"];

    private static string[] Headers(JsonNode document, string path, string verb, int status) =>
        [.. document["paths"]![path]![verb]!["responses"]![$"{status}"]!["headers"]!.AsObject()
            .Select(header => header.Key)];

    // An order is placed before it is looked at, and a product deleted when nobody else needs it; what is cancelled
    // can't be delivered. Trouble is made when all else has succeeded.
    private static readonly string[] First = ["placeOrder", "payOrder", "shipOrder", "deliverOrder"],
        Last = ["deleteProduct", "startFault", "endFault", "endFaults", "playScenario", "endScenario"];

    [TestCase("cancelOrder")]
    [TestCase("payOrder", "shipOrder", "deliverOrder")]
    public async Task Given_a_document_when_each_operation_is_sent_with_its_own_examples_then_it_succeeds(
        params string[] left)
    {
        await using ShopUnderTest shop = await ShopUnderTest.StartAsync();
        foreach (HttpClient client in shop.ByName.Values)
        {
            JsonNode document = await client.GetJsonAsync("/openapi/v1.json");
            var operations = from path in document["paths"]!.AsObject()
                             from verb in path.Value!.AsObject()
                             let id = (string)verb.Value!["operationId"]!
                             where !left.Contains(id)
                             orderby Array.IndexOf(Last, id),
                                 First.Contains(id) ? Array.IndexOf(First, id) : First.Length
                             select (id, path.Key, verb.Key, verb.Value);
            foreach ((string id, string path, string verb, JsonNode operation) in operations)
            {
                using HttpRequestMessage request = ApiExample.Of(path, verb, operation);
                using HttpResponseMessage answer = await client.SendAsync(request);
                Assert.That(answer.IsSuccessStatusCode, Is.True,
                    $"{id}: {request.Method} {request.RequestUri} answered {await answer.Content.ReadAsStringAsync()}");
            }
        }
    }
}
