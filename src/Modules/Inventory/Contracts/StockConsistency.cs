using Shop.Inventory.Storage.Sqlite;
using Shop.Platform.Data.Sqlite;

namespace Shop.Inventory.Contracts;

/// <summary>The stock in a database file, for a consistency check of all files.</summary>
/// <param name="file">The module's database file.</param>
public sealed class StockConsistency(DatabaseFile file)
{
    /// <summary>What differs between levels, movements and reservations, in words.</summary>
    public IEnumerable<string> Differences() => StockConsistencyQueries.Differences(file);

    /// <summary>What the movements of each order sum up to, by order id and product.</summary>
    public IEnumerable<OrderUnits> Moved() => StockConsistencyQueries.Moved(file);

    /// <summary>The reservations that are held, by order id.</summary>
    public IEnumerable<(string OrderId, bool IsConfirmed)> Held() => StockConsistencyQueries.Held(file);

    /// <summary>The products that have a stock, by id.</summary>
    public IEnumerable<string> Products() => StockConsistencyQueries.Products(file);
}

/// <summary>Units of a product that were moved for an order.</summary>
/// <param name="OrderId">The order.</param>
/// <param name="ProductId">The product.</param>
/// <param name="Reserved">Units that were reserved.</param>
/// <param name="Released">Units that were released.</param>
/// <param name="Shipped">Units that were shipped.</param>
public readonly record struct OrderUnits(string OrderId, string ProductId, long Reserved, long Released, long Shipped)
{
    /// <summary>Units that are still held.</summary>
    public long Held => Reserved - Released - Shipped;
}
