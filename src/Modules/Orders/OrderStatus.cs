using Shop.Platform.OpenApi;

namespace Shop.Orders;

/// <summary>The life of an order: created, paid, shipped, delivered; or cancelled before it is shipped.</summary>
internal sealed class OrderStatus : IChoices
{
    public const string Created = "created";
    public const string Paid = "paid";
    public const string Shipped = "shipped";
    public const string Delivered = "delivered";
    public const string Cancelled = "cancelled";

    public static readonly IReadOnlyList<string> All = [Created, Paid, Shipped, Delivered, Cancelled];

    private OrderStatus()
    {
    }

    static IReadOnlyList<string> IChoices.Names => All;

    /// <summary>Those in which an order holds its units.</summary>
    public static readonly IReadOnlyList<string> Open = [Created, Paid];

    /// <summary>Those that an order never leaves.</summary>
    public static readonly IReadOnlyList<string> Final = [Delivered, Cancelled];

    public static readonly IReadOnlyList<(string From, string To)> Changes =
        [(Created, Paid), (Paid, Shipped), (Shipped, Delivered), (Created, Cancelled), (Paid, Cancelled)];

    /// <summary>Whether Inventory has to follow: units leave the stock, or come back to it.</summary>
    public static bool MovesStock(string status) => status is Shipped or Cancelled;
}
