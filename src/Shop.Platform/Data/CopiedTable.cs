using System.Data.Common;

namespace Shop.Platform.Data;

/// <summary>What a module stores, as rows that both engines can read and write: the verb <c>copy</c> moves them from
/// one engine to the other.</summary>
/// <param name="Tables">Its tables, each after those that it needs.</param>
/// <param name="SqliteEnd">Statements that fill the rest of a file: indexes, sums.</param>
/// <param name="PostgresEnd">The same in a schema.</param>
public sealed record ModuleTables(
    IReadOnlyList<CopiedTable> Tables, IReadOnlyList<string> SqliteEnd, IReadOnlyList<string> PostgresEnd)
{
    /// <summary>The module's tables and the platform's.</summary>
    internal IEnumerable<CopiedTable> All =>
        Tables.Append(new CopiedTable("idempotency_keys", "key text, fingerprint bytea, answer text, at bigint"));
}

/// <summary>Rows of one kind: a table, or the result of a query that both engines can answer.</summary>
/// <param name="Name">Name of the table.</param>
/// <param name="Columns">Names and types of the columns, as PostgreSQL calls them.</param>
public sealed record CopiedTable(string Name, string Columns)
{
    /// <summary>How a file has the rows.</summary>
    public TableStatements Sqlite { get; init; } = new();

    /// <summary>How a schema has the rows.</summary>
    public TableStatements Postgres { get; init; } = new();

    internal IReadOnlyList<ColumnType> Types { get; } = [.. Columns.Split(", ").Select(static column =>
        Enum.Parse<ColumnType>(column.Split(' ')[1], ignoreCase: true))];

    internal string ColumnNames { get; } =
        string.Join(", ", Columns.Split(", ").Select(static column => column.Split(' ')[0]));

    /// <summary>The values of a row that a reader of either engine is at.</summary>
    internal object?[] Values(DbDataReader row)
    {
        var values = new object?[Types.Count];
        for (int i = 0; i < values.Length; i++)
        {
            values[i] = row.IsDBNull(i) ? null : Types[i] switch
            {
                ColumnType.Text => row.GetString(i),
                ColumnType.Boolean => row.GetBoolean(i),
                ColumnType.Bytea => row.GetFieldValue<byte[]>(i),
                ColumnType.Int => (long)row.GetInt32(i),
                _ => row.GetInt64(i),
            };
        }

        return values;
    }
}

/// <summary>How an engine has the rows of a <see cref="CopiedTable"/>.</summary>
/// <param name="Select">Reads them; null if there is a table with just these columns.</param>
/// <param name="Insert">What is run for each row, with its columns as parameters: <c>?1</c> or <c>$1</c>, … Null if
/// there is a table with just these columns; empty if they follow from other rows, and are compared alone.</param>
public sealed record TableStatements(string? Select = null, IReadOnlyList<string>? Insert = null);

/// <summary>Types of columns. A row has a long for <see cref="Bigint"/> and <see cref="Int"/>.</summary>
internal enum ColumnType
{
    /// <summary>A string.</summary>
    Text,

    /// <summary>64 bits.</summary>
    Bigint,

    /// <summary>32 bits.</summary>
    Int,

    /// <summary>A bool.</summary>
    Boolean,

    /// <summary>Bytes.</summary>
    Bytea,
}
