using Shop.Inventory.Contracts;
using Shop.Platform.Data.Sqlite;

namespace Shop.Inventory.Storage.Sqlite;

/// <summary>Holds every line for an order, or none.</summary>
internal sealed class ReserveCommand(SqliteStockStore store, ReservationId id, IReadOnlyList<StockLine> lines)
    : WriteCommand<ReserveResult>
{
    // An order is written next.
    protected override bool HasShortContinuation => true;

    protected override WriteResult<ReserveResult> Run()
    {
        StockLedger ledger = store.Ledger;
        if (ledger.ShortagesOf(lines) is { } shortages)
            return WriteResult.Rollback(HeldBefore() ?? new ReserveResult(ReserveOutcome.TooLittleStock, shortages));

        DateTime now = store.Now();
        long first = 0, last = 0;
        for (int i = 0; i < lines.Count; i++)
        {
            StockLine line = lines[i];
            last = ledger.Append(MovementKind.Reserved, line.ProductId, line.Quantity, id.OrderId, now)!.Value.Id;
            if (i == 0) first = last;
        }

        return ledger.AddReservation(id, first, last)
            ? WriteResult.Commit(new ReserveResult(ReserveOutcome.Reserved))
            : WriteResult.Rollback(HeldBefore()!.Value);
    }

    protected override void Committed(ReserveResult answer) => store.CountOpened(1);

    private ReserveResult? HeldBefore() => store.Ledger.NumberHeld(id.OrderId) is { } number
        ? new ReserveResult(number == id.Number ? ReserveOutcome.HeldBefore : ReserveOutcome.HeldByAnother)
        : null;
}
