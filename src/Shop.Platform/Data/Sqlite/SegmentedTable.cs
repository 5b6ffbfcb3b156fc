using System.Diagnostics;
using Microsoft.Data.Sqlite;

namespace Shop.Platform.Data.Sqlite;

/// <summary>
/// A table with a <see cref="SegmentedIndex"/>. Its rows are numbered from 1 without a gap, and no number is used
/// twice, even if the newest rows are deleted.
/// </summary>
public sealed class SegmentedTable
{
    private readonly Statement _renumber;
    private readonly string _range;
#if DEBUG
    private readonly Statement _numberBefore;
#endif

    /// <summary>
    /// Prepares the statements, and in Debug compares the indexes on disk with <see
    /// cref="SegmentedIndex.RowsPerSegment"/>.
    /// </summary>
    /// <param name="database">The database.</param>
    /// <param name="table">The table.</param>
    /// <param name="number">Its column with the row's number, which is its primary key.</param>
    /// <param name="newestDeleted">The greatest number of a deleted row, 0 if none was deleted.</param>
    /// <param name="indexes">
    /// The tables that are its segmented indexes, and their columns with the row's number.
    /// </param>
    public SegmentedTable(
        Database database, string table, string number, long newestDeleted,
        params ReadOnlySpan<(string Index, string Number)> indexes)
    {
        NewestDeleted = newestDeleted;
        _renumber = database.Writes.Prepare($"UPDATE {table} SET {number} = ?2 WHERE {number} = ?1");
        _range = $"""
            SELECT coalesce((SELECT min({number}) FROM {table}), 0), coalesce((SELECT max({number}) FROM {table}), 0)
            """;
#if DEBUG
        _numberBefore = database.Writes.Prepare($"SELECT max({number}) FROM {table} WHERE {number} < ?1");
#endif
        foreach ((string index, string column) in indexes) AssertSegments(database, index, column);
    }

    /// <summary>The greatest number of a deleted row, 0 if none was deleted.</summary>
    public long NewestDeleted { get; private set; }

    /// <summary>Inserts a row, inside a write.</summary>
    /// <returns>Its number: the one after the newest row's, whether or not that row still exists.</returns>
    public long Insert(Statement insert)
    {
        long number = insert.Insert();
        if (number <= NewestDeleted)
        {
            // SQLite counts on from the newest row that exists.
            _renumber.Set(1, number).Set(2, NewestDeleted + 1).Run();
            number = NewestDeleted + 1;
        }

#if DEBUG
        AssertNoGapBefore(number);
#endif
        return number;
    }

    /// <summary>
    /// Notes that a row was deleted. If that is rolled back, the row still exists, and so the next one has a greater
    /// number anyway.
    /// </summary>
    public void NoteDeleted(long number) => NewestDeleted = Math.Max(number, NewestDeleted);

    /// <summary>The numbers of the rows that exist.</summary>
    public RowRange Numbers(SqliteConnection connection)
    {
        using SqliteCommand command = connection.CreateCommand();
#pragma warning disable CA2100 // made of names that the caller has as constants
        command.CommandText = _range;
#pragma warning restore CA2100
        using SqliteDataReader row = command.ExecuteReader();
        row.Read();
        return new RowRange(row.GetInt64(0), row.GetInt64(1));
    }

    [Conditional("DEBUG")]
    private static void AssertSegments(Database database, string index, string number)
    {
        const int Rows = SegmentedIndex.RowsPerSegment;
        long wrong = database.Rows(
            $"SELECT count(*) FROM (SELECT * FROM {index} LIMIT {Rows}) WHERE run <> {number} / {Rows}",
            static row => row.GetInt64(0)).Single();
        Debug.Assert(wrong == 0, $"{index} has segments of another size than {Rows} rows.");
    }

#if DEBUG
    private void AssertNoGapBefore(long number)
    {
        long before = Math.Max(_numberBefore.Set(1, number).First(static row => row.Number(0)), NewestDeleted);
        Debug.Assert(number == before + 1,
            $"Row {number} comes after row {before}: a segment that starts between them is never indexed.");
    }
#endif
}
