using System.Text.RegularExpressions;
using Microsoft.AspNetCore.Http;
using Shop.Inventory.Contracts;
using Shop.Platform.Requests;

namespace Shop.Orders;

/// <summary>What a client wants to order, and how it says so.</summary>
/// <param name="CustomerId">Who orders.</param>
/// <param name="Items">The lines, as they were sent; a product may stand in several.</param>
/// <param name="OrderId">An id of the client's own.</param>
/// <param name="Key">The <c>Idempotency-Key</c>, as it is kept.</param>
internal sealed partial record PlaceOrderRequest(string CustomerId, IReadOnlyList<StockLine> Items, string? OrderId, string? Key)
{
    private static readonly TextField CustomerField = new("customer_id", 1, 100)
    {
        Description = "Who orders.",
        Example = "\"customer-1\"",
        IsRequired = true,
    };

    private static readonly TextField ProductField = new("product_id", 1, 64)
    {
        Description = "The product.",
        Example = "\"prod_0\"",
        IsRequired = true,
    };

    private static readonly WholeNumberField QuantityField = new("quantity", 1, 10_000)
    {
        Description = "Units.",
        Example = "2",
        IsRequired = true,
    };

    private static readonly ListField ItemsField = new("items", 1, 100, ProductField, QuantityField)
    {
        ItemSchema = "OrderLineRequest",
        Description = "The lines; a product may stand in several. Prices and the total are the shop's: what a client sends of them is not looked at.",
        Example = """[{"product_id":"prod_0","quantity":2},{"product_id":"prod_1","quantity":1}]""",
        IsRequired = true,
    };

    private static readonly TextField OrderField = new("order_id", 1, 64)
    {
        Description = "An id of the client's own, which makes the request safe to repeat; the shop makes one where it is missing.",
        Example = "\"checkout-17\"",
        Pattern = OrderIdPattern(),
        PatternInWords = "letters, digits, _ and -",
    };

    /// <summary>The fields of the body that asks for it.</summary>
    public static readonly IReadOnlyList<Field> Body = [CustomerField, ItemsField, OrderField];

    /// <summary>The price of each line as the customer saw it, in cents; null for a line whose price was not shown. Null if all that is asked for is the
    /// price of the moment, as by the API.</summary>
    public IReadOnlyList<long?>? SeenCents { get; init; }

    public bool IsRepeatable => Key is not null || OrderId is not null;

    /// <summary>The key, bound to its content; null if it has no key.</summary>
    public IdempotencyKey? Bound => Key is null ? null : field ??= new IdempotencyKey(Key, Fingerprint);

    /// <summary>Its content: equal wishes, equal fingerprints.</summary>
    public byte[] Fingerprint => field ??= IdempotencyKey.FingerprintOf(
        [OrderId, CustomerId, .. Items.SelectMany(item => new[] { item.ProductId, item.Quantity.ToString() })]);

    /// <summary>What a body asks for; its faults are noted there.</summary>
    public static PlaceOrderRequest Read(HttpContext http, RequestBody body)
    {
        string customer = body.Root.Read(CustomerField) ?? "";
        IReadOnlyList<StockLine> items = body.Root.Read(ItemsField, static item => new StockLine(item.Read(ProductField) ?? "", item.Read(QuantityField) ?? 0));
        return new PlaceOrderRequest(customer, items, body.Root.Read(OrderField), IdempotencyKey.Read(http, body.Errors));
    }

    /// <summary>What a form asks for, by the same rules.</summary>
    /// <param name="customer">Who orders.</param>
    /// <param name="lines">The lines as they were typed.</param>
    /// <param name="key">What makes it safe to repeat.</param>
    /// <param name="errors">Where its faults are noted.</param>
    public static PlaceOrderRequest Read(string customer, IReadOnlyList<(string ProductId, string Quantity)> lines, string key, ValidationErrors errors)
    {
        if (CustomerField.Read(customer, out _) is { } customerFault) errors.Add(CustomerField.Name, customerFault);
        if (lines.Count < ItemsField.Min || lines.Count > ItemsField.Max) errors.Add(ItemsField.Name, $"must have {ItemsField.Min} to {ItemsField.Max} lines");
        var items = new StockLine[lines.Count];
        for (int i = 0; i < items.Length; i++)
        {
            if (ProductField.Read(lines[i].ProductId, out _) is { } productFault) errors.Add($"items[{i}].product_id", productFault);
            if (QuantityField.Read(lines[i].Quantity, out long? units) is { } quantityFault) errors.Add($"items[{i}].quantity", quantityFault);
            items[i] = new StockLine(lines[i].ProductId, units ?? 0);
        }

        return new PlaceOrderRequest(customer, items, null, key);
    }

    public string[] ProductIds()
    {
        string[] ids = new string[Items.Count];
        for (int i = 0; i < ids.Length; i++) ids[i] = Items[i].ProductId;
        return ids;
    }

    /// <summary>What is to be held: one line a product.</summary>
    public IReadOnlyList<StockLine> Units() => HasProductTwice()
        ? [.. Items.GroupBy(item => item.ProductId, (product, same) => new StockLine(product, same.Sum(item => item.Quantity)), StringComparer.Ordinal)]
        : Items;

    public string[] LockKeys() => (Key, OrderId) switch
    {
        (null, _) => [$"id {OrderId}"],
        (_, null) => [$"key {Key}"],
        _ => [$"id {OrderId}", $"key {Key}"],
    };

    [GeneratedRegex("^[A-Za-z0-9_-]+\\z", RegexOptions.None, matchTimeoutMilliseconds: 1000)]
    private static partial Regex OrderIdPattern();

    private bool HasProductTwice()
    {
        for (int i = 1; i < Items.Count; i++)
        {
            for (int j = 0; j < i; j++)
            {
                if (Items[i].ProductId == Items[j].ProductId) return true;
            }
        }

        return false;
    }
}
