using Shop.Inventory.Contracts;
using Shop.Platform.Data.Sqlite;

namespace Shop.Inventory.Storage.Sqlite;

/// <summary>Releases or ships what reservations hold.</summary>
internal sealed class CloseReservationsCommand(
    SqliteStockStore store, IReadOnlyList<ReservationId> ids, MovementKind kind) : WriteCommand<CloseResult>
{
    protected override WriteResult<CloseResult> Run()
    {
        StockLedger ledger = store.Ledger;
        DateTime now = store.Now();
        int closed = 0;
        MovementTotals moved = default;
        foreach (ReservationId id in ids)
        {
            IReadOnlyList<StockLine> lines = ledger.ReservedLines(id);
            if (lines.Count == 0) continue;
            moved = moved.Plus(ledger.Close(kind, lines, id.OrderId, now));
            ledger.RemoveReservation(id);
            closed++;
        }

        return WriteResult.Commit(new CloseResult(closed, moved));
    }

    protected override void Committed(CloseResult answer) => store.CountOpened(-answer.Reservations);
}
