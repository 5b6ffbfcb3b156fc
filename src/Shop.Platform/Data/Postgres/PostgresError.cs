using Npgsql;

namespace Shop.Platform.Data.Postgres;

/// <summary>What an error of PostgreSQL, or of the way to it, means to who gets it.</summary>
internal static class PostgresError
{
    private const string IdleInTransactionSessionTimeout = "25P03";

    /// <summary>Whether the same may succeed in a moment: a lost connection, a deadlock, a server that starts or
    /// ends.</summary>
    public static bool IsTransient(Exception exception) => exception switch
    {
        PostgresException postgres => postgres.IsTransient || postgres.SqlState
            is PostgresErrorCodes.SerializationFailure or PostgresErrorCodes.DeadlockDetected
            or PostgresErrorCodes.AdminShutdown or PostgresErrorCodes.CrashShutdown
            or PostgresErrorCodes.CannotConnectNow
            or PostgresErrorCodes.ReadOnlySqlTransaction // a primary that is one no longer
            or IdleInTransactionSessionTimeout,
        NpgsqlException => true, // all that is not of the server is of the connection
        TimeoutException or IOException or System.Net.Sockets.SocketException => true,
        _ => false,
    };

    /// <summary>Whether the server has ended, or the way to it: more than one connection may be dead.</summary>
    public static bool IsConnectionLost(Exception exception) => exception switch
    {
        PostgresException postgres => postgres.SqlState
            is PostgresErrorCodes.AdminShutdown or PostgresErrorCodes.CrashShutdown,
        NpgsqlException => exception.InnerException is not TimeoutException,
        _ => false,
    };

    /// <summary>Whether the batch's id is in use: an earlier attempt at it was committed.</summary>
    public static bool IsSameBatch(PostgresException exception) =>
        exception is { SqlState: PostgresErrorCodes.UniqueViolation, ConstraintName: "batches_pkey" };

    /// <summary>Whether the server can't be asked at all at the moment, and may be there soon.</summary>
    public static bool IsAway(Exception exception) => exception switch
    {
        PostgresException postgres => postgres.SqlState
            is PostgresErrorCodes.CannotConnectNow or PostgresErrorCodes.AdminShutdown
            or PostgresErrorCodes.CrashShutdown or PostgresErrorCodes.TooManyConnections,
        NpgsqlException or TimeoutException or System.Net.Sockets.SocketException => true,
        _ => false,
    };
}
