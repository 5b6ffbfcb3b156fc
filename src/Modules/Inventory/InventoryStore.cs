using Dapper;
using Microsoft.Data.Sqlite;
using Shop.Inventory.Contracts;
using Shop.Platform;
using Shop.Platform.Data;

namespace Shop.Inventory;

/// <summary>Every SQL statement of the module. What stands under "inside a write" runs on the writer's thread alone.</summary>
internal sealed class InventoryStore(Database database)
{
    private readonly Statement _open = database.Writes.Prepare(
        "INSERT INTO stock (product_id, on_hand, reserved, last_updated) VALUES (?1, 0, 0, ?2) ON CONFLICT DO NOTHING");

    private readonly Statement _move = database.Writes.Prepare("""
        UPDATE stock SET on_hand = on_hand + ?2, reserved = reserved + ?3, last_updated = ?4
        WHERE product_id = ?1 AND reserved + ?3 >= 0 AND on_hand + ?2 >= reserved + ?3
        RETURNING on_hand, reserved
        """);

    private readonly Statement _level = database.Writes.Prepare("SELECT on_hand - reserved FROM stock WHERE product_id = ?1");

    private readonly Statement _insertMovement = database.Writes.Prepare("""
        INSERT INTO movements (product_id, kind, quantity, order_id, at, on_hand, reserved) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
        """);

    private readonly Statement _insertReservation = database.Writes.Prepare(
        "INSERT INTO reservations (order_id, is_confirmed) VALUES (?1, 0) ON CONFLICT DO NOTHING");

    private readonly Statement _insertLine = database.Writes.Prepare(
        "INSERT INTO reservation_lines (order_id, product_id, quantity) VALUES (?1, ?2, ?3)");

    private readonly Statement _lines = database.Writes.Prepare("SELECT product_id, quantity FROM reservation_lines WHERE order_id = ?1");
    private readonly Statement _confirm = database.Writes.Prepare("UPDATE reservations SET is_confirmed = 1 WHERE order_id = ?1 AND is_confirmed = 0");
    private readonly Statement _deleteLines = database.Writes.Prepare("DELETE FROM reservation_lines WHERE order_id = ?1");
    private readonly Statement _deleteReservation = database.Writes.Prepare("DELETE FROM reservations WHERE order_id = ?1");

    private readonly Statement _findKey = database.Writes.Prepare("SELECT fingerprint, new_level FROM idempotency_keys WHERE key = ?1");

    private readonly Statement _insertKey = database.Writes.Prepare(
        "INSERT INTO idempotency_keys (key, fingerprint, new_level, at) VALUES (?1, ?2, ?3, ?4)");

    private readonly Statement _purgeKeys = database.Writes.Prepare(
        "DELETE FROM idempotency_keys WHERE key IN (SELECT key FROM idempotency_keys WHERE at < ?1 LIMIT 1000)");

    /// <summary>The group commit.</summary>
    public WriteQueue Writes => database.Writes;

    // Inside a write.

    /// <returns>Whether the product is new.</returns>
    public bool Open(string productId, DateTime now) => _open.Set(1, productId).Set(2, now.ToMilliseconds()).Run() == 1;

    /// <returns>The movement; null where the product is unknown or has too little, and nothing was changed.</returns>
    public Movement? Move(MovementKind kind, string productId, long quantity, string? orderId, DateTime now)
    {
        Movement? movement = _move.Set(1, productId).Set(2, kind.OnHandSign * quantity).Set(3, kind.ReservedSign * quantity).Set(4, now.ToMilliseconds())
            .First(row => (Movement?)new Movement(kind, productId, quantity, row.Number(0), row.Number(1)));
        if (movement is not { } made) return null;
        _insertMovement.Set(1, productId).Set(2, kind.Name).Set(3, quantity).Set(4, orderId).Set(5, now.ToMilliseconds())
            .Set(6, made.OnHand).Set(7, made.Reserved).Run();
        return movement;
    }

    /// <returns>The stock level; null where the product is unknown.</returns>
    public long? LevelOf(string productId) => _level.Set(1, productId).First(static row => (long?)row.Number(0));

    /// <returns>Whether the order held nothing before.</returns>
    public bool AddReservation(string orderId) => _insertReservation.Set(1, orderId).Run() == 1;

    public void AddReservationLine(string orderId, StockLine line) =>
        _insertLine.Set(1, orderId).Set(2, line.ProductId).Set(3, line.Quantity).Run();

