using Shop.Inventory.Contracts;
using Shop.Orders.Storage.Sqlite;
using Shop.Platform.Data;
using Shop.Platform.Data.Sqlite;
using Shop.Testing;

namespace Shop.Orders.Tests;

internal sealed class IdempotencyRecordTests
{
    private static readonly DateTime Noon = new(2026, 1, 31, 12, 0, 0, DateTimeKind.Utc);

    [Test]
    public async Task Given_a_file_of_a_version_that_kept_keys_of_new_orders_alone_when_opened_then_its_keys_and_its_order_ids_still_stand_for_the_same_content()
    {
        // The content of both requests as that version had hashed it: what is on disk must mean the same for ever.
        const string Rows = """
            INSERT INTO orders (id, customer_id, status, total_cents, created_at, updated_at, fingerprint)
            VALUES ('o1', 'ada', 'created', 2580, 0, 0, NULL),
                ('mine', 'ada', 'paid', 2580, 0, 5,
                    x'f2a2eaa672dc3cba37a69f51d0d096df6ff8aa1b0c46811a8bfe595994e07191');
            INSERT INTO order_lines (order_seq, line, product_id, name, quantity, unit_price_cents)
            VALUES (2, 0, 'prod_0', 'P', 2, 1290);
            INSERT INTO idempotency_keys
            VALUES ('key', x'7f9f6e926cd0e3f1b82808fa4032611380ba54dde4d25d0268966deb5b2fcb97', 'o1', 1769860800000);
            """;
        using var files = new ModuleFiles(new OrdersModule(),
            directory =>
                ModuleFiles.WriteOlder(
                directory, new OrdersModule(),
                ["001_orders.sql", "002_runs.sql", "003_events.sql", "004_complete_runs.sql"], Rows));
        var store = new SqliteOrderStore(files.Context.Database, files.Context.Settings);
        IdempotencyKeys keys = files.Context.Database.Keys;
        static PlaceOrderRequest Request(long quantity, string key) =>
            new("ada", [new StockLine("prod_0", quantity)], null, key);
        byte[] mine = (Request(2, "key") with { OrderId = "mine" }).Fingerprint,
            other = (Request(3, "key") with { OrderId = "mine" }).Fingerprint;
        ReplayResult same = await store.ReplayAsync(null, "mine", mine, Noon),
            reused = await store.ReplayAsync(null, "mine", other, Noon);
        Assert.Multiple(() =>
        {
            Assert.That(keys.Find(Request(2, "key").Key!, Noon), Is.EqualTo(new IdempotencyRecord(true, "o1")));
            Assert.That(
                keys.Find(Request(2, "ada key").Key!, Noon), Is.EqualTo(new IdempotencyRecord(true, "o1")),
                "with the API key that the shop has by now");
            Assert.That(
                keys.Find(Request(3, "key").Key!, Noon), Is.EqualTo(new IdempotencyRecord(false, "o1")),
                "other content");
            Assert.That(keys.Find(Request(2, "key").Key!, Noon.AddHours(48.1)), Is.Null, "too old");
            Assert.That(
                (same.Outcome, same.Order?.Id, reused.Outcome),
                Is.EqualTo((ReplayOutcome.Replayed, "mine", ReplayOutcome.OrderIdReused)));
        });
    }
}
