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

    private static readonly string[] Names = [Created, Paid, Shipped, Delivered, Cancelled];

    /// <summary>All statuses. An order only changes from a status to a later one.</summary>
    public static readonly IReadOnlyList<string> All = Names;

    private OrderStatus()
    {
    }

    static IReadOnlyList<string> IChoices.Names => All;

    /// <summary>The statuses in which an order holds units.</summary>
    public static readonly IReadOnlyList<string> Open = [Created, Paid];

    /// <summary>The statuses that an order never leaves.</summary>
    public static readonly IReadOnlyList<string> Final = [Delivered, Cancelled];

    /// <summary>The changes of status that are allowed.</summary>
    public static readonly IReadOnlyList<(string From, string To)> Changes =
        [(Created, Paid), (Paid, Shipped), (Shipped, Delivered), (Created, Cancelled), (Paid, Cancelled)];

    /// <summary>The place of a status in <see cref="All"/>.</summary>
    public static int IndexOf(string status) => Array.IndexOf(Names, status);

    /// <summary>Whether the status changes the stock: units leave it, or can be sold again.</summary>
    public static bool MovesStock(string status) => status is Shipped or Cancelled;
}
