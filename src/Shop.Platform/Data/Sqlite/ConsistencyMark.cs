using System.Globalization;
using Microsoft.Data.Sqlite;

namespace Shop.Platform.Data.Sqlite;

/// <summary>
/// A mark in each database file that shows whether the files belong together. Every few seconds, if there is work, all
/// files get the same new mark, each in a commit of its own. So files that belong together have the same mark, or marks
/// one step apart if the process died in between. A file that is older, or that another shop has used, has another
/// mark.
/// </summary>
/// <param name="Shop">Id of the shop, made at its first start.</param>
/// <param name="Generation">Counts the marks.</param>
/// <param name="Mark">The mark.</param>
/// <param name="Before">The mark before it.</param>
/// <param name="IsOpening">Whether it is the first mark after a start. It is checkpointed into the file at once, while
/// the next marks are at first only in the write-ahead log. So a file that has it, but no log, was copied without its
/// log.</param>
/// <param name="Accepted">See <see cref="DatabaseConsistency.Accepted"/>.</param>
/// <param name="At">When it was made, in milliseconds since 1970.</param>
internal sealed record ConsistencyMark(string Shop, long Generation, string Mark, string Before, bool IsOpening,
    long Accepted, long At)
{
    private const string Schema = """
        CREATE TABLE IF NOT EXISTS book_mark (
            one        INTEGER NOT NULL PRIMARY KEY CHECK (one = 1),
            shop       TEXT    NOT NULL,
            generation INTEGER NOT NULL,
            mark       TEXT    NOT NULL,
            before     TEXT    NOT NULL,
            is_opening INTEGER NOT NULL,
            accepted   INTEGER NOT NULL,
            at         INTEGER NOT NULL
        )
        """;

    /// <summary>Marks a file; see <see cref="WriteBy"/>.</summary>
    public const string Insert = """
        INSERT INTO book_mark (one, shop, generation, mark, before, is_opening, accepted, at)
        VALUES (1, ?1, ?2, ?3, ?4, ?5, ?6, ?7)
        ON CONFLICT (one) DO UPDATE SET
            shop = ?1, generation = ?2, mark = ?3, before = ?4, is_opening = ?5, accepted = ?6, at = ?7
        """;

    /// <summary>The first mark of files that have none.</summary>
    public static ConsistencyMark First(long now) => new(NewId(), 1, NewId(), "", IsOpening: true, 0, now);

    /// <summary>The mark after this one.</summary>
    public ConsistencyMark Next(bool isOpening, long accepted, long now) =>
        new(Shop, Generation + 1, NewId(), Mark, isOpening, accepted, now);

    /// <summary>A new mark, for files that their owner accepts as they are.</summary>
    public static ConsistencyMark OfAccepted(long now) =>
        new(NewId(), 2, NewId(), "", IsOpening: false, DatabaseConsistency.AcceptNext, now);

    /// <summary>Creates its table if there is none.</summary>
    public static void CreateTable(SqliteConnection connection) => DatabaseFile.Run(connection, Schema);

    /// <summary>The mark of a file; null if it has none.</summary>
    public static ConsistencyMark? Of(SqliteConnection connection)
    {
        using SqliteCommand command = connection.CreateCommand();
        command.CommandText = "SELECT 1 FROM sqlite_master WHERE name = 'book_mark'";
        if (command.ExecuteScalar() is null) return null;
        command.CommandText = "SELECT shop, generation, mark, before, is_opening, accepted, at FROM book_mark";
        using SqliteDataReader row = command.ExecuteReader();
        return row.Read()
            ? new ConsistencyMark(row.GetString(0), row.GetInt64(1), row.GetString(2), row.GetString(3),
                row.GetBoolean(4), row.GetInt64(5), row.GetInt64(6))
            : null;
    }

    /// <summary>Marks a file by the prepared <see cref="Insert"/>.</summary>
    public void WriteBy(Statement insert) =>
        insert.Set(1, Shop).Set(2, Generation).Set(3, Mark).Set(4, Before).Set(5, IsOpening ? 1 : 0).Set(6, Accepted)
            .Set(7, At).Run();

    /// <summary>Marks a file that no shop has open.</summary>
    public void Write(SqliteConnection connection)
    {
        CreateTable(connection);
        using var insert = new Statement(connection.Handle!, Insert);
        WriteBy(insert);
    }

    /// <summary>Why files don't belong together; null if they do.</summary>
    public static string? Difference(IReadOnlyList<MarkedFile> files)
    {
        MarkedFile[] marked = [.. files.Where(file => file.Mark is not null)];
        // New, or of a version that had no marks.
        if (marked.Length == 0) return null;
        MarkedFile newest = marked.MaxBy(file => file.Mark!.Generation)!;
        string[] differences = [.. files.Select(file => Difference(file, newest)).OfType<string>()];
        return differences.Length == 0 ? null : string.Join("; ", differences);
    }

    private static string? Difference(MarkedFile file, MarkedFile newest)
    {
        if (file.Mark is not { } mark)
        {
            // The very first mark may have reached only some of the files.
            if (newest.Mark!.Generation == 1) return null;
            return file.Existed ? $"{file.Name} is not of this shop" : $"{file.Name} is missing";
        }

        if (file.LacksLog) return $"{file.Name} lacks its newest writes: it was copied without {file.Name}-wal";
        if (mark.Shop != newest.Mark!.Shop) return $"{file.Name} is of another shop than {newest.Name}";
        if (mark.Mark == newest.Mark.Mark || mark.Mark == newest.Mark.Before) return null;
        if (mark.Generation == newest.Mark.Generation)
            return $"{file.Name} and {newest.Name} went on apart from each other";
        return $"{file.Name} is older than {newest.Name}: "
            + $"it is of {Time(mark.At)}, and {newest.Name} of {Time(newest.Mark.At)}";
    }

    private static string Time(long at) => Timestamp.FromMilliseconds(at)
        .ToString("yyyy-MM-ddTHH:mm:ssZ", CultureInfo.InvariantCulture);

    private static string NewId() => Guid.NewGuid().ToString("N");
}

/// <summary>A database file as a start found it.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Existed">Whether there was a file.</param>
/// <param name="HadLog">Whether there was something in its write-ahead log.</param>
/// <param name="Mark">Its mark; null if it has none.</param>
internal sealed record MarkedFile(string Name, bool Existed, bool HadLog, ConsistencyMark? Mark)
{
    /// <summary>Whether it was copied without its log.</summary>
    public bool LacksLog => Mark is { IsOpening: true } && !HadLog;

    /// <summary>Whether a file's write-ahead log has content. Opening the file creates an empty log.</summary>
    public static bool HasLog(string path) => new FileInfo(path + "-wal") is { Exists: true, Length: > 0 };
}
