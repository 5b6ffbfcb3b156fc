using System.Text.Json.Serialization;
using Shop.Platform;
using Shop.Platform.OpenApi;

namespace Shop.Inventory;

/// <summary>
/// A kind of movement: its name, and what a unit of it does to the two figures of a product. To increase the stock is a
/// movement of kind received, as the initial stock is; to decrease it is a movement of kind removed.
/// </summary>
internal sealed record MovementKind(string Name, int OnHandSign, int ReservedSign) : IChoices
{
    public static readonly MovementKind Received = new("received", +1, 0);
    public static readonly MovementKind Removed = new("removed", -1, 0);
    public static readonly MovementKind Reserved = new("reserved", 0, +1);
    public static readonly MovementKind Released = new("released", 0, -1);
    public static readonly MovementKind Shipped = new("shipped", -1, -1);

    public static readonly IReadOnlyList<MovementKind> All = [Received, Removed, Reserved, Released, Shipped];

    private static readonly Dictionary<string, MovementKind> ByName =
        All.ToDictionary(kind => kind.Name, StringComparer.Ordinal);

    /// <summary>The kind of a name; null if there is none.</summary>
    public static MovementKind? Find(string name) => ByName.GetValueOrDefault(name);

    static IReadOnlyList<string> IChoices.Names => [.. All.Select(kind => kind.Name)];
}

/// <summary>The stock of a product as clients see it.</summary>
internal sealed record StockBody(string ProductId, long StockLevel, long OnHand, long Reserved, UtcTime LastUpdated);

/// <summary>A movement as clients see it.</summary>
internal sealed record MovementBody(
    string Id, [property: OneOf<MovementKind>] string Kind, long Quantity, string? OrderId, UtcTime At, long OnHand,
    long Reserved);

/// <summary>The answer to an increase or a decrease.</summary>
internal sealed record StockChangeBody(string ProductId, long NewStockLevel, string Status);

/// <summary>The stock of a product.</summary>
/// <param name="ProductId">The product.</param>
/// <param name="OnHand">Units that are there.</param>
/// <param name="Reserved">Those of them that orders hold.</param>
/// <param name="LastUpdated">Time of the last movement, in milliseconds since 1970.</param>
/// <param name="IsRetired">Whether the product is no longer sold.</param>
internal readonly record struct StockLevel(
    string ProductId, long OnHand, long Reserved, long LastUpdated, bool IsRetired = false)
{
    /// <summary>Units that can be sold.</summary>
    public long Available => OnHand - Reserved;

    /// <summary>The stock after a movement; null if there is too little.</summary>
    public StockLevel? After(MovementKind kind, long quantity, DateTime now)
    {
        StockLevel after = this with
        {
            OnHand = OnHand + (kind.OnHandSign * quantity),
            Reserved = Reserved + (kind.ReservedSign * quantity),
            LastUpdated = now.ToMilliseconds(notBefore: LastUpdated),
        };
        return after.Reserved < 0 || after.OnHand < after.Reserved ? null : after;
    }

    public StockBody ToBody() => new(ProductId, Available, OnHand, Reserved, new UtcTime(LastUpdated));
}

/// <summary>A movement of a product, with the figures of the product after it.</summary>
internal sealed record Movement(
    long Id, string Kind, long Quantity, string? OrderId, long At, long OnHand, long Reserved)
{
    /// <summary>Kind of the row that is the sum of the movements which were deleted because they were old.</summary>
    public const string OpeningBalance = "opening";

    public MovementBody ToBody() => new(Id.ToString(), Kind, Quantity, OrderId, new UtcTime(At), OnHand, Reserved);
}

/// <summary>A movement that may be old enough to be compacted.</summary>
internal sealed record OldMovement(long Id, string ProductId, string Kind, long Quantity, string? OrderId, long At);

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower)]
[JsonSerializable(typeof(StockBody))]
[JsonSerializable(typeof(StockBody[]))]
[JsonSerializable(typeof(MovementBody[]))]
[JsonSerializable(typeof(StockChangeBody))]
internal sealed partial class InventoryJson : JsonSerializerContext;
