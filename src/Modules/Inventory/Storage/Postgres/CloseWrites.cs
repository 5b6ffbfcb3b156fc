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
        (string[] orderIds, long[] numbers) = Columns(writes.SelectMany(static write => write.Ids));
        transaction.Add("""
            SELECT r.order_id, r.number, r.product_ids, r.quantities
            FROM reservations r JOIN unnest($1, $2) AS id (order_id, number) USING (order_id, number)
            ORDER BY r.order_id FOR UPDATE OF r
            """, PostgresTransaction.Parameter(orderIds), PostgresTransaction.Parameter(numbers));
        transaction.Add("""
            SELECT product_id, on_hand, reserved, last_updated, is_retired FROM stock WHERE product_id IN (
                SELECT unnest(product_ids)
                FROM reservations JOIN unnest($1, $2) AS id (order_id, number) USING (order_id, number))
            ORDER BY product_id FOR UPDATE
            """, PostgresTransaction.Parameter(orderIds), PostgresTransaction.Parameter(numbers));
        var ledger = new StockLedger();
        var held = new Dictionary<ReservationId, (string[] ProductIds, long[] Quantities)>();
        await using (NpgsqlDataReader reader = await transaction.ReadAsync(end))
        {
            while (await reader.ReadAsync(end))
            {
                held[new ReservationId(reader.GetString(0), reader.GetInt64(1))] =
                    (reader.GetFieldValue<string[]>(2), reader.GetFieldValue<long[]>(3));
            }

            await reader.NextResultAsync(end);
            await ledger.ReadAsync(reader, end);
        }

        // Another transaction may make one of the others meanwhile: to delete it would keep its units for ever.
        (string[] heldIds, long[] heldNumbers) = Columns(held.Keys);
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
            """, PostgresTransaction.Parameter(heldIds), PostgresTransaction.Parameter(heldNumbers));
        StockLedger.AddCount(transaction, -closed);
        if (released.Count == 0) return;
        (orderIds, numbers) = Columns(released.OrderBy(static id => id.OrderId, StringComparer.Ordinal));
        transaction.Add("""
            INSERT INTO released_reservations (order_id, number)
            SELECT order_id, number FROM unnest($1, $2) AS id (order_id, number) ON CONFLICT DO NOTHING
            """, PostgresTransaction.Parameter(orderIds), PostgresTransaction.Parameter(numbers));
    }

    private CloseResult Close(
        StockLedger ledger, Dictionary<ReservationId, (string[] ProductIds, long[] Quantities)> held, CloseWrite write)
    {
        int closed = 0;
        MovementTotals moved = default;
        foreach (ReservationId id in write.Ids)
        {
            if (!held.Remove(id, out (string[] ProductIds, long[] Quantities) lines)) continue;
            closed++;
            for (int i = 0; i < lines.ProductIds.Length; i++)
            {
                if (ledger.Append(write.Kind, lines.ProductIds[i], lines.Quantities[i], id.OrderId, now()) is null)
                    throw new InvalidOperationException(
                        $"Order {id.OrderId} holds more of {lines.ProductIds[i]} than is reserved.");
                moved = moved.Plus(lines.Quantities[i]);
            }
        }

        return new CloseResult(closed, moved);
    }

    private static (string[] OrderIds, long[] Numbers) Columns(IEnumerable<ReservationId> ids)
    {
        ReservationId[] all = [.. ids];
        return (Array.ConvertAll(all, static id => id.OrderId), Array.ConvertAll(all, static id => id.Number));
    }
}
