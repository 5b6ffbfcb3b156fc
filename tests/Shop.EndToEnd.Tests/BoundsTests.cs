using System.Globalization;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;

namespace Shop.EndToEnd.Tests;

/// <summary>
/// The bounds in the OpenAPI documents: they are those of the contract, and the shop takes what is just within, and
/// refuses what is just beyond.
/// </summary>
internal sealed class BoundsTests
{
    // As the contract with clients has it, written down here once more.
    private static readonly string[] Contract =
    [
        "createProduct Idempotency-Key: string 1 to 255",
        "createProduct body.category: string 1 to 100, default \"Uncategorized\"",
        "createProduct body.description: string to 2000, default \"\"",
        "createProduct body.id: string 1 to 64",
        "createProduct body.initial_stock: integer 0 to 1000000000, default 0",
        "createProduct body.name: string 1 to 200, required",
        "createProduct body.price: number 0.01 to 1000000.00 by 0.01, required",
        "decreaseStock Idempotency-Key: string 1 to 255",
        "decreaseStock body.product_id: string 1 to 64, required",
        "decreaseStock body.quantity_decreased: integer 1 to 1000000000, required",
        "increaseStock Idempotency-Key: string 1 to 255",
        "increaseStock body.product_id: string 1 to 64, required",
        "increaseStock body.quantity_increased: integer 1 to 1000000000, required",
        "listInventory limit: integer 1 to 1000, default 100",
        "listInventory max_level: integer 0 to 9223372036854775807",
        "listMovements limit: integer 1 to 1000, default 100",
        "listOrders customer_id: string 1 to 100",
        "listOrders limit: integer 1 to 1000, default 100",
        "listOrders product_id: string 1 to 64",
        "listOrders status: string of created, paid, shipped, delivered, cancelled",
        "listProducts category: string 1 to 100",
        "listProducts limit: integer 1 to 1000, default 100",
        "listProducts max_price: number 0.00 to 1000000.00 by 0.01",
        "listProducts min_price: number 0.00 to 1000000.00 by 0.01",
        "listProducts q: string 1 to 200",
        "listProducts sort: string of id, -id, name, -name, price, -price, created_at, -created_at, default \"id\"",
        "placeOrder Idempotency-Key: string 1 to 255",
        "placeOrder body.customer_id: string 1 to 100, required",
        "placeOrder body.items: array 1 to 100, required",
        "placeOrder body.items[0].product_id: string 1 to 64, required",
        "placeOrder body.items[0].quantity: integer 1 to 10000, required",
        "placeOrder body.order_id: string 1 to 64",
        "replaceProduct Idempotency-Key: string 1 to 255",
        "replaceProduct body.category: string 1 to 100, default \"Uncategorized\"",
        "replaceProduct body.description: string to 2000, default \"\"",
        "replaceProduct body.name: string 1 to 200, required",
        "replaceProduct body.price: number 0.01 to 1000000.00 by 0.01, required",
    ];

    // Their values are not told by bounds: a cursor comes from the page before, and the rest is text of HTTP's own.
    private static readonly string[] WithoutBounds = ["after", "If-Match", "If-None-Match"];

    private ShopUnderTest _shop = null!;

    [OneTimeSetUp]
    public async Task StartAsync() => _shop = await ShopUnderTest.StartAsync();

    [OneTimeTearDown]
    public async Task StopAsync() => await _shop.DisposeAsync();

    [Test]
    public async Task Given_the_documents_then_their_bounds_are_those_of_the_contract()
    {
        var found = new List<string>();
        foreach (HttpClient client in _shop.ByName.Values)
        {
            foreach (Operation operation in await OperationsAsync(client))
            {
                found.AddRange(operation.Inputs.Where(input => input.Schema["type"] is not null)
                    .Select(input => $"{operation.Id} {input}"));
            }
        }

        string[] keys = ["payOrder", "shipOrder", "deliverOrder", "cancelOrder", "deleteProduct"];
        string[] onEachPort =
        [
            "startFault body.duration_seconds: integer 1 to 3600, default 300",
            "startFault body.intensity: number 0 to 1000 by 0.001",
            "startFault body.route: string 1 to 100",
            "startTraffic body.duration_seconds: integer 1 to 86400, default 3600",
            "startTraffic body.rate: integer 1 to 500, required",
            "startTraffic body.shape: string of constant, day, spikes, outage",
        ];
        Assert.That(found, Is.EquivalentTo(Contract.Concat(keys
            .Select(id => $"{id} Idempotency-Key: string 1 to 255"))
            .Concat(_shop.ByName.SelectMany(_ => onEachPort))));
    }

