using Npgsql;
using Shop.Inventory.Contracts;
using Shop.Platform;
using Shop.Platform.Data.Postgres;

namespace Shop.Inventory.Storage.Postgres;

/// <summary>Holds every line for an order, or none.</summary>
internal sealed class ReserveWrite(ReservationId id, IReadOnlyList<StockLine> lines) : PostgresWrite<ReserveResult>
{
    public ReservationId Id => id;

    public IReadOnlyList<StockLine> Lines => lines;
}

/// <summary>
/// Reservations of a batch. Usually there is enough stock for all, and one round trip raises <c>reserved</c> of each
/// product by the sum of the batch; otherwise they are decided order by order under the same locks.
/// </summary>
internal sealed class ReserveWrites(Func<DateTime> now) : PostgresWriteKind<ReserveWrite, ReserveResult>
{
    private const string ReserveAll = $"""
        WITH line AS (
            SELECT * FROM unnest($2, $3, $4, $5) WITH ORDINALITY AS l (order_id, number, product_id, quantity, n)),
        wanted AS (SELECT product_id, sum(quantity)::bigint AS quantity FROM line GROUP BY product_id),
        fits AS (SELECT
            NOT EXISTS (
                SELECT FROM wanted LEFT JOIN stock USING (product_id)
                WHERE stock.product_id IS NULL OR on_hand - reserved < quantity)
            AND NOT EXISTS (SELECT FROM reservations WHERE order_id = ANY ($2))
            AND NOT EXISTS (SELECT FROM released_reservations WHERE order_id = ANY ($2)) AS all_of_it),
        raised AS (
            UPDATE stock
            SET reserved = stock.reserved + wanted.quantity, last_updated = greatest(stock.last_updated, $6)
            FROM wanted, fits WHERE fits.all_of_it AND stock.product_id = wanted.product_id
            RETURNING stock.product_id, on_hand, reserved - wanted.quantity AS before, last_updated),
        moved AS (
            INSERT INTO movements (product_id, kind, quantity, order_id, at, on_hand, reserved)
            SELECT product_id, 'reserved', quantity, order_id, last_updated, on_hand,
                before + sum(quantity) OVER (PARTITION BY product_id ORDER BY n)
            FROM line JOIN raised USING (product_id) ORDER BY n),
        held AS (
            INSERT INTO reservations (order_id, number, product_ids, quantities)
            SELECT order_id, number, array_agg(product_id ORDER BY n), array_agg(quantity ORDER BY n)
            FROM line, fits WHERE fits.all_of_it GROUP BY order_id, number),
        counted AS (INSERT INTO reservation_changes (change) SELECT $7 FROM fits WHERE all_of_it)
        {PostgresTransaction.MarkUnapplied} NOT (SELECT all_of_it FROM fits)
        """;

    public override bool TryAddAll(PostgresTransaction transaction, IReadOnlyList<ReserveWrite> writes)
    {
        // The same order twice?
        if (writes.DistinctBy(static write => write.Id.OrderId, StringComparer.Ordinal).Count() < writes.Count)
            return false;
        StockLedger.AddLock(transaction, ProductIds(writes));
        transaction.AddCheck(ReserveAll,
        [
            PostgresTransaction.Parameter(transaction.BatchId), .. Columns(writes),
            PostgresTransaction.Parameter(now().ToMilliseconds()), PostgresTransaction.Parameter((long)writes.Count),
        ]);
        foreach (ReserveWrite write in writes) write.Commit(new ReserveResult(ReserveOutcome.Reserved));
        return true;
    }

    public override async Task DecideAsync(
        PostgresTransaction transaction, IReadOnlyList<ReserveWrite> writes, CancellationToken end)
    {
        StockLedger.AddLock(transaction, ProductIds(writes));
        transaction.Add("""
            SELECT order_id, number, true FROM reservations WHERE order_id = ANY ($1)
            UNION ALL
            SELECT order_id, number, false FROM released_reservations WHERE order_id = ANY ($1)
            """, PostgresTransaction.Column(writes, static write => write.Id.OrderId));
        var ledger = new StockLedger();
        var held = new Dictionary<string, long>(StringComparer.Ordinal);
        var released = new HashSet<ReservationId>();
        await using (NpgsqlDataReader reader = await transaction.ReadAsync(end))
        {
            await ledger.ReadAsync(reader, end);
            await reader.NextResultAsync(end);
            while (await reader.ReadAsync(end))
            {
                var id = new ReservationId(reader.GetString(0), reader.GetInt64(1));
                if (reader.GetBoolean(2)) held[id.OrderId] = id.Number;
                else released.Add(id);
            }
        }

        var made = new List<ReserveWrite>();
        foreach (ReserveWrite write in writes)
        {
            if (held.TryGetValue(write.Id.OrderId, out long number))
            {
                write.Refuse(new ReserveResult(number == write.Id.Number
                    ? ReserveOutcome.HeldBefore : ReserveOutcome.HeldByAnother));
            }
            else if (released.Contains(write.Id))
            {
                write.Refuse(new ReserveResult(ReserveOutcome.HeldByAnother));
            }
            else if (ledger.ShortagesOf(write.Lines) is { } shortages)
            {
                write.Refuse(new ReserveResult(ReserveOutcome.TooLittleStock, shortages));
            }
            else
            {
                foreach (StockLine line in write.Lines)
                    ledger.Move(MovementKind.Reserved, line.ProductId, line.Quantity, write.Id.OrderId, now());
                held[write.Id.OrderId] = write.Id.Number;
                made.Add(write);
                write.Commit(new ReserveResult(ReserveOutcome.Reserved));
            }
        }

        if (made.Count == 0) return;
        ledger.AddChanges(transaction);
        AddReservations(transaction, made);
    }

    private static void AddReservations(PostgresTransaction transaction, List<ReserveWrite> made)
    {
        transaction.Add("""
            INSERT INTO reservations (order_id, number, product_ids, quantities)
            SELECT order_id, number, array_agg(product_id ORDER BY n), array_agg(quantity ORDER BY n)
            FROM unnest($1, $2, $3, $4) WITH ORDINALITY AS l (order_id, number, product_id, quantity, n)
            GROUP BY order_id, number
            """, Columns(made));
        StockLedger.AddCount(transaction, made.Count);
    }

    // The lines of all orders as columns: order, number of the reservation, product, units.
    private static NpgsqlParameter[] Columns(IReadOnlyList<ReserveWrite> writes)
    {
        (ReservationId Id, StockLine Line)[] lines =
            [.. writes.SelectMany(static write => write.Lines, static (write, line) => (write.Id, line))];
        return
        [
            PostgresTransaction.Column(lines, static line => line.Id.OrderId),
            PostgresTransaction.Column(lines, static line => line.Id.Number),
            PostgresTransaction.Column(lines, static line => line.Line.ProductId),
            PostgresTransaction.Column(lines, static line => line.Line.Quantity),
        ];
    }

    private static IEnumerable<string> ProductIds(IReadOnlyList<ReserveWrite> writes) =>
        writes.SelectMany(static write => write.Lines, static (_, line) => line.ProductId);
}