    public IReadOnlyList<StockLine> ReservedLines(string orderId) =>
        _lines.Set(1, orderId).All(static row => new StockLine(row.Text(0), row.Number(1)));

    public void Confirm(string orderId) => _confirm.Set(1, orderId).Run();

    public void RemoveReservation(string orderId)
    {
        _deleteLines.Set(1, orderId).Run();
        _deleteReservation.Set(1, orderId).Run();
    }

    public (byte[] Fingerprint, long NewLevel)? FindKey(string key) =>
        _findKey.Set(1, key).First(static row => ((byte[], long)?)(row.Bytes(0), row.Number(1)));

    public void AddKey(string key, byte[] fingerprint, long newLevel, DateTime now) =>
        _insertKey.Set(1, key).Set(2, fingerprint).Set(3, newLevel).Set(4, now.ToMilliseconds()).Run();

    /// <returns>How many keys went; 1,000 at the most.</returns>
    public int PurgeKeys(DateTime before) => _purgeKeys.Set(1, before.ToMilliseconds()).Run();

    // Reads.

    public StockRow? Find(string productId)
    {
        using SqliteConnection connection = database.OpenRead();
        return connection.QuerySingleOrDefault<StockRow>(
            "SELECT product_id AS ProductId, on_hand AS OnHand, reserved AS Reserved, last_updated AS LastUpdated FROM stock WHERE product_id = @productId",
            new { productId });
    }

    /// <summary>The products that can be sold the least, shortest first.</summary>
    public IReadOnlyList<StockRow> Shortest(int count)
    {
        using SqliteConnection connection = database.OpenRead();
        return [.. connection.Query<StockRow>("""
            SELECT product_id AS ProductId, on_hand AS OnHand, reserved AS Reserved, last_updated AS LastUpdated
            FROM stock ORDER BY on_hand - reserved, product_id LIMIT @count
            """, new { count })];
    }

    /// <summary>The products by id, from after one on, and how many there are in all.</summary>
    public (IReadOnlyList<StockRow> Rows, long Total) List(long? maxLevel, string? after, long limit)
    {
        const string Where = "WHERE (@maxLevel IS NULL OR on_hand - reserved <= @maxLevel)";
        using SqliteConnection connection = database.OpenRead();
        StockRow[] rows = [.. connection.Query<StockRow>($"""
            SELECT product_id AS ProductId, on_hand AS OnHand, reserved AS Reserved, last_updated AS LastUpdated
            FROM stock {Where} AND product_id > @after ORDER BY product_id LIMIT @limit
            """, new { maxLevel, after = after ?? "", limit })];
        return (rows, connection.ExecuteScalar<long>($"SELECT count(*) FROM stock {Where}", new { maxLevel }));
    }

    /// <summary>The movements of a product, newest first, from before one on, and how many there are in all.</summary>
    public (IReadOnlyList<MovementRow> Rows, long Total) Movements(string productId, long? before, long limit)
    {
        string mine = $"FROM run CROSS JOIN movements WHERE id / {RunIndex.RowsPerRun} = run.n AND product_id = @productId";
        using SqliteConnection connection = database.OpenRead();
        long newest = connection.ExecuteScalar<long>("SELECT coalesce(max(id), 0) FROM movements");
        MovementRow[] rows = RunIndex.NewestFirst<MovementRow>(connection, $"""
            SELECT id AS Id, kind AS Kind, quantity AS Quantity, order_id AS OrderId, at AS At, on_hand AS OnHand, reserved AS Reserved
            {mine} AND id < @before ORDER BY id DESC LIMIT @limit
            """, Math.Min(before ?? long.MaxValue, newest), limit, new { productId, before = before ?? long.MaxValue });
        return (rows, RunIndex.Count(connection, $"SELECT count(*) {mine}", newest, new { productId }));
    }

    public IReadOnlyList<string> Unconfirmed()
    {
        using SqliteConnection connection = database.OpenRead();
        return [.. connection.Query<string>("SELECT order_id FROM reservations WHERE is_confirmed = 0")];
    }

    public IEnumerable<(string ProductId, long Level)> Levels()
    {
        using SqliteConnection connection = database.OpenRead();
        return [.. connection.Query<(string, long)>("SELECT product_id, on_hand - reserved FROM stock")];
    }

    public long CountReservations()
    {
        using SqliteConnection connection = database.OpenRead();
        return connection.ExecuteScalar<long>("SELECT count(*) FROM reservations");
    }
}
