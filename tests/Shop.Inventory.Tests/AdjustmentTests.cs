using Shop.Inventory.Storage.Sqlite;
using Shop.Testing;

namespace Shop.Inventory.Tests;

internal sealed class AdjustmentTests
{
    [Test]
    public async Task Given_a_file_of_a_version_that_kept_levels_when_opened_then_its_keys_still_answer_and_new_ones_are_kept_beside_them()
    {
        long now = DateTimeOffset.UtcNow.ToUnixTimeMilliseconds();
        string rows = $"""
            INSERT INTO stock VALUES ('a', 10, 0, 1);
            INSERT INTO idempotency_keys
            VALUES ('old', x'b714d7b203b6e0de153dd4f35e1510e24096b7d35f2320ebe6eff05e23235b93', 10, {now});
            """;
        using var files = new ModuleFiles(new InventoryModule(),
            directory => ModuleFiles.WriteOlder(directory, new InventoryModule(),
                ["001_stock.sql", "002_runs.sql", "003_checkpoint.sql", "004_complete_runs.sql"], rows));
        var store = new SqliteStockStore(files.Context);
        var adjustStock = new AdjustStock(store, new InventoryMetrics(store, files.Context));
        async Task<AdjustResult> IncreaseAsync(long quantity, string key) =>
            (await adjustStock.AdjustAsync(MovementKind.Received, "a", quantity, key)).Result;

        Assert.That(await IncreaseAsync(3, "old"), Is.EqualTo(new AdjustResult(AdjustOutcome.Replayed, 10)));
        Assert.That(await IncreaseAsync(4, "old"), Is.EqualTo(new AdjustResult(AdjustOutcome.KeyReused)));
        Assert.That(await IncreaseAsync(4, "new"), Is.EqualTo(new AdjustResult(AdjustOutcome.Adjusted, 14)));
        Assert.That(await IncreaseAsync(1, "newer"), Is.EqualTo(new AdjustResult(AdjustOutcome.Adjusted, 15)));
        Assert.That(await IncreaseAsync(4, "new"), Is.EqualTo(new AdjustResult(AdjustOutcome.Replayed, 14)));
    }
}
