using Shop.Inventory.Contracts;
using Shop.Platform.Data.Postgres;

namespace Shop.Inventory.Storage.Postgres;

/// <summary>Notes that reservations have their orders.</summary>
internal sealed class ConfirmWrite(IReadOnlyList<ReservationId> ids) : PostgresWrite<int>
{
    public IReadOnlyList<ReservationId> Ids => ids;
}

/// <summary>Confirmations.</summary>
internal sealed class ConfirmWrites : PostgresWriteKind<ConfirmWrite, int>
{
    public override bool TryAddAll(PostgresTransaction transaction, IReadOnlyList<ConfirmWrite> writes)
    {
        ReservationId[] ids = [.. writes.SelectMany(static write => write.Ids)];
        transaction.Add("""
            UPDATE reservations r SET is_confirmed = true
            FROM unnest($1, $2) AS id (order_id, number)
            WHERE r.order_id = id.order_id AND r.number = id.number AND NOT r.is_confirmed
            """,
            PostgresTransaction.Column(ids, static id => id.OrderId),
            PostgresTransaction.Column(ids, static id => id.Number));
        foreach (ConfirmWrite write in writes) write.Commit(write.Ids.Count);
        return true;
    }
}
