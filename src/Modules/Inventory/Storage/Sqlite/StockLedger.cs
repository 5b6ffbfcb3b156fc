using System.Runtime.InteropServices;
using Shop.Inventory.Contracts;
using Shop.Platform;
using Shop.Platform.Data.Sqlite;

namespace Shop.Inventory.Storage.Sqlite;

/// <summary>
/// The stock as the writer changes it: movements are appended, and the levels in memory follow them. Everything here
/// runs inside a write, on the writer's thread.
/// </summary>
internal sealed class StockLedger : Ledger
{
    private readonly Statement _insertStock, _retire, _updateStock, _newestMovement, _updateCheckpoint;
    private readonly Statement _insertMovement, _indexSegment;
    private readonly Statement _deleteMovement, _deleteFromIndex, _addToOpeningBalance;
    private readonly Statement _insertReservation, _findNumber, _reservedLines, _confirm, _deleteReservation;

    public StockLedger(Database database, StockLevels levels)
    {
        Levels = levels;
        GroupCommitWriter writes = database.Writes;
        _insertStock = writes.Prepare(
            "INSERT INTO stock (product_id, on_hand, reserved, last_updated) VALUES (?1, 0, 0, ?2)");
        _retire = writes.Prepare("UPDATE stock SET is_retired = 1 WHERE product_id = ?1");
        _updateStock = writes.Prepare(
            "UPDATE stock SET on_hand = ?2, reserved = ?3, last_updated = ?4 WHERE product_id = ?1");
        _newestMovement = writes.Prepare("SELECT coalesce(max(id), 0) FROM movements");
        _updateCheckpoint = writes.Prepare("UPDATE stock_checkpoint SET newest_movement = ?1");
        _insertMovement = writes.Prepare("""
            INSERT INTO movements (product_id, kind, quantity, order_id, at, on_hand, reserved)
            VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
            """);
        _indexSegment = writes.Prepare($"""
            INSERT INTO movements_by_product (run, product_id, movement_id)
            SELECT id / {SegmentedIndex.RowsPerSegment}, product_id, id FROM movements
            WHERE id >= ?1 - {SegmentedIndex.RowsPerSegment} AND id < ?1 ORDER BY product_id, id
            """);
        _deleteMovement = writes.Prepare("DELETE FROM movements WHERE id = ?1");
        _deleteFromIndex = writes.Prepare($"""
            DELETE FROM movements_by_product
            WHERE run = ?1 / {SegmentedIndex.RowsPerSegment} AND product_id = ?2 AND movement_id = ?1
            """);
        _addToOpeningBalance = writes.Prepare("""
            INSERT INTO opening_balances (product_id, on_hand, reserved, last_movement, at) VALUES (?1, ?2, ?3, ?4, ?5)
            ON CONFLICT (product_id) DO UPDATE SET
                on_hand = on_hand + excluded.on_hand, reserved = reserved + excluded.reserved,
                last_movement = max(last_movement, excluded.last_movement), at = max(at, excluded.at)
            """);
        _insertReservation = writes.Prepare("""
            INSERT INTO reservations (order_id, number, first_movement, last_movement, is_confirmed)
            VALUES (?1, ?2, ?3, ?4, 0) ON CONFLICT DO NOTHING
            """);
        _findNumber = writes.Prepare("SELECT number FROM reservations WHERE order_id = ?1");
        _reservedLines = writes.Prepare("""
            SELECT m.product_id, m.quantity
            FROM reservations r JOIN movements m ON m.id BETWEEN r.first_movement AND r.last_movement
            WHERE r.order_id = ?1 AND r.number = ?2
            """);
        _confirm = writes.Prepare(
            "UPDATE reservations SET is_confirmed = 1 WHERE order_id = ?1 AND number = ?2 AND is_confirmed = 0");
        _deleteReservation = writes.Prepare("DELETE FROM reservations WHERE order_id = ?1 AND number = ?2");
        long newestDeleted = database.Rows(
            "SELECT coalesce(max(last_movement), 0) FROM opening_balances", static row => row.GetInt64(0)).Single();
        Movements = new SegmentedTable(
            database, "movements", "id", newestDeleted, ("movements_by_product", "movement_id"));
    }

    /// <summary>The table of movements.</summary>
    public SegmentedTable Movements { get; }

    /// <summary>The stock of every product.</summary>
    public StockLevels Levels { get; }

