using Shop.Platform.Data;

namespace Shop.Orders;

/// <summary>The rows that the module stores, on either engine.</summary>
internal static class OrderTables
{
    public static ModuleTables All { get; } = new(
    [
        new("orders", "id text, seq bigint, customer_id text, status text, total_cents bigint, created_at bigint, "
            + "updated_at bigint, fingerprint bytea, reservation bigint, changes int, kept_until bigint")
        {
            Sqlite = Storage.Sqlite.OrderRows.Orders,
            Postgres = Storage.Postgres.OrderRows.Orders,
        },
        new("order_lines", "order_id text, line int, product_id text, name text, quantity bigint, "
            + "unit_price_cents bigint")
        {
            Sqlite = Storage.Sqlite.OrderRows.Lines,
            Postgres = Storage.Postgres.OrderRows.Lines,
        },
        new("order_events", "order_id text, number int, status text, at bigint")
        {
            Sqlite = Storage.Sqlite.OrderRows.Events,
            Postgres = Storage.Postgres.OrderRows.Events,
        },
        new("pending_stock", "order_id text, reservation bigint, status text")
        {
            Sqlite = Storage.Sqlite.OrderRows.PendingStock,
            Postgres = Storage.Postgres.OrderRows.PendingStock,
        },
        new("newest_order", "seq bigint")
        {
            Sqlite = Storage.Sqlite.OrderRows.Newest,
            Postgres = Storage.Postgres.OrderRows.Newest,
        },
        new("order_counts", "status text, orders bigint")
        {
            Sqlite = Storage.Sqlite.OrderRows.Counts,
            Postgres = Storage.Postgres.OrderRows.Counts,
        },
    ], Storage.Sqlite.OrderRows.End, Storage.Postgres.OrderRows.End);
}
