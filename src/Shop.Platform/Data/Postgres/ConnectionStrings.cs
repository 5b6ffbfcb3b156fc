using System.Data.Common;
using Npgsql;

namespace Shop.Platform.Data.Postgres;

/// <summary>The connection strings of the settings.</summary>
internal static class ConnectionStrings
{
    private const int SecondsToConnect = 5;

    /// <summary>
    /// A prepared statement keeps its plan. A plan made while a table was empty would scan the whole table, until
    /// autovacuum has analyzed it a minute later. Every statement has an index. If a table must be scanned all the
    /// same, the plan gets a huge cost, for which PostgreSQL would compile it or start workers: both are off.
    /// </summary>
    private const string Plans = "-c enable_seqscan=off -c enable_hashjoin=off -c enable_mergejoin=off -c jit=off "
        + "-c max_parallel_workers_per_gather=0";

    /// <summary>Milliseconds: longer than a busy host ever needs between two round trips.</summary>
    private const long MinIdle = 5000;

    /// <summary>The error in a connection string, in words; null if it has none.</summary>
    /// <remarks>
    /// Only names that Npgsql knows are repeated: in an address, or behind a <c>;</c> without quotes, what looks like a
    /// name is part of a password.
    /// </remarks>
    public static string? ErrorIn(string text)
    {
        const string Form = "write it as Host=…;Username=…, with quotes around a value that has ; or =";
        var builder = new NpgsqlConnectionStringBuilder();
        var given = new DbConnectionStringBuilder();
        try
        {
            given.ConnectionString = text;
        }
        catch (ArgumentException)
        {
            return Form;
        }

        foreach (string name in given.Keys)
        {
            try
            {
                builder[name] = given[name];
            }
            catch (Exception exception) when (exception is ArgumentException or FormatException or InvalidCastException)
            {
                return builder.ContainsKey(name) ? $"{name} can't have this value"
                    : $"not all of its names are known: {Form}";
            }
        }

        return builder.Host is { Length: > 0 } ? null : "it names no Host";
    }

    /// <summary>Adds the options that the shop needs. Options that the connection string sets are kept.</summary>
    public static string Complete(string text, string schema, TimeSpan timeout, int maxConnections)
    {
        var given = new DbConnectionStringBuilder { ConnectionString = text };
        bool IsSet(params ReadOnlySpan<string> names)
        {
            foreach (string name in names)
            {
                if (given.ContainsKey(name)) return true;
            }

            return false;
        }

        var address = new NpgsqlConnectionStringBuilder(text)
        {
            SearchPath = schema,
            CommandTimeout = (int)Math.Ceiling(timeout.TotalSeconds),
            NoResetOnClose = true, // no session of the shop leaves anything behind
            Enlist = false,
            IncludeFailedBatchedCommand = false,
        };
        if (!IsSet("Application Name", "ApplicationName")) address.ApplicationName = $"shop-{schema}";
        if (!IsSet("Maximum Pool Size", "MaxPoolSize")) address.MaxPoolSize = maxConnections;
        if (!IsSet("Timeout")) address.Timeout = SecondsToConnect;
        if (!IsSet("Keepalive")) address.KeepAlive = 30;
        if (!IsSet("Max Auto Prepare", "MaxAutoPrepare"))
        {
            // Each connection prepares a statement by itself when it runs it for the second time.
            address.MaxAutoPrepare = 100;
            address.AutoPrepareMinUsages = 2;
        }

        // A session whose host has stopped in the middle of a transaction must not keep its locks.
        long idle = Math.Max(MinIdle, (long)timeout.TotalMilliseconds / 2);
        string limits = $"-c idle_in_transaction_session_timeout={idle} "
            + $"-c statement_timeout={(long)timeout.TotalMilliseconds}";
        address.Options = string.Join(' ', limits, Plans, address.Options);
        return address.ConnectionString;
    }
}
