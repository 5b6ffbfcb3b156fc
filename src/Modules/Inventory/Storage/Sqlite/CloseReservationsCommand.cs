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
            foreach (StockLine line in lines)
            {
                if (ledger.Append(kind, line.ProductId, line.Quantity, id.OrderId, now) is null)
                    throw new InvalidOperationException(
                        $"Order {id.OrderId} holds more of {line.ProductId} than is reserved.");
                moved = moved.Plus(line.Quantity);
            }

            ledger.RemoveReservation(id);
            closed++;
        }

        return WriteResult.Commit(new CloseResult(closed, moved));
    }

    protected override void Committed(CloseResult answer) => store.CountOpened(-answer.Reservations);
}
