using Dapper;
using Microsoft.Data.Sqlite;
using Shop.Inventory.Contracts;
using Shop.Platform;
using Shop.Platform.Data;
using Shop.Platform.Data.Sqlite;

namespace Shop.Inventory;

/// <summary>Every SQL statement of the module. What stands under "inside a write" runs on the writer's thread alone.</summary>
[DapperAot]
internal sealed class InventoryStore
{
    // The movements of a product, in the run that has no index yet and in those that have.
    private const string IncompleteRun = "FROM movements m WHERE m.id >= @SegmentStart AND m.product_id = @productId";
    private const string IndexedRuns = "FROM run CROSS JOIN movements_by_product i ON i.run = run.n AND i.product_id = @productId";

    private readonly Database _database;
    private readonly Statement _open, _retire, _writeStockRow, _newestMovement, _noteCheckpoint, _insertMovement, _indexByProduct;
    private readonly Statement _deleteMovement, _deleteFromIndex, _addToOpening, _renumber;
    private readonly Statement _insertReservation, _findNumber, _lines, _confirm, _deleteReservation;

    private long _newestFolded;

    public InventoryStore(Database database)
    {
        _database = database;
        _open = Writes.Prepare("INSERT INTO stock (product_id, on_hand, reserved, last_updated) VALUES (?1, 0, 0, ?2)");
        _retire = Writes.Prepare("UPDATE stock SET is_retired = 1 WHERE product_id = ?1");
        _writeStockRow = Writes.Prepare("UPDATE stock SET on_hand = ?2, reserved = ?3, last_updated = ?4 WHERE product_id = ?1");
        _newestMovement = Writes.Prepare("SELECT coalesce(max(id), 0) FROM movements");
        _noteCheckpoint = Writes.Prepare("UPDATE stock_checkpoint SET newest_movement = ?1");
        _insertMovement = Writes.Prepare(
            "INSERT INTO movements (product_id, kind, quantity, order_id, at, on_hand, reserved) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)");
        _indexByProduct = Writes.Prepare($"""
            INSERT INTO movements_by_product (run, product_id, movement_id)
            SELECT id / {SegmentedIndex.RowsPerSegment}, product_id, id FROM movements
            WHERE id >= ?1 - {SegmentedIndex.RowsPerSegment} AND id < ?1 ORDER BY product_id, id
            """);
        _insertReservation = Writes.Prepare(
            "INSERT INTO reservations (order_id, number, first_movement, last_movement, is_confirmed) VALUES (?1, ?2, ?3, ?4, 0) ON CONFLICT DO NOTHING");
        _findNumber = Writes.Prepare("SELECT number FROM reservations WHERE order_id = ?1");
        _lines = Writes.Prepare("""
            SELECT m.product_id, m.quantity FROM reservations r JOIN movements m ON m.id BETWEEN r.first_movement AND r.last_movement
            WHERE r.order_id = ?1 AND r.number = ?2
            """);
        _confirm = Writes.Prepare("UPDATE reservations SET is_confirmed = 1 WHERE order_id = ?1 AND number = ?2 AND is_confirmed = 0");
        _deleteReservation = Writes.Prepare("DELETE FROM reservations WHERE order_id = ?1 AND number = ?2");
        _deleteMovement = Writes.Prepare("DELETE FROM movements WHERE id = ?1");
        _deleteFromIndex = Writes.Prepare($"DELETE FROM movements_by_product WHERE run = ?1 / {SegmentedIndex.RowsPerSegment} AND product_id = ?2 AND movement_id = ?1");
        _addToOpening = Writes.Prepare("""
            INSERT INTO opening_balances (product_id, on_hand, reserved, last_movement, at) VALUES (?1, ?2, ?3, ?4, ?5)
            ON CONFLICT (product_id) DO UPDATE SET on_hand = on_hand + excluded.on_hand, reserved = reserved + excluded.reserved,
            last_movement = max(last_movement, excluded.last_movement), at = max(at, excluded.at)
            """);
        _renumber = Writes.Prepare("UPDATE movements SET id = ?2 WHERE id = ?1");
        _newestFolded = database.Rows("SELECT coalesce(max(last_movement), 0) FROM opening_balances", static row => row.GetInt64(0)).Single();
        Levels = Load();
        Writes.Enlist(Levels);
    }

    /// <summary>The group commit.</summary>
    public GroupCommitWriter Writes => _database.Writes;

    /// <summary>The answers that are kept for the keys of clients.</summary>
    public IdempotencyKeys Keys => _database.Keys;

    /// <summary>The stock of every product.</summary>
    public StockLevels Levels { get; }

    // Inside a write.

    /// <returns>Whether the product is new.</returns>
    public bool Open(string productId, DateTime now)
    {
        if (Levels.FindUncommitted(productId) is not null) return false;
        _open.Set(1, productId).Set(2, now.ToMilliseconds()).Run();
        Levels.Set(new StockRow(productId, 0, 0, now.ToMilliseconds()));
        return true;
    }

