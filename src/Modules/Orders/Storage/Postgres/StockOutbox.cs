using Npgsql;
using Shop.Inventory.Contracts;
using Shop.Platform.Data.Postgres;

namespace Shop.Orders.Storage.Postgres;

/// <summary>
/// The stock outbox. A change belongs to the host that has made it for a few seconds. After that any host may claim it,
/// for as long again; of several hosts at once, one gets it.
/// </summary>
internal sealed class StockOutbox(PostgresDatabase database)
{
    private const string ClaimEnd = "now() + interval '5 seconds'";

    /// <summary>Adds changes of status that must be applied to the stock.</summary>
    public static void Add(PostgresTransaction transaction, IReadOnlyList<StoredOrder> changes) => transaction.Add($"""
        INSERT INTO pending_stock (order_id, reservation, status, due_at)
        SELECT order_id, reservation, status, {ClaimEnd}
        FROM unnest($1, $2, $3) AS changed (order_id, reservation, status)
        """,
        PostgresTransaction.Column(changes, static change => change.Order.Id),
        PostgresTransaction.Column(changes, static change => change.Reservation),
        PostgresTransaction.Column(changes, static change => change.Order.Status));

    /// <summary>Claims the changes that are due.</summary>
    public Task<IReadOnlyList<StockChange>> ClaimDueAsync() => database.Writes.RunAsync(async (transaction, end) =>
    {
        // A host that waits for another's update finds the row no longer due.
        transaction.Add($"""
            UPDATE pending_stock SET due_at = {ClaimEnd} WHERE due_at <= now() RETURNING order_id, reservation, status
            """);
        var due = new List<StockChange>();
        await using NpgsqlDataReader reader = await transaction.ReadAsync(end);
        while (await reader.ReadAsync(end))
            due.Add(new StockChange(new ReservationId(reader.GetString(0), reader.GetInt64(1)), reader.GetString(2)));
        return (IReadOnlyList<StockChange>)due;
    });

    /// <summary>Removes changes that are applied to the stock.</summary>
    public Task RemoveAsync(IReadOnlyList<ReservationId> reservations)
    {
        string[] ids = [.. reservations.Select(static id => id.OrderId).Order(StringComparer.Ordinal)];
        return database.Writes.RunAsync(transaction => transaction.Add(
            "DELETE FROM pending_stock WHERE order_id = ANY ($1)", PostgresTransaction.Parameter(ids)));
    }
}
