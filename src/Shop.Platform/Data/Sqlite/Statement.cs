using System.Diagnostics;
using System.Text;
using SQLitePCL;

namespace Shop.Platform.Data.Sqlite;

/// <summary>
/// One SQL statement, compiled once and kept with the writer's connection. Parameters are set by index, from 1,
/// columns read by index, from 0. Used by the writer's thread alone.
/// </summary>
/// <remarks>
/// This goes below ADO.NET because preparing a command and boxing its parameters costs more than the write.
/// </remarks>
public sealed class Statement : IDisposable
{
    private readonly sqlite3 _connection;
    private readonly sqlite3_stmt _statement;

    private readonly Lock? _owner;

    /// <summary>Compiles a statement.</summary>
    /// <param name="connection">The connection that runs it.</param>
    /// <param name="sql">The statement.</param>
    /// <param name="owner">The lock of the connection; null if one thread alone uses it.</param>
    internal Statement(sqlite3 connection, string sql, Lock? owner = null)
    {
        (_connection, _owner) = (connection, owner);
        AssertIsOwned();
        SqliteError.ThrowIfFailed(raw.sqlite3_prepare_v3(connection, sql, raw.SQLITE_PREPARE_PERSISTENT,
            out _statement), connection);
    }

    /// <summary>How many parameters it has.</summary>
    public int Parameters => raw.sqlite3_bind_parameter_count(_statement);

    /// <summary>Sets a parameter to a whole number.</summary>
    public Statement Set(int index, long value)
    {
        Check(raw.sqlite3_bind_int64(_statement, index, value));
        return this;
    }

    /// <summary>Sets a parameter to a text, or to NULL.</summary>
    public Statement Set(int index, string? value)
    {
        if (value is null)
        {
            Check(raw.sqlite3_bind_null(_statement, index));
            return this;
        }

        Span<byte> buffer = value.Length <= 256 ? stackalloc byte[768]
            : new byte[Encoding.UTF8.GetMaxByteCount(value.Length)];
        int length = Encoding.UTF8.GetBytes(value, buffer);
        Check(raw.sqlite3_bind_text(_statement, index, (ReadOnlySpan<byte>)buffer[..length]));
        return this;
    }

    /// <summary>Sets a parameter to bytes, or to NULL.</summary>
    public Statement Set(int index, byte[]? value)
    {
        Check(value is null ? raw.sqlite3_bind_null(_statement, index)
            : raw.sqlite3_bind_blob(_statement, index, value));
        return this;
    }

    /// <summary>Runs the statement to its end.</summary>
    /// <returns>How many rows it changed.</returns>
    public int Run()
    {
        try
        {
            while (Step())
            {
                // Rows that nobody asked for are passed over.
            }

            return raw.sqlite3_changes(_connection);
        }
        finally
        {
            Reset();
        }
    }

    /// <summary>Inserts a row.</summary>
    /// <returns>Its number.</returns>
    public long Insert()
    {
        Run();
        return raw.sqlite3_last_insert_rowid(_connection);
    }

    /// <summary>Reads the first row, if there is one, and leaves the statement ready for its next use.</summary>
    /// <returns>What was read; the default if there is no row.</returns>
    public T? First<T>(Func<Statement, T> read)
    {
        try
        {
            return Step() ? read(this) : default;
        }
        finally
        {
            Reset();
        }
    }

    /// <summary>Reads every row.</summary>
    public IReadOnlyList<T> All<T>(Func<Statement, T> read)
    {
        try
        {
            var rows = new List<T>();
            while (Step()) rows.Add(read(this));
            return rows;
        }
        finally
        {
            Reset();
        }
    }

    private bool Step()
    {
        AssertIsOwned();
        int code = raw.sqlite3_step(_statement);
        if (code == raw.SQLITE_ROW) return true;
        if (code == raw.SQLITE_DONE) return false;
        throw SqliteError.Of(code, _connection);
    }

    /// <summary>The whole number in a column of this row.</summary>
    public long Number(int column) => raw.sqlite3_column_int64(_statement, column);

    /// <summary>The text in a column of this row.</summary>
    public string Text(int column) => Encoding.UTF8.GetString(raw.sqlite3_column_blob(_statement, column));

    /// <summary>The bytes in a column of this row.</summary>
    public byte[] Bytes(int column) => raw.sqlite3_column_blob(_statement, column).ToArray();

    /// <inheritdoc/>
    public void Dispose() => _statement.Dispose();

    // SQLite's own locks are off: two threads on one connection would corrupt memory, or the file.
    [Conditional("DEBUG")]
    private void AssertIsOwned() => Debug.Assert(_owner is null or { IsHeldByCurrentThread: true },
        "A statement of the writer is used outside a write.");

    // Its result repeats the error of the last step, which was thrown there.
    private void Reset() => _ = raw.sqlite3_reset(_statement);

    private void Check(int code) => SqliteError.ThrowIfFailed(code, _connection);
}
