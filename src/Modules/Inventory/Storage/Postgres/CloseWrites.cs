using Npgsql;
using Shop.Inventory.Contracts;
using Shop.Platform.Data.Postgres;

namespace Shop.Inventory.Storage.Postgres;

/// <summary>Releases or ships what reservations hold.</summary>
internal sealed class CloseWrite(IReadOnlyList<ReservationId> ids, MovementKind kind) : PostgresWrite<CloseResult>
{
    public IReadOnlyList<ReservationId> Ids => ids;

    public MovementKind Kind => kind;
}

/// <summary>Ends of reservations.</summary>
internal sealed class CloseWrites(Func<DateTime> now) : PostgresWriteKind<CloseWrite, CloseResult>
{
    public override async Task DecideAsync(
        PostgresTransaction transaction, IReadOnlyList<CloseWrite> writes, CancellationToken end)
    {
        ReservationId[] ids = [.. writes.SelectMany(static write => write.Ids)];
        transaction.Add("""
            SELECT r.order_id, r.number, r.product_ids, r.quantities
            FROM reservations r JOIN unnest($1, $2) AS id (order_id, number) USING (order_id, number)
            ORDER BY r.order_id FOR UPDATE OF r
            """, OrderIds(ids), Numbers(ids));
        transaction.Add("""
            SELECT product_id, on_hand, reserved, last_updated, is_retired FROM stock WHERE product_id IN (
                SELECT unnest(product_ids)
                FROM reservations JOIN unnest($1, $2) AS id (order_id, number) USING (order_id, number))
            ORDER BY product_id FOR UPDATE
            """, OrderIds(ids), Numbers(ids));
        var ledger = new StockLedger();
        var held = new Dictionary<ReservationId, StockLine[]>();
        await using (NpgsqlDataReader reader = await transaction.ReadAsync(end))
        {
            while (await reader.ReadAsync(end))
            {
                held[new ReservationId(reader.GetString(0), reader.GetInt64(1))] =
                [
                    .. reader.GetFieldValue<string[]>(2).Zip(reader.GetFieldValue<long[]>(3),
                        static (productId, quantity) => new StockLine(productId, quantity)),
                ];
            }

            await reader.NextResultAsync(end);
            await ledger.ReadAsync(reader, end);
        }

        // Only these are deleted: another transaction may have made one of the others since, whose units would then
        // stay reserved for ever.
        ReservationId[] found = [.. held.Keys];
        int closed = 0;
        var released = new List<ReservationId>();
        foreach (CloseWrite write in writes)
        {
            if (write.Kind == MovementKind.Released) released.AddRange(write.Ids);
            CloseResult result = Close(ledger, held, write);
            closed += result.Reservations;
            write.Commit(result);
        }

        ledger.AddChanges(transaction);
        transaction.Add("""
            DELETE FROM reservations r USING unnest($1, $2) AS id (order_id, number)
            WHERE r.order_id = id.order_id AND r.number = id.number
            """, OrderIds(found), Numbers(found));
        StockLedger.AddCount(transaction, -closed);
        if (released.Count == 0) return;
        released.Sort(static (one, other) => string.CompareOrdinal(one.OrderId, other.OrderId));
        transaction.Add("""
            INSERT INTO released_reservations (order_id, number)
            SELECT order_id, number FROM unnest($1, $2) AS id (order_id, number) ON CONFLICT DO NOTHING
            """, OrderIds(released), Numbers(released));
    }

    private CloseResult Close(StockLedger ledger, Dictionary<ReservationId, StockLine[]> held, CloseWrite write)
    {
        int closed = 0;
        MovementTotals moved = default;
        foreach (ReservationId id in write.Ids)
        {
            if (!held.Remove(id, out StockLine[]? lines)) continue;
            closed++;
            moved = moved.Plus(ledger.Close(write.Kind, lines, id.OrderId, now()));
        }

        return new CloseResult(closed, moved);
    }

    private static NpgsqlParameter OrderIds(IEnumerable<ReservationId> ids) =>
        PostgresTransaction.Column(ids, static id => id.OrderId);

    private static NpgsqlParameter Numbers(IEnumerable<ReservationId> ids) =>
        PostgresTransaction.Column(ids, static id => id.Number);
}
