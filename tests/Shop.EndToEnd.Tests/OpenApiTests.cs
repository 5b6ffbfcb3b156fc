using System.Text.Json.Nodes;

namespace Shop.EndToEnd.Tests;

internal sealed class OpenApiTests
{
    private static readonly Dictionary<string, string[]> Own = new(StringComparer.Ordinal)
    {
        ["products"] = ["GET /products", "POST /products", "GET /products/{id}", "PUT /products/{id}", "DELETE /products/{id}", "GET /categories"],
        ["orders"] =
        [
            "GET /orders", "POST /orders", "GET /orders/{order_id}", "GET /orders/{order_id}/events", "POST /orders/{order_id}/pay",
            "POST /orders/{order_id}/ship", "POST /orders/{order_id}/deliver", "POST /orders/{order_id}/cancel",
        ],
        ["inventory"] =
            ["GET /inventory", "GET /inventory/{product_id}", "GET /inventory/{product_id}/movements", "POST /inventory/increase", "POST /inventory/decrease"],
    };

    private static readonly string[] Common =
        ["GET /", "GET /metrics", "GET /metrics/process", "GET /health/live", "GET /health/ready", "GET /openapi/v1.json", "GET /docs"];

    [Test]
    public async Task Given_a_module_when_its_document_is_read_then_every_route_of_its_own_and_none_of_anothers([Values("products", "orders", "inventory")] string port)
    {
        JsonNode document = await SharedShop.Shop.ByName[port].GetJsonAsync("/openapi/v1.json");
        string[] operations = [.. from path in document["paths"]!.AsObject() from verb in path.Value!.AsObject() select $"{verb.Key.ToUpperInvariant()} {path.Key}"];
        Assert.That((string)document["openapi"]!, Does.StartWith("3.1"));
        Assert.That(operations, Is.EquivalentTo(Own[port].Concat(Common)));
    }

    [Test]
    public async Task Given_a_document_then_every_operation_says_what_it_does_takes_and_answers_with_examples([Values("products", "orders", "inventory")] string port)
    {
        JsonNode document = await SharedShop.Shop.ByName[port].GetJsonAsync("/openapi/v1.json");
        foreach (JsonNode operation in from path in document["paths"]!.AsObject() from verb in path.Value!.AsObject() select verb.Value)
        {
            string id = (string)operation["operationId"]!;
            Assert.That((string?)operation["summary"], Is.Not.Empty, id);
            Assert.That((string?)operation["description"], Is.Not.Empty, id);
            foreach (JsonNode? parameter in operation["parameters"]?.AsArray() ?? [])
            {
                Assert.That((string?)parameter!["description"], Is.Not.Empty, id);
                Assert.That(parameter["schema"]?["type"], Is.Not.Null, id);
            }

            JsonNode? body = operation["requestBody"]?["content"]?["application/json"];
            if (body is not null) Assert.That(new[] { body["example"], body["schema"]!["properties"] }, Has.None.Null, id);
            foreach ((string status, JsonNode? response) in operation["responses"]!.AsObject())
            {
                Assert.That((string?)response!["description"], Is.Not.Empty, $"{id} {status}");
                if (response["content"]?["application/json"] is { } json && id is not "getOpenApi")
                    Assert.That(new[] { json["example"], json["schema"] }, Has.None.Null, $"{id} {status}");
                if (int.Parse(status) >= 400 && id != "getReady")
                    Assert.That((string?)response["content"]!["application/problem+json"]!["schema"]!["$ref"], Is.EqualTo("#/components/schemas/Problem"), $"{id} {status}");
            }
        }
    }

    [Test]
    public async Task Given_the_body_of_an_order_then_its_schema_has_the_rules_that_the_shop_runs_on()
    {
        JsonNode document = await SharedShop.Shop.Orders.GetJsonAsync("/openapi/v1.json");
        JsonNode schema = document["paths"]!["/orders"]!["post"]!["requestBody"]!["content"]!["application/json"]!["schema"]!;
        JsonNode items = schema["properties"]!["items"]!;
        Assert.Multiple(() =>
        {
            Assert.That(schema["required"]!.AsArray().Select(name => (string)name!), Is.EquivalentTo(new[] { "customer_id", "items" }));
            Assert.That(((int)items["minItems"]!, (int)items["maxItems"]!), Is.EqualTo((1, 100)));
            Assert.That((int)items["items"]!["properties"]!["quantity"]!["maximum"]!, Is.EqualTo(10_000));
        });
    }

    [Test]
    public async Task Given_an_answer_then_its_schema_promises_every_member([Values("products", "orders", "inventory")] string port)
    {
        JsonNode document = await SharedShop.Shop.ByName[port].GetJsonAsync("/openapi/v1.json");
        Assert.Multiple(() =>
        {
            foreach ((string name, JsonNode? schema) in document["components"]!["schemas"]!.AsObject())
            {
                string[] members = [.. schema!["properties"]!.AsObject().Select(member => member.Key)];
                string[] promised = [.. schema["required"]?.AsArray().Select(member => (string)member!) ?? []];
                // Only a problem with a request has its faults by field.
                Assert.That(promised, Is.EquivalentTo(name == "Problem" ? members.Except(["errors"]) : members), name);
            }
        });
    }

    // An order is placed before it is looked at, and a product deleted when nobody else needs it; what is cancelled can't be delivered.
    private static readonly string[] First = ["placeOrder", "payOrder", "shipOrder", "deliverOrder"], Last = ["deleteProduct"];

    [TestCase("cancelOrder")]
    [TestCase("payOrder", "shipOrder", "deliverOrder")]
    public async Task Given_a_document_when_each_operation_is_sent_with_its_own_examples_then_it_succeeds(params string[] left)
    {
        await using ShopUnderTest shop = await ShopUnderTest.StartAsync();
        foreach (HttpClient client in shop.ByName.Values)
        {
            JsonNode document = await client.GetJsonAsync("/openapi/v1.json");
            var operations = from path in document["paths"]!.AsObject()
                             from verb in path.Value!.AsObject()
                             let id = (string)verb.Value!["operationId"]!
                             where !left.Contains(id)
                             orderby Array.IndexOf(Last, id), First.Contains(id) ? Array.IndexOf(First, id) : First.Length
                             select (id, path.Key, verb.Key, verb.Value);
            foreach ((string id, string path, string verb, JsonNode operation) in operations)
            {
                using HttpRequestMessage request = ApiExample.Of(path, verb, operation);
                using HttpResponseMessage answer = await client.SendAsync(request);
                Assert.That(answer.IsSuccessStatusCode, Is.True, $"{id}: {request.Method} {request.RequestUri} answered {await answer.Content.ReadAsStringAsync()}");
            }
        }
    }
}
