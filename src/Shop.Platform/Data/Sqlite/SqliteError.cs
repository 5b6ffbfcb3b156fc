using Microsoft.Data.Sqlite;
using SQLitePCL;

namespace Shop.Platform.Data.Sqlite;

/// <summary>SQLite's result codes as exceptions of ADO.NET.</summary>
internal static class SqliteError
{
    public static SqliteException Of(int code, sqlite3 connection) =>
        new($"SQLite Error {code}: '{raw.sqlite3_errmsg(connection).utf8_to_string()}'.", code,
            raw.sqlite3_extended_errcode(connection));

    public static void ThrowIfFailed(int code, sqlite3 connection)
    {
        if (code != raw.SQLITE_OK) throw Of(code, connection);
    }
}
