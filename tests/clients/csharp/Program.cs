using System.Globalization;
using System.Net.Http.Headers;
using System.Text.RegularExpressions;
using Shop.Clients;
using Shop.Clients.Inventory;
using Shop.Clients.Orders;
using Shop.Clients.Products;
using OrderFault = Shop.Clients.Orders.ApiException<Shop.Clients.Orders.Problem>;
using ProductFault = Shop.Clients.Products.ApiException<Shop.Clients.Products.Problem>;

// Places, pages and fails with clients that NSwag has made from the documents. The names are the generator's.
if (args is not [var productsUrl, var ordersUrl, var inventoryUrl, var key])
{
    Console.Error.WriteLine("usage: Shop.Clients PRODUCTS-URL ORDERS-URL INVENTORY-URL KEY");
    return 2;
}

using var http = new HttpClient();
http.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", key);
using var nobody = new HttpClient();
var products = new ProductsClient(http) { BaseUrl = productsUrl };
var orders = new OrdersClient(http) { BaseUrl = ordersUrl };
var inventory = new InventoryClient(http) { BaseUrl = inventoryUrl };

var wanted = new CreateProductRequest
{
    Name = "Walnut desk lamp",
    Price = 79.90m,
    Category = "Clients",
    Initial_stock = 5,
};
var created = await products.CreateProductAsync(null, wanted);
Product lamp = created.Result;
string tag = Header(created.Headers, "ETag");
Expect.That(created.StatusCode == 201 && lamp.Price == 79.90m && lamp.Created_at.Offset == TimeSpan.Zero,
    "a product is created, its price a decimal");
Expect.That(Header(created.Headers, "Location") == $"/products/{lamp.Id}", "Location says where it is");

var details = new ReplaceProductRequest { Name = lamp.Name, Price = 0.10m, Category = lamp.Category };
var replaced = await products.ReplaceProductAsync(lamp.Id, tag, null, null, details);
Expect.That(replaced.Result.Version == 2 && Header(replaced.Headers, "ETag") != tag,
    "it is replaced if it is as it was seen");
var changed = await Expect.FailsAsync<ProductFault>(
    () => products.ReplaceProductAsync(lamp.Id, tag, null, null, details));
Expect.That(changed.StatusCode == 412 && changed.Result.Status == 412, "and not if it has changed since");

for (int i = 0; i < 4; i++)
{
    var part = new CreateProductRequest { Name = $"Part {i}", Price = 1, Category = "Clients" };
    await products.CreateProductAsync(null, part);
}
var ids = new List<string>();
string? after = null;
do
{
    var page = await products.ListProductsAsync("Clients", null, null, null, null, 2, after);
    Expect.That(Header(page.Headers, "X-Total-Count") == "5", "a page says how many there are");
    ids.AddRange(page.Result.Select(product => product.Id));
    after = page.Headers.TryGetValue("Link", out var links) ? Cursor(links.Single()) : null;
}
while (after is not null);
Expect.That(ids.Count == 5 && ids.Distinct(StringComparer.Ordinal).Count() == 5, "three pages have every product once");

var line = new OrderLineRequest { Product_id = lamp.Id, Quantity = 3 };
var wish = new PlaceOrderRequest { Customer_id = "generated", Items = [line] };
string once = Guid.NewGuid().ToString();
var placed = await orders.PlaceOrderAsync(once, wish);
Order order = placed.Result;
Expect.That(placed.StatusCode == 201 && order.Status == OrderStatus.Created && order.Total_amount == 0.30m,
    "an order is placed");
Expect.That(!placed.Headers.ContainsKey("Idempotency-Replayed"), "for the first time");
var again = await orders.PlaceOrderAsync(once, wish);
Expect.That(again.Result.Order_id == order.Order_id && Header(again.Headers, "Idempotency-Replayed") == "true",
    "its repeat is a replay");

var tooMany = await Expect.FailsAsync<OrderFault>(() => orders.PlaceOrderAsync(null, wish));
Shortage shortage = tooMany.Result.Shortages!.Single();
Expect.That(tooMany.StatusCode == 409 && shortage.Product_id == lamp.Id
    && (shortage.Requested, shortage.Available) == (3, 2),
    "too little stock is named");
line.Product_id = "nothing-of-the-kind";
var unknown = await Expect.FailsAsync<OrderFault>(() => orders.PlaceOrderAsync(null, wish));
Expect.That(unknown.StatusCode == 422 && unknown.Result.Errors!.ContainsKey("items[0].product_id"),
    "an unknown product is named");
line.Quantity = 0;
var wrong = await Expect.FailsAsync<OrderFault>(() => orders.PlaceOrderAsync(null, wish));
Expect.That(wrong.StatusCode == 400 && wrong.Result.Errors!.ContainsKey("items[0].quantity"),
    "a wrong quantity is named");
var missing = await Expect.FailsAsync<OrderFault>(() => orders.GetOrderAsync("no-such-order"));
Expect.That(missing.StatusCode == 404 && missing.Result.Trace_id.Length == 32,
    "an order that is not there is not found");
var keyless = new OrdersClient(nobody) { BaseUrl = ordersUrl };
var refused = await Expect.FailsAsync<OrderFault>(() => keyless.PlaceOrderAsync(null, wish));
Expect.That(refused.StatusCode == 401
    && Header(refused.Headers, "WWW-Authenticate").StartsWith("Bearer", StringComparison.Ordinal),
    "without a key nothing is placed");

await orders.PayOrderAsync(order.Order_id, null);
await orders.ShipOrderAsync(order.Order_id, null);
var notAnyMore = await Expect.FailsAsync<OrderFault>(() => orders.CancelOrderAsync(order.Order_id, null));
Expect.That(notAnyMore.StatusCode == 409 && notAnyMore.Result.Shortages is null, "what is shipped can't be cancelled");
var events = await orders.ListOrderEventsAsync(order.Order_id);
Expect.That(events.Result.Select(step => step.Status)
    .SequenceEqual([OrderStatus.Created, OrderStatus.Paid, OrderStatus.Shipped]),
    "its events say so");
var shipped = await orders.ListOrdersAsync(OrderStatus.Shipped, "generated", lamp.Id, null, null);
Expect.That(shipped.Result.Single().Order_id == order.Order_id, "it is found by its status");

var arrival = new IncreaseStockRequest { Product_id = lamp.Id, Quantity_increased = 8 };
var increased = await inventory.IncreaseStockAsync(null, arrival);
Expect.That(increased.Result.New_stock_level == 10, "units come in");
var movements = await inventory.ListMovementsAsync(lamp.Id, 2, null);
Expect.That(movements.Result.Select(movement => movement.Kind)
    .SequenceEqual([MovementKind.Received, MovementKind.Shipped]),
    "its movements say so");

await products.DeleteProductAsync(lamp.Id, null, null, null);
var gone = await Expect.FailsAsync<ProductFault>(() => products.GetProductAsync(lamp.Id, null, null));
Expect.That(gone.StatusCode == 404, "a deleted product is gone");
Expect.That((await orders.GetReadyAsync()).Result.Status == Shop.Clients.Orders.HealthWord.Healthy,
    "the service is ready");
Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"C#: {Expect.Passed} passed"));
return 0;

static string Header(IReadOnlyDictionary<string, IEnumerable<string>> headers, string name) => headers[name].Single();

static string Cursor(string link) => Uri.UnescapeDataString(
    Regex.Match(link, "(?<=[?&]after=)[^&>]+", RegexOptions.None, TimeSpan.FromMinutes(1)).Value);