    [TestCase("products")]
    [TestCase("orders")]
    [TestCase("inventory")]
    public async Task Given_an_input_with_bounds_when_it_is_at_each_then_it_is_taken_and_beyond_each_it_is_400_and_named(
        string port)
    {
        var wrong = new List<string>();
        int tried = 0;
        foreach (Operation operation in await OperationsAsync(_shop.ByName[port]))
        {
            foreach (Input input in operation.Inputs)
            {
                foreach ((JsonNode? value, bool isRight) in input.Values())
                {
                    (HttpResponseMessage answer, JsonNode? json) =
                        await operation.SendAsync(_shop.ByName[port], input, value);
                    string[] named = [.. json is JsonObject problem && problem["errors"] is JsonObject errors
                        ? errors.Select(fault => fault.Key)
                        : []];
                    bool isTaken = (int)answer.StatusCode != 400;
                    string path = input.Path.Replace("body.", "", StringComparison.Ordinal);
                    tried++;
                    if (isTaken != isRight || (!isRight && !named.SequenceEqual([path])))
                        wrong.Add($"{operation.Id} {input.Path} of {value?.ToJsonString() ?? "nothing"}: "
                            + $"{(int)answer.StatusCode} {string.Join(", ", named)}");
                }
            }
        }

        Assert.That(wrong, Is.Empty);
        Assert.That(tried, Is.GreaterThan(30));
    }

    [Test]
    public async Task Given_what_has_a_default_when_it_is_left_out_then_it_is_that()
    {
        await using ShopUnderTest shop = await ShopUnderTest.StartAsync();
        (_, JsonNode? product) = await shop.Products.PostAsync("/products", new { name = "Bare", price = 0.07m });
        Assert.That(((string)product!["category"]!, (string)product["description"]!, (decimal)product["price"]!),
            Is.EqualTo(("Uncategorized", "", 0.07m)));
        Assert.That(await shop.StockAsync((string)product["id"]!), Is.EqualTo((0L, 0L, 0L)));
        await shop.Products.SendJsonAsync(HttpMethod.Put, "/products/prod_0", new { name = "Bare", price = 0.07m });
        Assert.That((string)(await shop.Products.GetJsonAsync("/products/prod_0"))["category"]!,
            Is.EqualTo("Uncategorized"));
        foreach (string path in new[] { "/products", "/products?sort=id" })
            Assert.That((await shop.Products.GetJsonAsync(path)).ToJsonString(),
                Is.EqualTo((await shop.Products.GetJsonAsync("/products?sort=id&limit=100")).ToJsonString()));
        Assert.That((await shop.Products.GetJsonAsync("/products")).AsArray(), Has.Count.EqualTo(100));
        Assert.That((await shop.Inventory.GetJsonAsync("/inventory")).AsArray(), Has.Count.EqualTo(100));
        for (int i = 0; i < 101; i++) await shop.OrderAsync("prod_1");
        Assert.That((await shop.Orders.GetJsonAsync("/orders")).AsArray(), Has.Count.EqualTo(100));
        Assert.That((await shop.Inventory.GetJsonAsync("/inventory/prod_1/movements")).AsArray(),
            Has.Count.EqualTo(100));
    }

    private static async Task<Operation[]> OperationsAsync(HttpClient client)
    {
        JsonNode document = await client.GetJsonAsync("/openapi/v1.json");
        return [.. from path in document["paths"]!.AsObject()
                   from verb in path.Value!.AsObject()
                   let operation = new Operation(document, path.Key, verb.Key, verb.Value!)
                   where operation.Inputs.Count > 0
                   select operation];
    }

    /// <summary>What a client can send of an operation, one by one.</summary>
    private sealed class Operation
    {
        private readonly string _path, _verb;
        private readonly JsonNode _operation;

        public Operation(JsonNode document, string path, string verb, JsonNode operation)
        {
            (_path, _verb, _operation) = (path, verb, operation);
            JsonNode Resolved(JsonNode schema) => (string?)schema["$ref"] is { } name
                ? document["components"]!["schemas"]![name.Split('/')[^1]]! : schema;
            IEnumerable<Input> Properties(JsonNode schema, string prefix) => Resolved(schema)["properties"]!.AsObject()
                .SelectMany(property =>
            {
                JsonNode of = Resolved(property.Value!);
                bool isRequired = Resolved(schema)["required"]?.AsArray().Any(name =>
                    (string)name! == property.Key) == true;
                Input input = new($"{prefix}{property.Key}", of, isRequired);
                return of["items"] is { } items ? Properties(items, $"{prefix}{property.Key}[0].").Prepend(input)
                    : [input];
            });
            JsonNode? body = operation["requestBody"]?["content"]?["application/json"]?["schema"];
            Inputs =
            [
                .. from parameter in operation["parameters"]?.AsArray() ?? []
                   let name = (string)parameter["name"]!
                   where (string)parameter["in"]! != "path" && !WithoutBounds.Contains(name)
                   select new Input(name, Resolved(parameter["schema"]!), IsRequired: false),
                .. body is null ? [] : Properties(body, "body."),
            ];
        }

        public string Id => (string)_operation["operationId"]!;

        public IReadOnlyList<Input> Inputs { get; }

