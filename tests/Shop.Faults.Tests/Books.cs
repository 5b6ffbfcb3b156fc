using System.Collections.Concurrent;
using System.Text.Json.Nodes;

namespace Shop.Faults.Tests;

/// <summary>What the clients were told is done, and what the shop must therefore say, to the unit.</summary>
internal sealed class Books(IReadOnlyList<string> products, IReadOnlyDictionary<string, long> opening)
{
    private readonly ConcurrentDictionary<string,
        (string Product, int Quantity, string Status, string Key, string Answer)> _orders = new(StringComparer.Ordinal);
    private readonly ConcurrentDictionary<string, long> _moved = new(StringComparer.Ordinal);

    public IReadOnlyList<string> Products { get; } = products;

    public int Orders => _orders.Count;

    public IReadOnlyCollection<string> OrderIds => (IReadOnlyCollection<string>)_orders.Keys;

    /// <returns>The order's id.</returns>
    public string Placed(string key, string product, int quantity, string answer)
    {
        string id = (string)JsonNode.Parse(answer)!["order_id"]!;
        (string, int, string Status, string, string Answer) entry = _orders.GetOrAdd(id,
            (product, quantity, "created", key, answer));
        Assert.That(entry.Answer, Is.EqualTo(answer), $"a repeat of {key} got another answer");
        return id;
    }

    public void Changed(string id, string status) => _orders[id] = _orders[id] with { Status = status };

    public void Moved(string product, long units) => _moved.AddOrUpdate(product, units, (_, sum) => sum + units);

    /// <summary>
    /// Each order that was acknowledged is there, and at least as far as was acknowledged.
    /// Asked before anything is repeated.
    /// </summary>
    public async Task AcknowledgedIsThereAsync(ShopProcess shop, IReadOnlyCollection<string> ids)
    {
        string[] life = ["created", "paid", "shipped", "delivered"];
        foreach (string id in ids)
        {
            JsonNode order = await shop.Orders.GetJsonAsync($"/orders/{id}");
            (_, _, string status, _, _) = _orders[id];
            string now = (string)order["status"]!;
            bool isAsFar = status == "cancelled" ? now == status : now == "cancelled"
                ? status is "created" or "paid"
                : Array.IndexOf(life, now) >= Array.IndexOf(life, status);
            Assert.That(isAsFar, Is.True, $"{id} was acknowledged as {status}, and is {now}");
        }
    }

    /// <summary>A key still gets the answer it got.</summary>
    public async Task KeysAnswerAsync(ShopProcess shop, IEnumerable<string> ids)
    {
        foreach (string id in ids)
        {
            (string product, int quantity, _, string key, string answer) = _orders[id];
            (HttpResponseMessage response, JsonNode? json) = await shop.Orders.PostAsync(
                "/orders", Http.Order(product, quantity), ("Idempotency-Key", key));
            Assert.That((json!.ToJsonString(), response.Header("Idempotency-Replayed")), Is.EqualTo((answer, "true")));
        }
    }

    /// <summary>The gauges are right at once: nobody has asked for anything since the start.</summary>
    public static async Task GaugesAgreeAsync(ShopProcess shop)
    {
        Exposition orders = await Exposition.OfAsync(shop.Orders), inventory = await Exposition.OfAsync(shop.Inventory);
        using HttpResponseMessage created =
            await shop.Orders.GetAsync("/orders?limit=1&status=created&customer_id=someone");
        using HttpResponseMessage paid = await shop.Orders.GetAsync("/orders?limit=1&status=paid&customer_id=someone");
        long open = long.Parse(created.Header("X-Total-Count")!) + long.Parse(paid.Header("X-Total-Count")!);
        Assert.That(orders["""orders_by_status{status="created"}"""] + orders["""orders_by_status{status="paid"}"""],
            Is.EqualTo(open), "orders_by_status");
        Assert.That(inventory["inventory_reservations_open"], Is.EqualTo(open), "inventory_reservations_open");
    }

    /// <summary>
    /// Every deed has its answer: now the shop's books and the clients' must be the same, to the order and to the unit.
    /// </summary>
    public async Task AgreeAsync(ShopProcess shop, bool withMovements)
    {
        using HttpResponseMessage all = await shop.Orders.GetAsync("/orders?limit=1");
        Assert.That(long.Parse(all.Header("X-Total-Count")!), Is.EqualTo(_orders.Count), "orders in all");
        foreach (string product in Products)
        {
            var mine = _orders.Values.Where(order => order.Product == product).ToArray();
            long shipped = mine.Where(order => order.Status is "shipped" or "delivered")
                .Sum(order => (long)order.Quantity);
            long reserved = mine.Where(order => order.Status is "created" or "paid").Sum(order => (long)order.Quantity);
            long onHand = opening[product] + _moved.GetValueOrDefault(product) - shipped;
            JsonNode stock = await shop.Inventory.GetJsonAsync($"/inventory/{product}");
            Assert.That(((long)stock["on_hand"]!, (long)stock["reserved"]!, (long)stock["stock_level"]!),
                Is.EqualTo((onHand, reserved, onHand - reserved)), product);
            Assert.That(onHand - reserved, Is.Not.Negative, $"{product} was sold twice");
            if (withMovements)
            {
                Assert.That(await SumOfMovementsAsync(shop, product),
                    Is.EqualTo((onHand, reserved)), $"movements of {product}");
            }
        }
    }

    private static async Task<(long OnHand, long Reserved)> SumOfMovementsAsync(ShopProcess shop, string product)
    {
        long onHand = 0, reserved = 0;
        for (string? next = $"/inventory/{product}/movements?limit=1000"; next is not null;)
        {
            (HttpResponseMessage page, JsonNode? rows) = await shop.Inventory.SendJsonAsync(HttpMethod.Get, next);
            foreach (JsonNode? row in rows!.AsArray())
            {
                long units = (long)row!["quantity"]!;
                (int onHandSign, int reservedSign) = (string)row["kind"]! switch
                {
                    "received" => (1, 0),
                    "removed" => (-1, 0),
                    "reserved" => (0, 1),
                    "released" => (0, -1),
                    _ => (-1, -1),
                };
                onHand += onHandSign * units;
                reserved += reservedSign * units;
            }

            next = page.NextPage();
        }

        return (onHand, reserved);
    }
}