    /// <summary>The newest movement that there has been.</summary>
    public long NewestMovement =>
        Math.Max(_newestMovement.First(static row => row.Number(0)), Movements.NewestDeleted);

    /// <returns>Whether the product is new.</returns>
    public bool AddProduct(string productId, DateTime now)
    {
        if (Levels.FindUncommitted(productId) is not null) return false;
        _insertStock.Set(1, productId).Set(2, now.ToMilliseconds()).Run();
        Levels.Set(new StockLevel(productId, 0, 0, now.ToMilliseconds()));
        return true;
    }

    /// <summary>Changes the row itself, at once: no movement says that a product is retired.</summary>
    public void Retire(string productId)
    {
        if (Levels.FindUncommitted(productId) is not { IsRetired: false } stock) return;
        _retire.Set(1, productId).Run();
        Levels.Set(stock with { IsRetired = true });
    }

    /// <returns>The movement; null if the product is unknown or has too little, and then nothing was changed.</returns>
    public AppendedMovement? Append(MovementKind kind, string productId, long quantity, string? orderId, DateTime now)
    {
        if (Find(productId)?.After(kind, quantity, now) is not { } after) return null;
        long id = Movements.Insert(_insertMovement.Set(1, productId).Set(2, kind.Name).Set(3, quantity).Set(4, orderId)
            .Set(5, after.LastUpdated).Set(6, after.OnHand).Set(7, after.Reserved));
        if (SegmentedIndex.StartsSegment(id)) _indexSegment.Set(1, id).Run();
        Levels.Set(after);
        return new AppendedMovement(id, after);
    }

    public override StockLevel? Move(
        MovementKind kind, string productId, long quantity, string? orderId, DateTime now) =>
        Append(kind, productId, quantity, orderId, now)?.After;

    /// <summary>Notes what an order holds: movements that were appended one after the other.</summary>
    /// <returns>Whether the order held nothing before.</returns>
    public bool AddReservation(ReservationId id, long firstMovement, long lastMovement) =>
        _insertReservation.Set(1, id.OrderId).Set(2, id.Number).Set(3, firstMovement).Set(4, lastMovement).Run() == 1;

    /// <returns>The number of the order's reservation; null if it has none.</returns>
    public long? NumberHeld(string orderId) =>
        _findNumber.Set(1, orderId).First(static row => (long?)row.Number(0));

    public IReadOnlyList<StockLine> ReservedLines(ReservationId id) =>
        _reservedLines.Set(1, id.OrderId).Set(2, id.Number)
            .All(static row => new StockLine(row.Text(0), row.Number(1)));

    public void Confirm(ReservationId id) => _confirm.Set(1, id.OrderId).Set(2, id.Number).Run();

    public void RemoveReservation(ReservationId id) => _deleteReservation.Set(1, id.OrderId).Set(2, id.Number).Run();

    /// <summary>Deletes movements, and adds them to the opening balances of their products.</summary>
    /// <returns>How many were deleted.</returns>
    public int Compact(IReadOnlyList<OldMovement> movements)
    {
        int deleted = 0;
        foreach (OldMovement movement in movements)
        {
            if (_deleteMovement.Set(1, movement.Id).Run() == 0) continue;
            _deleteFromIndex.Set(1, movement.Id).Set(2, movement.ProductId).Run();
            MovementKind kind = MovementKind.Find(movement.Kind)!;
            _addToOpeningBalance.Set(1, movement.ProductId).Set(2, kind.OnHandSign * movement.Quantity)
                .Set(3, kind.ReservedSign * movement.Quantity).Set(4, movement.Id).Set(5, movement.At).Run();
            Movements.NoteDeleted(movement.Id);
            deleted++;
        }

        return deleted;
    }

    /// <summary>Writes the level of a product to its row. A new product whose batch failed has neither.</summary>
    public void WriteLevel(string productId)
    {
        if (Levels.FindUncommitted(productId) is not { } stock) return;
        _updateStock.Set(1, productId).Set(2, stock.OnHand).Set(3, stock.Reserved).Set(4, stock.LastUpdated).Run();
    }

    public void WriteCheckpoint(long newestMovement) => _updateCheckpoint.Set(1, newestMovement).Run();

    protected override StockLevel? Find(string productId) => Levels.FindUncommitted(productId);
}

/// <summary>A movement that was appended, and the stock of its product after it.</summary>
[StructLayout(LayoutKind.Auto)]
internal readonly record struct AppendedMovement(long Id, StockLevel After);
