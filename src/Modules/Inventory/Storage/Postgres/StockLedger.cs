using Npgsql;
using Shop.Platform.Data.Postgres;

namespace Shop.Inventory.Storage.Postgres;

/// <summary>
/// The stock in one transaction: rows are locked in the order of their ids, changed here as movements are appended, and
/// written with the commit.
/// </summary>
internal sealed class StockLedger : Ledger
{
    private readonly Dictionary<string, StockLevel> _levels = new(StringComparer.Ordinal);
    private readonly HashSet<string> _changed = new(StringComparer.Ordinal);
    private readonly List<(string ProductId, MovementKind Kind, long Quantity, string? OrderId, StockLevel After)>
        _movements = [];

    /// <summary>Adds the statement that locks products; <see cref="ReadAsync"/> reads its result.</summary>
    public static void AddLock(PostgresTransaction transaction, IEnumerable<string> productIds) => transaction.Add("""
        SELECT product_id, on_hand, reserved, last_updated, is_retired FROM stock
        WHERE product_id = ANY ($1) ORDER BY product_id FOR UPDATE
        """, PostgresTransaction.Parameter(productIds.Distinct(StringComparer.Ordinal).ToArray()));

    /// <summary>Reads the rows that were locked, from the reader's present result.</summary>
    public async Task ReadAsync(NpgsqlDataReader reader, CancellationToken end)
    {
        while (await reader.ReadAsync(end))
        {
            StockLevel level = Level(reader);
            _levels[level.ProductId] = level;
        }
    }

    /// <summary>A row of <c>stock</c>.</summary>
    public static StockLevel Level(NpgsqlDataReader row) =>
        new(row.GetString(0), row.GetInt64(1), row.GetInt64(2), row.GetInt64(3), row.GetBoolean(4));

    public override StockLevel? Move(
        MovementKind kind, string productId, long quantity, string? orderId, DateTime now)
    {
        if (Find(productId)?.After(kind, quantity, now) is not { } after) return null;
        _levels[productId] = after;
        _changed.Add(productId);
        _movements.Add((productId, kind, quantity, orderId, after));
        return after;
    }

    /// <summary>Adds the statements that write what was appended.</summary>
    public void AddChanges(PostgresTransaction transaction)
    {
        if (_movements.Count == 0) return;
        StockLevel[] levels = [.. _changed.Select(productId => _levels[productId])];
        transaction.Add("""
            UPDATE stock SET on_hand = l.on_hand, reserved = l.reserved, last_updated = l.last_updated
            FROM unnest($1, $2, $3, $4) AS l (product_id, on_hand, reserved, last_updated)
            WHERE stock.product_id = l.product_id
            """,
            PostgresTransaction.Column(levels, static level => level.ProductId),
            PostgresTransaction.Column(levels, static level => level.OnHand),
            PostgresTransaction.Column(levels, static level => level.Reserved),
            PostgresTransaction.Column(levels, static level => level.LastUpdated));
        transaction.Add("""
            INSERT INTO movements (product_id, kind, quantity, order_id, at, on_hand, reserved)
            SELECT product_id, kind, quantity, order_id, at, on_hand, reserved
            FROM unnest($1, $2, $3, $4, $5, $6, $7) WITH ORDINALITY
                AS m (product_id, kind, quantity, order_id, at, on_hand, reserved, n)
            ORDER BY n
            """,
            PostgresTransaction.Column(_movements, static movement => movement.ProductId),
            PostgresTransaction.Column(_movements, static movement => movement.Kind.Name),
            PostgresTransaction.Column(_movements, static movement => movement.Quantity),
            PostgresTransaction.Column(_movements, static movement => movement.OrderId),
            PostgresTransaction.Column(_movements, static movement => movement.After.LastUpdated),
            PostgresTransaction.Column(_movements, static movement => movement.After.OnHand),
            PostgresTransaction.Column(_movements, static movement => movement.After.Reserved));
    }

    /// <summary>Adds the statement that notes how many reservations were opened, or ended if negative.</summary>
    public static void AddCount(PostgresTransaction transaction, long opened)
    {
        if (opened == 0) return;
        transaction.Add("INSERT INTO reservation_changes (change) VALUES ($1)", PostgresTransaction.Parameter(opened));
    }

    protected override StockLevel? Find(string productId) =>
        _levels.TryGetValue(productId, out StockLevel level) ? level : null;
}