    /// <summary>The row itself, at once: no movement tells of it.</summary>
    public void Retire(string productId)
    {
        if (Levels.FindUncommitted(productId) is not { IsRetired: false } stock) return;
        _retire.Set(1, productId).Run();
        Levels.Set(stock with { IsRetired = true });
    }

    /// <returns>The movement; null where the product is unknown or has too little, and nothing was changed.</returns>
    public Movement? Move(MovementKind kind, string productId, long quantity, string? orderId, DateTime now)
    {
        if (Levels.FindUncommitted(productId) is not { } stock) return null;
        long onHand = stock.OnHand + (kind.OnHandSign * quantity), reserved = stock.Reserved + (kind.ReservedSign * quantity), at = now.ToMilliseconds(notBefore: stock.LastUpdated);
        if (reserved < 0 || onHand < reserved) return null;
        long id = _insertMovement.Set(1, productId).Set(2, kind.Name).Set(3, quantity).Set(4, orderId).Set(5, at).Set(6, onHand).Set(7, reserved).Insert();
        if (id <= _newestFolded) id = Renumber(id);
        if (SegmentedIndex.StartsSegment(id)) _indexByProduct.Set(1, id).Run();
        Levels.Set(stock with { OnHand = onHand, Reserved = reserved, LastUpdated = at });
        return new Movement(id, kind, productId, quantity, onHand, reserved);
    }

    /// <returns>The stock level; null where the product is unknown.</returns>
    public long? LevelOf(string productId) => Levels.FindUncommitted(productId)?.StockLevel;

    /// <summary>Notes what an order holds: movements that were made one after the other.</summary>
    /// <returns>Whether it held nothing before.</returns>
    public bool AddReservation(ReservationId id, long firstMovement, long lastMovement) =>
        _insertReservation.Set(1, id.OrderId).Set(2, id.Number).Set(3, firstMovement).Set(4, lastMovement).Run() == 1;

    /// <returns>The number of the order's reservation; null if it has none.</returns>
    public long? NumberHeld(string orderId) => _findNumber.Set(1, orderId).First(static row => (long?)row.Number(0));

    public IReadOnlyList<StockLine> ReservedLines(ReservationId id) =>
        _lines.Set(1, id.OrderId).Set(2, id.Number).All(static row => new StockLine(row.Text(0), row.Number(1)));

    public void Confirm(ReservationId id) => _confirm.Set(1, id.OrderId).Set(2, id.Number).Run();

    public void RemoveReservation(ReservationId id) => _deleteReservation.Set(1, id.OrderId).Set(2, id.Number).Run();

    public long NewestMovement() => Math.Max(_newestMovement.First(static row => row.Number(0)), _newestFolded);

    /// <summary>Deletes movements, and adds them to the opening balances of their products.</summary>
    /// <returns>How many are gone.</returns>
    public int Fold(IReadOnlyList<OldMovement> movements)
    {
        int folded = 0;
        foreach (OldMovement movement in movements)
        {
            if (_deleteMovement.Set(1, movement.Id).Run() == 0) continue;
            _deleteFromIndex.Set(1, movement.Id).Set(2, movement.ProductId).Run();
            MovementKind kind = MovementKind.Of(movement.Kind);
            _addToOpening.Set(1, movement.ProductId).Set(2, kind.OnHandSign * movement.Quantity).Set(3, kind.ReservedSign * movement.Quantity)
                .Set(4, movement.Id).Set(5, movement.At).Run();
            // If the write is undone, the movement is still there, and so the next has a greater number anyway.
            _newestFolded = Math.Max(movement.Id, _newestFolded);
            folded++;
        }

        return folded;
    }

    public void WriteStockRow(string productId)
    {
        // Null for a new product whose batch failed.
        if (Levels.FindUncommitted(productId) is not { } stock) return;
        _writeStockRow.Set(1, productId).Set(2, stock.OnHand).Set(3, stock.Reserved).Set(4, stock.LastUpdated).Run();
    }

    public void NoteCheckpoint(long newestMovement) => _noteCheckpoint.Set(1, newestMovement).Run();

    // Reads.

    /// <summary>The products by id, from after one on, and how many there are in all.</summary>
    public (IReadOnlyList<StockRow> Rows, long Total) List(long? maxLevel, string? after, long limit, CancellationToken end) => _database.Read(connection =>
    {
        // What is no longer sold is never short.
        bool IsWanted(StockRow stock) => maxLevel is null || (stock.StockLevel <= maxLevel && !stock.IsRetired);
        IEnumerable<string> ids = connection.Query<string>("SELECT product_id FROM stock WHERE product_id > @after ORDER BY product_id",
            new { after = after ?? "" }, buffered: false);
        StockRow[] rows = [.. ids.Select(Levels.Find).OfType<StockRow>().Where(IsWanted).Take((int)limit)];
        return (rows, (long)Levels.All.Count(IsWanted));
    }, end);

