using Microsoft.Data.Sqlite;
using Shop.Platform.Data.Sqlite;

namespace Shop.Platform.Tests;

/// <summary>The space of a database file that holds nothing.</summary>
internal sealed class DatabaseTests
{
    [Test]
    public async Task Given_rows_that_were_deleted_then_the_bytes_that_are_free_are_counted_and_what_is_more_than_a_tenth_is_given_back()
    {
        using var files = new DatabaseUnderTest();
        string page = new('x', 2500);
        await files.Writes.WriteAsync(() =>
        {
            for (int n = 0; n < 3000; n++) files.Insert.Set(1, $"{n}{page}").Run();
            return WriteResult.Commit(0);
        });
        await DeleteAsync(files, "id % 50 = 0"); // less than a tenth
        (long free, long all, long size) = Pages(files);
        Assert.That(await files.MetricAsync("db_free_bytes"), Is.EqualTo(free * size).And.Positive);
        await files.Database.ReclaimSpaceAsync(CancellationToken.None);
        Assert.That(Pages(files), Is.EqualTo((free, all, size)), "nothing is moved for so little");

        await DeleteAsync(files, "id % 3 > 0");
        (free, _, _) = Pages(files);
        Assert.That(await files.MetricAsync("db_free_bytes"), Is.EqualTo(free * size));
        await files.Database.ReclaimSpaceAsync(CancellationToken.None);
        (free, all, _) = Pages(files);
        // Each write gives 128 pages back, and one of SQLite's own now and then.
        Assert.That(free * 10, Is.LessThanOrEqualTo(all));
        Assert.That((free + 130) * 10, Is.GreaterThan(all), "and no more than that");
        Assert.That(await files.MetricAsync("db_free_bytes"), Is.EqualTo(free * size));
    }

    private static Task<int> DeleteAsync(DatabaseUnderTest files, string condition)
    {
        Statement delete = files.Writes.Prepare($"DELETE FROM notes WHERE {condition}");
        return files.Writes.WriteAsync(() => WriteResult.Commit(delete.Run()));
    }

    private static (long Free, long All, long Size) Pages(DatabaseUnderTest files)
    {
        using SqliteConnection connection = files.Database.OpenRead();
        long Number(string name)
        {
            using SqliteCommand command = connection.CreateCommand();
#pragma warning disable CA2100 // a constant of this method
            command.CommandText = $"PRAGMA {name}";
#pragma warning restore CA2100
            return (long)command.ExecuteScalar()!;
        }

        return (Number("freelist_count"), Number("page_count"), Number("page_size"));
    }
}
