using Dapper;
using Microsoft.Data.Sqlite;
using Shop.Inventory.Contracts;
using Shop.Inventory.Storage.Sqlite;
using Shop.Platform.Data.Sqlite;

namespace Shop.Inventory.Tests;

/// <summary>A check of the books names each difference that stock, movements and reservations may have.</summary>
internal sealed class StockConsistencyTests : StockFixture
{
    [TestCase(null)]
    [TestCase("UPDATE movements SET kind = 'lost' WHERE id = 1", "movement 1 of a has an unknown kind: lost")]
    [TestCase("UPDATE movements SET on_hand = on_hand + 1 WHERE id = 3",
        "movement 3 of a says 5001 on hand and 2 reserved, but the movements up to it make 5000 and 2",
        "movement 4 of a says 4999 on hand and 2 reserved, but the movements up to it make 5000 and 2")]
    [TestCase("UPDATE movements SET reserved = 1 WHERE id = 3",
        "movement 3 of a says 5000 on hand and 1 reserved, but the movements up to it make 5000 and 2",
        "movement 4 of a says 4999 on hand and 2 reserved, but the movements up to it make 4999 and 1")]
    [TestCase("UPDATE stock SET on_hand = on_hand + 1 WHERE product_id = 'a'",
        "the level of a is 3901 on hand and 2 reserved, but its movements make 3900 and 2")]
    [TestCase("UPDATE stock SET reserved = reserved - 1 WHERE product_id = 'a'",
        "the level of a is 3900 on hand and 1 reserved, but its movements make 3900 and 2")]
    [TestCase("DELETE FROM stock WHERE product_id = 'b'", "b has movements, but no stock")]
    [TestCase("UPDATE movements SET kind = 'removed', on_hand = -5 WHERE product_id = 'b'",
        "b has -5 on hand and 0 reserved",
        "the level of b is 5 on hand and 0 reserved, but its movements make -5 and 0")]
    [TestCase("UPDATE reservations SET last_movement = 4",
        "the reservation of order one names movements that are not its own",
        "2 units of a are reserved, but reservations hold 3")]
    [TestCase("DELETE FROM reservations", "2 units of a are reserved, but reservations hold 0")]
    [TestCase("DELETE FROM movements_by_product WHERE movement_id = 7", "1 movements are not in the index by product")]
    [TestCase("UPDATE movements_by_product SET product_id = 'b' WHERE movement_id = 7",
        "1 movements are not in the index by product", "the index by product has 1 movements that are not there")]
    [TestCase("INSERT INTO movements_by_product (run, product_id, movement_id) VALUES (0, 'a', 99999)",
        "the index by product has 1 movements that are not there")]
    public async Task Given_books_with_a_difference_then_it_is_named_and_nothing_else(
        string? change, params string[] differences)
    {
        await Reservations.OpenAsync([new OpeningStock("a", 5000), new OpeningStock("b", 5)]);
        await Reservations.ReserveAsync(new ReservationId("one", 1), [new StockLine("a", 2)]);
        // More than the segment that has no index yet.
        await Writes.WriteAsync(() =>
        {
            for (int n = 0; n < 1100; n++) Store.Ledger.Move(MovementKind.Removed, "a", 1, null, DateTime.UtcNow);
            return WriteResult.Commit(0);
        });
        await new StockCheckpoint(Store.Ledger, Writes).RunAsync();
        string path = Files.Context.Database.Path;
        if (change is not null)
        {
            await using var connection = new SqliteConnection($"Data Source={path};Pooling=False");
            connection.Open();
            connection.Execute("PRAGMA ignore_check_constraints = 1");
            Assert.That(connection.Execute(change), Is.EqualTo(1));
        }

        using DatabaseFile file = DatabaseFile.Open(Path.GetDirectoryName(path)!, "inventory");
        string[] named = [.. new StockConsistency(file).Differences()];
        if (change?.Contains("lost", StringComparison.Ordinal) == true)
            Assert.That(named, Does.Contain(differences[0]), "and each figure that it would have made");
        else
            Assert.That(named, Is.EquivalentTo(differences));
    }
}