    /// <summary>The movements of a product, newest first, from before one on.</summary>
    public IReadOnlyList<MovementRow> Movements(string productId, long? before, long limit, CancellationToken end)
    {
        const string Rows = """
            SELECT m.id AS Id, m.kind AS Kind, m.quantity AS Quantity, m.order_id AS OrderId, m.at AS At, m.on_hand AS OnHand, m.reserved AS Reserved
            """;
        const string NewestFirst = "AND m.id < @before ORDER BY m.id DESC LIMIT @Limit";
        var sql = new SegmentQueries($"{Rows} {IncompleteRun} {NewestFirst}", $"{Rows} {IndexedRuns} CROSS JOIN movements m ON m.id = i.movement_id {NewestFirst}");
        return _database.Read<IReadOnlyList<MovementRow>>(connection =>
        {
            long bound = before ?? long.MaxValue;
            MovementRow[] rows = SegmentedIndex.NewestFirst(sql, Numbers(connection), bound, limit, (text, segment) => connection.Query<MovementRow>(
                text, new { productId, before = bound, segment.SegmentStart, segment.NewestSegment, segment.OldestSegment, segment.Limit }));
            return rows.Length < limit && Opening(connection, productId) is { } opening ? [.. rows, opening] : rows;
        }, end);
    }

    /// <summary>Counts the movements of a product, and stops at a bound.</summary>
    public long CountMovements(string productId, long atMost, CancellationToken end) => _database.Read(connection =>
    {
        var sql = new SegmentQueries($"SELECT 1 {IncompleteRun}", $"SELECT 1 {IndexedRuns}");
        long movements = SegmentedIndex.Count(sql, Numbers(connection), atMost, (text, segment) => connection.ExecuteScalar<long>(
            text, new { productId, segment.SegmentStart, segment.NewestSegment, segment.OldestSegment, segment.Limit }));
        return movements < atMost && Opening(connection, productId) is not null ? movements + 1 : movements;
    }, end);

    // The sum of a product's movements that were deleted stands as one more at the end of its list.
    private static MovementRow? Opening(SqliteConnection connection, string productId) =>
        connection.QuerySingleOrDefault<MovementRow>("""
            SELECT 0 AS Id, @kind AS Kind, on_hand AS Quantity, NULL AS OrderId, at AS At,
                on_hand AS OnHand, reserved AS Reserved
            FROM opening_balances WHERE product_id = @productId
            """, new { productId, kind = MovementRow.Opening });

    /// <summary>The newest movement that the rows of <c>stock</c> have: those after it are needed at the next start.</summary>
    public long Checkpoint() => _database.Rows("SELECT newest_movement FROM stock_checkpoint", static row => row.GetInt64(0)).Single();

    /// <summary>Movements by their numbers, oldest first, from after one on.</summary>
    public IReadOnlyList<OldMovement> MovementsAfter(long after, long upTo, int limit)
    {
        using SqliteConnection connection = _database.OpenRead();
        return [.. connection.Query<OldMovement>("""
            SELECT id AS Id, product_id AS ProductId, kind AS Kind, quantity AS Quantity, order_id AS OrderId, at AS At
            FROM movements WHERE id > @after AND id <= @upTo ORDER BY id LIMIT @limit
            """, new { after, upTo, limit })];
    }

    /// <summary>Gives pages that hold nothing back to the file system.</summary>
    public Task GiveBackSpaceAsync(CancellationToken end) => _database.GiveBackSpaceAsync(end);

    private static RowRange Numbers(SqliteConnection connection) =>
        connection.QuerySingle<RowRange>("SELECT coalesce((SELECT min(id) FROM movements), 0) AS Oldest, coalesce((SELECT max(id) FROM movements), 0) AS Newest");

    // The newest row was deleted: SQLite would give its number again.
    private long Renumber(long id)
    {
        long next = _newestFolded + 1;
        _renumber.Set(1, id).Set(2, next).Run();
        return next;
    }

    /// <exception cref="StoreUnavailableException">They can't be read.</exception>
    public IReadOnlyList<ReservationId> Unconfirmed()
    {
        try
        {
            return [.. _database.Rows("SELECT order_id, number FROM reservations WHERE is_confirmed = 0", static row => new ReservationId(row.GetString(0), row.GetInt64(1)))];
        }
        catch (SqliteException exception)
        {
            throw _database.Unreadable(exception);
        }
    }

    public long CountReservations() => _database.Rows("SELECT count(*) FROM reservations", static row => row.GetInt64(0)).Single();

    private StockLevels Load() => new(
        _database.Rows("SELECT product_id, on_hand, reserved, last_updated, is_retired FROM stock", static row => Stock(row) with { IsRetired = row.GetBoolean(4) }),
        _database.Rows("SELECT product_id, on_hand, reserved, at FROM movements WHERE id > (SELECT newest_movement FROM stock_checkpoint) ORDER BY id", Stock));

    private static StockRow Stock(SqliteDataReader row) => new(row.GetString(0), row.GetInt64(1), row.GetInt64(2), row.GetInt64(3));
}
