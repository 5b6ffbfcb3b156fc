using Shop.Platform.Data;
using Shop.Platform.Requests;
using Shop.Testing;

namespace Shop.Inventory.Tests;

internal sealed class KeptAnswerTests
{
    [Test]
    public async Task Given_a_file_of_a_version_that_kept_levels_when_opened_then_its_keys_still_answer_and_new_ones_are_kept_beside_them()
    {
        long now = DateTimeOffset.UtcNow.ToUnixTimeMilliseconds();
        string rows = $"""
            INSERT INTO stock VALUES ('a', 10, 0, 1);
            INSERT INTO idempotency_keys VALUES ('old', x'b714d7b203b6e0de153dd4f35e1510e24096b7d35f2320ebe6eff05e23235b93', 10, {now});
            """;
        using var files = new ModuleFiles(new InventoryModule(),
            directory => ModuleFiles.WriteOlder(directory, new InventoryModule(), ["001_stock.sql", "002_runs.sql", "003_checkpoint.sql", "004_complete_runs.sql"], rows));
        var store = new InventoryStore(files.Context.Database);
        var restock = new Restock(store, new InventoryMetrics(store.Levels, 0, files.Context), files.Context);
        async Task<(long? Level, bool IsReplayed)> IncreaseAsync(long quantity, string key)
        {
            Reply<Restock.Change> reply = await restock.ChangeAsync(MovementKind.Received, "a", quantity, key);
            return (reply.Value?.Level, reply.IsReplayed);
        }

        Assert.That(await IncreaseAsync(3, "old"), Is.EqualTo((10L, true)));
        Assert.That((await restock.ChangeAsync(MovementKind.Received, "a", 4, "old")).Problem, Is.SameAs(IdempotencyKey.Reused));
        Assert.That(await IncreaseAsync(4, "new"), Is.EqualTo((14L, false)));
        Assert.That(await IncreaseAsync(1, "newer"), Is.EqualTo((15L, false)));
        Assert.That(await IncreaseAsync(4, "new"), Is.EqualTo((14L, true)));
    }
}
