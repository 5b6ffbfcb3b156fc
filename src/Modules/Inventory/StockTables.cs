using Shop.Platform.Data;

namespace Shop.Inventory;

/// <summary>The rows that the module stores, on either engine.</summary>
internal static class StockTables
{
    public static ModuleTables All { get; } = new(
    [
        new("stock", "product_id text, on_hand bigint, reserved bigint, last_updated bigint, is_retired boolean")
        {
            Sqlite = Storage.Sqlite.StockRows.Stock,
        },
        new("movements", "id bigint, product_id text, kind text, quantity bigint, order_id text, at bigint, "
            + "on_hand bigint, reserved bigint")
        {
            Postgres = Storage.Postgres.StockRows.Movements,
        },
        new("opening_balances",
            "product_id text, on_hand bigint, reserved bigint, last_movement bigint, at bigint"),
        new("reservations", "order_id text, number bigint, is_confirmed boolean, first_movement bigint, "
            + "last_movement bigint")
        {
            Postgres = Storage.Postgres.StockRows.Reservations,
        },
        new("reservation_count", "reservations bigint")
        {
            Sqlite = Storage.Sqlite.StockRows.ReservationCount,
            Postgres = Storage.Postgres.StockRows.ReservationCount,
        },
        new("held_units", "product_id text, units bigint")
        {
            Sqlite = Storage.Sqlite.StockRows.HeldUnits,
            Postgres = Storage.Postgres.StockRows.HeldUnits,
        },
    ], Storage.Sqlite.StockRows.End, Storage.Postgres.StockRows.End);
}