        /// <summary>Sends it with one input changed; null leaves it out.</summary>
        public async Task<(HttpResponseMessage Answer, JsonNode? Json)> SendAsync(HttpClient client, Input input,
            JsonNode? value)
        {
            // What there is, so that it is the input that is looked at. An id is taken after the first, and that is no
            // fault of the input's.
            string path = _path.Replace("{product_id}", "prod_3", StringComparison.Ordinal)
                .Replace("{id}", "prod_3", StringComparison.Ordinal)
                .Replace("{order_id}", "none", StringComparison.Ordinal)
                .Replace("{name}", "none", StringComparison.Ordinal);
            JsonObject? body = ApiExample.Body(_operation) is { } example ? JsonNode.Parse(example)!.AsObject() : null;
            body?.Remove("id");
            body?.Remove("order_id");
            (string, string)[] headers = [];
            if (body is not null && input.Path.StartsWith("body.", StringComparison.Ordinal))
            {
                string[] steps = input.Path["body.".Length..].Split('.');
                JsonObject owner = steps.Length == 1 ? body : body["items"]![0]!.AsObject();
                owner.Remove(steps[^1]);
                if (value is not null) owner[steps[^1]] = value.DeepClone();
            }
            else if (char.IsUpper(input.Path[0]))
            {
                headers = value is null ? [] : [(input.Path, (string)value!)];
            }
            else if (value is not null)
            {
                bool isText = value.GetValueKind() == System.Text.Json.JsonValueKind.String;
                path += $"?{input.Path}={Uri.EscapeDataString(isText ? (string)value! : value.ToJsonString())}";
            }

            return await client.SendJsonAsync(new HttpMethod(_verb.ToUpperInvariant()), path, body?.ToJsonString(),
                headers);
        }
    }

    private sealed record Input(string Path, JsonNode Schema, bool IsRequired)
    {
        /// <summary>Values at each bound and just beyond, and whether they are right.</summary>
        public IEnumerable<(JsonNode? Value, bool IsRight)> Values()
        {
            yield return (null, !IsRequired);
            string type = (string)Schema["type"]!;
            if (Schema["enum"] is JsonArray choices)
            {
                foreach (JsonNode? choice in choices) yield return (choice!.DeepClone(), true);
                string first = (string)choices[0]!;
                foreach (string other in new[] { "none-of-them", first.ToUpperInvariant(), $"{first}x" })
                    yield return (other, false);
            }
            else if (type == "string")
            {
                // Letters that take two units count once; ids and keys have none.
                string letter = Schema["pattern"] is not null || Path == "Idempotency-Key" ? "a" : "😀";
                int least = (int?)Schema["minLength"] ?? 0, most = (int)Schema["maxLength"]!;
                // A header without a value is not sent.
                if (least > 0 && Path != "Idempotency-Key") yield return ("", false);
                yield return (string.Concat(Enumerable.Repeat(letter, Math.Max(least, 1))), true);
                yield return (string.Concat(Enumerable.Repeat(letter, most)), true);
                yield return (string.Concat(Enumerable.Repeat(letter, most + 1)), false);
            }
            else if (type == "array")
            {
                foreach ((int length, bool isRight) in new[] { (0, false), ((int)Schema["minItems"]!, true),
                    ((int)Schema["maxItems"]!, true), ((int)Schema["maxItems"]! + 1, false) })
                    yield return (new JsonArray([.. Enumerable.Range(0, length)
                        .Select(_ => JsonNode.Parse("""{"product_id":"prod_0","quantity":1}"""))]), isRight);
            }
            else
            {
                decimal least = Number("minimum"), most = Number("maximum");
                decimal step = Schema["multipleOf"] is null ? 1 : Number("multipleOf");
                foreach ((decimal number, bool isRight) in new[] { (least, true), (most, true), (least - step, false),
                    (most + step, false), (least + (step / 2), false), (-most, false) })
                    yield return (JsonNode.Parse(number.ToString(CultureInfo.InvariantCulture)), isRight);
            }
        }

        public override string ToString()
        {
            string type = (string)Schema["type"]!;
            string bounds = Schema["enum"] is JsonArray choices ? $" of {string.Join(", ", choices)}"
                : type == "string" ? Schema["minLength"] is { } least ? $" {least} to {Schema["maxLength"]}"
                    : $" to {Schema["maxLength"]}"
                : type == "array" ? $" {Schema["minItems"]} to {Schema["maxItems"]}"
                : $" {Schema["minimum"]} "
                    + $"to {Schema["maximum"]}{(Schema["multipleOf"] is { } step ? $" by {step}" : "")}";
            return $"{Path}: {type}{bounds}{(IsRequired ? ", required" : "")}"
                + $"{(Default() is { Length: > 0 } value ? $", default {value}" : "")}";
        }

        // Of a member of a body it stands in the words.
        private string Default() => Schema["default"]?.ToJsonString()
            ?? Regex.Match((string?)Schema["description"] ?? "", @"If it is missing: (?<value>.*)\.$",
                RegexOptions.ExplicitCapture, TimeSpan.FromMinutes(1)).Groups["value"].Value;

        private decimal Number(string name) => decimal.Parse(Schema[name]!.ToJsonString(),
            CultureInfo.InvariantCulture);
    }
}
