using Dapper;
using Microsoft.Data.Sqlite;

namespace Shop.Platform.Data;

/// <summary>
/// Reads through an index that is cut into runs: its first column is the row's number divided by <see cref="RowsPerRun"/>, its second what
/// is looked for. An insert so touches the few pages of the newest run, where a plain index would touch one of thousands for each row. A read
/// looks into each run, newest first, until it has enough.
/// </summary>
public static class RunIndex
{
    /// <summary>Rows of a run. The migrations that make such indexes say the same number.</summary>
    public const int RowsPerRun = 1024;

    /// <summary>Put before a query that joins <c>run</c>: the runs from <c>@newestRun</c> down to <c>@oldestRun</c>.</summary>
    public const string Runs = "WITH RECURSIVE run(n) AS (SELECT @newestRun UNION ALL SELECT n - 1 FROM run WHERE n > @oldestRun)";

    /// <summary>Rows newest first: runs are read until there are enough, twice as many each time.</summary>
    /// <param name="connection">Where to read.</param>
    /// <param name="sql">A query over <c>run</c>, newest first, with <c>LIMIT @limit</c>.</param>
    /// <param name="newestRow">The number of the newest row that may be wanted.</param>
    /// <param name="limit">Enough.</param>
    /// <param name="parameters">What else the query asks for.</param>
    public static T[] NewestFirst<T>(SqliteConnection connection, string sql, long newestRow, long limit, object parameters)
    {
        var rows = new List<T>();
        long width = 1;
        for (long newest = newestRow / RowsPerRun; newest >= 0 && rows.Count < limit; newest -= width, width *= 2)
        {
            var query = new DynamicParameters(parameters);
            query.Add("newestRun", newest);
            query.Add("oldestRun", Math.Max(0, newest - width + 1));
            query.Add("limit", limit - rows.Count);
            rows.AddRange(connection.Query<T>($"{Runs} {sql}", query));
        }

        return [.. rows];
    }

    /// <summary>Counts rows of all runs.</summary>
    /// <inheritdoc cref="NewestFirst" path="/param"/>
    public static long Count(SqliteConnection connection, string sql, long newestRow, object parameters)
    {
        var query = new DynamicParameters(parameters);
        query.Add("newestRun", newestRow / RowsPerRun);
        query.Add("oldestRun", 0);
        return connection.ExecuteScalar<long>($"{Runs} {sql}", query);
    }
}
