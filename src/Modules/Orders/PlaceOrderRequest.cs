using System.Text.RegularExpressions;
using Microsoft.AspNetCore.Http;
using Shop.Inventory.Contracts;
using Shop.Platform.Requests;

namespace Shop.Orders;

/// <summary>A request for an order.</summary>
/// <param name="CustomerId">The customer.</param>
/// <param name="Items">The lines, as they were sent; several may be for the same product.</param>
/// <param name="OrderId">An id that the client chose; null if the shop is to make one.</param>
/// <param name="KeyText">The <c>Idempotency-Key</c>, as it is kept.</param>
internal sealed partial record PlaceOrderRequest(
    string CustomerId, IReadOnlyList<StockLine> Items, string? OrderId, string? KeyText)
{
    private static readonly TextField CustomerField = new("customer_id", 1, 100)
    {
        Description = "The customer.",
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
        Description = "The lines; a product may stand in several. Prices and the total are the shop's: those that a "
            + "client sends are ignored.",
        Example = """[{"product_id":"prod_0","quantity":2},{"product_id":"prod_1","quantity":1}]""",
        IsRequired = true,
    };

    private static readonly TextField OrderField = new("order_id", 1, 64)
    {
        Description = "An id that the client chooses, which makes the request safe to repeat; if it is missing, the "
            + "shop makes one.",
        Example = "\"checkout-17\"",
        Pattern = OrderIdPattern(),
        PatternInWords = "letters, digits, _ and -",
    };

    /// <summary>The fields of the body.</summary>
    public static readonly IReadOnlyList<Field> Body = [CustomerField, ItemsField, OrderField];

    /// <summary>
    /// The price of each line as the customer saw it, in cents; null for a line whose price was not shown. Null if the
    /// order is placed at whatever the prices are now, as by the API.
    /// </summary>
    public IReadOnlyList<long?>? SeenCents { get; init; }

    /// <summary>Whether a repeat of the request is answered from the first.</summary>
    public bool IsRepeatable => KeyText is not null || OrderId is not null;

    /// <summary>The idempotency key, bound to the content; null if there is none.</summary>
    public IdempotencyKey? Key => KeyText is null ? null : field ??= new IdempotencyKey(KeyText, Fingerprint);

    /// <summary>The content: equal requests have equal fingerprints.</summary>
    public byte[] Fingerprint => field ??= IdempotencyKey.FingerprintOf(
        [OrderId, CustomerId, .. Items.SelectMany(item => new[] { item.ProductId, item.Quantity.ToString() })]);

    /// <summary>Reads a body, and notes its errors there.</summary>
    public static PlaceOrderRequest Read(HttpContext http, RequestBody body)
    {
        string customer = body.Root.Read(CustomerField) ?? "";
        IReadOnlyList<StockLine> items = body.Root.Read(
            ItemsField, static item => new StockLine(item.Read(ProductField) ?? "", item.Read(QuantityField) ?? 0));
        return new PlaceOrderRequest(
            customer, items, body.Root.Read(OrderField), IdempotencyKey.Read(http, body.Errors));
    }

    /// <summary>Reads a form, by the same rules.</summary>
    /// <param name="customer">The customer.</param>
    /// <param name="lines">The lines as they were typed.</param>
    /// <param name="key">The form's key, so that the order is placed once, however often the form is sent.</param>
    /// <param name="errors">Collects the errors.</param>
    public static PlaceOrderRequest Read(
        string customer, IReadOnlyList<(string ProductId, string Quantity)> lines, string key, ValidationErrors errors)
    {
        if (CustomerField.Read(customer, out _) is { } customerError) errors.Add(CustomerField.Name, customerError);
        if (lines.Count < ItemsField.Min || lines.Count > ItemsField.Max)
            errors.Add(ItemsField.Name, $"must have {ItemsField.Min} to {ItemsField.Max} lines");
        var items = new StockLine[lines.Count];
        for (int i = 0; i < items.Length; i++)
        {
            if (ProductField.Read(lines[i].ProductId, out _) is { } productError)
                errors.Add($"items[{i}].product_id", productError);
            if (QuantityField.Read(lines[i].Quantity, out long? units) is { } quantityError)
                errors.Add($"items[{i}].quantity", quantityError);
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

    /// <summary>The units to reserve: one line for each product.</summary>
    public IReadOnlyList<StockLine> Units() => HasProductTwice()
        ? [.. Items.GroupBy(item => item.ProductId,
            (product, same) => new StockLine(product, same.Sum(item => item.Quantity)), StringComparer.Ordinal)]
        : Items;

    /// <summary>The names of the locks that equal requests share.</summary>
    public string[] LockKeys() => (KeyText, OrderId) switch
    {
        (null, _) => [$"id {OrderId}"],
        (_, null) => [$"key {KeyText}"],
        _ => [$"id {OrderId}", $"key {KeyText}"],
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
