#if DEBUG
using Shop.Platform.Data.Sqlite;

namespace Shop.Platform.Tests;

/// <summary>What would make rows impossible to find is found when it is done, in Debug.</summary>
internal sealed class SegmentedTableTests
{
    [Test]
    public async Task Given_a_row_that_leaves_a_gap_before_it_when_inserted_then_it_is_refused()
    {
        using var database = new DatabaseUnderTest();
        await RunAsync(database, "CREATE TABLE row (n INTEGER PRIMARY KEY)");
        var table = new SegmentedTable(database.Database, "row", "n", newestDeleted: 0);
        Statement next = database.Writes.Prepare("INSERT INTO row DEFAULT VALUES");
        Statement later = database.Writes.Prepare("INSERT INTO row (n) VALUES ((SELECT max(n) + 2 FROM row))");
        Assert.That(await InsertAsync(next), Is.EqualTo(1));
        Assert.That(() => InsertAsync(later), Throws.Exception.With.Message.Contains("Row 3 comes after row 1"));
        Assert.That(await InsertAsync(next), Is.EqualTo(2));

        Task<long> InsertAsync(Statement insert) =>
            database.Writes.WriteAsync(() => WriteResult.Commit(table.Insert(insert)));
    }

    [TestCase(1024, true)]
    [TestCase(512, false)]
    public async Task Given_an_index_on_disk_when_its_segments_are_of_another_size_than_in_code_then_it_is_refused(
        int rows, bool isRight)
    {
        using var database = new DatabaseUnderTest();
        await RunAsync(database, "CREATE TABLE row (n INTEGER PRIMARY KEY)");
        await RunAsync(database, "CREATE TABLE row_index (run INTEGER, n INTEGER)");
        await RunAsync(database, $"""
            WITH RECURSIVE i(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM i WHERE n < 1023)
            INSERT INTO row_index SELECT n / {rows}, n FROM i
            """);
        Assert.That(() => new SegmentedTable(database.Database, "row", "n", 0, ("row_index", "n")),
            isRight ? Throws.Nothing : Throws.Exception.With.Message.Contains("segments of another size"));
    }

    private static Task<int> RunAsync(DatabaseUnderTest database, string sql) =>
        database.Writes.WriteAsync(() => WriteResult.Commit(database.Writes.Prepare(sql).Run()));
}
#endif
